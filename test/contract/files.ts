// What every Files must do while the power is on. test/contract/files.test.ts runs it on each of them.
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'vitest'
import type { Files } from '../../broker/storage/files.ts'
import { StorageError } from '../../broker/storage/storage-error.ts'

const text = (value: string): Buffer => Buffer.from(value)

const withCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof StorageError && error.code === code

/** `make` gives the files and an empty folder in them, `dispose` removes what is left. */
export function filesContract(
  name: string,
  make: () => Promise<{ files: Files; folder: string }>,
  dispose: () => Promise<void>,
): void {
  describe(`${name} as files`, () => {
    let files: Files
    let folder: string
    beforeEach(async () => {
      ;({ files, folder } = await make())
    })
    afterEach(dispose)
    const at = (path: string): string => join(folder, path)
    readsAndWrites(() => files, at)
    opensAndCloses(() => files, at)
    keepsNames(() => files, at)
  })
}

type Path = (path: string) => string

function readsAndWrites(files: () => Files, at: Path): void {
  test('bytes come back from where they were written, and a gap reads as zeros', async () => {
    const file = await files().open(at('f'), 'create')
    await file.write([text('hello')], 0)
    await file.write([text('world')], 8)
    const buffer = Buffer.alloc(13)
    equal(await file.read(buffer, 0), 13)
    deepEqual(buffer, text('hello\0\0\0world'))
    equal(await file.sizeBytes(), 13)
    await file.write([text('WO')], 8)
    equal(await file.read(buffer.subarray(0, 5), 8), 5)
    deepEqual(buffer.subarray(0, 5), text('WOrld'))
    await file.close()
  })

  test('a read at the end is short, and beyond it empty', async () => {
    const file = await files().open(at('f'), 'create')
    await file.write([text('hello')], 0)
    const buffer = Buffer.alloc(10)
    equal(await file.read(buffer, 2), 3)
    deepEqual(buffer.subarray(0, 3), text('llo'))
    equal(await file.read(buffer, 5), 0)
    equal(await file.read(buffer, 100), 0)
    equal(await file.read(Buffer.alloc(0), 0), 0)
    await file.close()
  })

  test('any number of buffers is one write, empty ones among them', async () => {
    const file = await files().open(at('f'), 'create')
    const buffers = Array.from({ length: 5000 }, (_, index) => text(index % 3 === 0 ? '' : `${index},`))
    await file.write(buffers, 3)
    await file.write([], 0)
    await file.write([text('')], 0)
    const expected = Buffer.concat([Buffer.alloc(3), ...buffers])
    equal(await file.sizeBytes(), expected.length)
    ok((await files().readWhole(at('f'))).equals(expected))
    await file.close()
  })

  test('many megabytes of many buffers come back as they were', async () => {
    const file = await files().open(at('f'), 'create')
    const buffers = Array.from({ length: 1500 }, (_, index) => Buffer.alloc(10_001, index))
    await file.write(buffers, 0)
    await file.datasync()
    ok((await files().readWhole(at('f'))).equals(Buffer.concat(buffers)))
    await file.close()
  })

  test('truncate cuts, and extends with zeros', async () => {
    const file = await files().open(at('f'), 'create')
    await file.write([text('hello world')], 0)
    await file.truncate(5)
    deepEqual(await files().readWhole(at('f')), text('hello'))
    await file.truncate(7)
    deepEqual(await files().readWhole(at('f')), text('hello\0\0'))
    await file.close()
  })
}

function opensAndCloses(files: () => Files, at: Path): void {
  test('create wants no file, read and write want one', async () => {
    await rejects(files().open(at('f'), 'read'), withCode('ENOENT'))
    await rejects(files().open(at('f'), 'write'), withCode('ENOENT'))
    await rejects(files().open(at('none/f'), 'create'), withCode('ENOENT'))
    await (await files().open(at('f'), 'create')).close()
    await rejects(files().open(at('f'), 'create'), withCode('EEXIST'))
    const file = await files().open(at('f'), 'write')
    await file.write([text('x')], 0)
    await file.close()
    const reader = await files().open(at('f'), 'read')
    equal(await reader.sizeBytes(), 1)
    await reader.close()
  })

  test('a closed file answers EBADF, and closing it again is fine', async () => {
    const file = await files().open(at('f'), 'create')
    await file.close()
    await file.close()
    await rejects(file.write([text('x')], 0), withCode('EBADF'))
    await rejects(file.read(Buffer.alloc(1), 0), withCode('EBADF'))
    await rejects(file.datasync(), withCode('EBADF'))
  })

  test('an error names the operation and the path', async () => {
    await rejects(files().readWhole(at('none')), (error: Error) => {
      return error.message.startsWith(`read ${at('none')}: `) && withCode('ENOENT')(error)
    })
  })

  test('an open file can be used when its name has changed or gone', async () => {
    const file = await files().open(at('f'), 'create')
    await file.write([text('one')], 0)
    await files().rename(at('f'), at('g'))
    await file.write([text('two')], 3)
    deepEqual(await files().readWhole(at('g')), text('onetwo'))
    await files().unlink(at('g'))
    const buffer = Buffer.alloc(6)
    equal(await file.read(buffer, 0), 6)
    deepEqual(buffer, text('onetwo'))
    await file.close()
  })
}

function keepsNames(files: () => Files, at: Path): void {
  test('replace puts whole contents under a name and leaves no other', async () => {
    await files().replace(at('f'), text('one'))
    await files().replace(at('f'), text('second'))
    deepEqual(await files().readWhole(at('f')), text('second'))
    deepEqual(await files().list(at('')), ['f'])
  })

  test('rename replaces what has the new name', async () => {
    await files().replace(at('a'), text('a'))
    await files().replace(at('b'), text('b'))
    await files().rename(at('a'), at('b'))
    deepEqual(await files().list(at('')), ['b'])
    deepEqual(await files().readWhole(at('b')), text('a'))
    await rejects(files().rename(at('none'), at('c')), withCode('ENOENT'))
  })

  test('unlink removes a name and does not mind a missing one', async () => {
    await files().replace(at('f'), text('x'))
    await files().unlink(at('f'))
    await files().unlink(at('f'))
    deepEqual(await files().list(at('')), [])
  })

  test('folders are made with those above, listed, and removed when empty', async () => {
    await files().makeFolder(at('a/b/c'))
    await files().makeFolder(at('a/b/c'))
    await files().replace(at('a/b/f'), text('x'))
    deepEqual((await files().list(at('a/b'))).sort(), ['c', 'f'])
    await rejects(files().removeFolder(at('a/b')), withCode('ENOTEMPTY'))
    await files().removeFolder(at('a/b/c'))
    await files().removeFolder(at('a/b/c'))
    deepEqual(await files().list(at('a/b')), ['f'])
    await files().syncFolder(at('a/b'))
    await rejects(files().list(at('none')), withCode('ENOENT'))
  })

  test('stat tells size and kind, and null for nothing', async () => {
    await files().replace(at('f'), text('hello'))
    const stat = await files().stat(at('f'))
    deepEqual([stat?.sizeBytes, stat?.isFolder], [5, false])
    equal((await files().stat(at('')))?.isFolder, true)
    equal(await files().stat(at('none')), null)
  })

  test('space tells what is free and what there is', async () => {
    const { freeBytes, totalBytes } = await files().space(at(''))
    ok(freeBytes > 0 && freeBytes <= totalBytes)
  })
}
