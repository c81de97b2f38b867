// What only the real file system can show; the rest is in test/contract/files.ts.
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import { nodeFiles } from '../../../broker/storage/files.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'

let folder = ''
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'flotilla-files-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

async function errorOf(call: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await call.then(
    () => null,
    (cause: unknown) => cause,
  )
  ok(error instanceof StorageError)
  return error
}

test.skipIf(!fs.existsSync('/dev/full'))(
  'a full disk is a StorageError with code ENOSPC (needs /dev/full)',
  async () => {
    const file = await nodeFiles.open('/dev/full', 'write')
    const error = await errorOf(file.write([Buffer.from('a'), Buffer.from('b')], 0))
    deepEqual([error.code, error.message], ['ENOSPC', 'write /dev/full: ENOSPC: no space left on device'])
    await file.close()
  },
)

test('an error says the operation and the path once', async () => {
  const path = join(folder, 'none')
  equal((await errorOf(nodeFiles.open(path, 'read'))).message, `open ${path}: ENOENT: no such file or directory`)
  const to = join(folder, 'to')
  equal(
    (await errorOf(nodeFiles.rename(path, to))).message,
    `rename ${path} to ${to}: ENOENT: no such file or directory`,
  )
})

test('a file that is closed while its number goes to another one does not touch that one', async () => {
  const first = await nodeFiles.open(join(folder, 'first'), 'create')
  await first.close()
  const second = await nodeFiles.open(join(folder, 'second'), 'create')
  await rejects(first.write([Buffer.from('wrong file')], 0), StorageError)
  equal(await second.sizeBytes(), 0)
  await second.close()
})

test('replace goes on from a temporary file that a crash left behind', async () => {
  fs.writeFileSync(join(folder, 'f.tmp'), 'half of')
  await nodeFiles.replace(join(folder, 'f'), Buffer.from('whole'))
  deepEqual(fs.readdirSync(folder), ['f'])
  equal(fs.readFileSync(join(folder, 'f'), 'utf8'), 'whole')
})

test('writes of different ranges of one file may run at the same time', async () => {
  const file = await nodeFiles.open(join(folder, 'f'), 'create')
  const parts = Array.from({ length: 40 }, (_, index) => [Buffer.alloc(5000, index), Buffer.alloc(5000, index + 100)])
  await Promise.all(parts.map((part, index) => file.write(part, index * 10_000)))
  ok((await nodeFiles.readWhole(join(folder, 'f'))).equals(Buffer.concat(parts.flat())))
  await file.close()
})

test('the space of a file system is that of the folder', async () => {
  const { freeBytes, totalBytes } = await nodeFiles.space(folder)
  const stat = fs.statfsSync(folder)
  equal(totalBytes, stat.blocks * stat.bsize)
  ok(Math.abs(freeBytes - stat.bavail * stat.bsize) < totalBytes / 10)
})
