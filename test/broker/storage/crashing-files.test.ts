// The twin of a disk must be as forgetful as it says: a twin that keeps too much proves nothing.
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import { seededNumbers } from '../../seeded.ts'
import { CrashingFiles, diskError } from './crashing-files.ts'
import { PowerLoss } from './power.ts'

const text = (value: string): Buffer => Buffer.from(value)

async function freshFiles(): Promise<CrashingFiles> {
  const files = new CrashingFiles()
  await files.makeFolder('/d')
  await files.syncFolder('/')
  return files
}

async function synced(files: CrashingFiles, path: string, value: string) {
  const file = await files.open(path, 'create')
  await file.write([text(value)], 0)
  await file.datasync()
  await files.syncFolder('/d')
  return file
}

test('a crash takes the bytes that were not datasynced', async () => {
  const files = await freshFiles()
  const file = await synced(files, '/d/f', 'kept')
  await file.write([text(' lost')], 4)
  files.crash()
  deepEqual(await files.readWhole('/d/f'), text('kept'))
})

test('a crash takes a file whose folder was not synced, however well its bytes were', async () => {
  const files = await freshFiles()
  const file = await files.open('/d/f', 'create')
  await file.write([text('x')], 0)
  await file.datasync()
  files.crash()
  deepEqual(await files.list('/d'), [])
})

test('a crash undoes a rename and an unlink whose folder was not synced', async () => {
  const files = await freshFiles()
  await synced(files, '/d/a', 'a')
  await synced(files, '/d/b', 'b')
  await files.rename('/d/a', '/d/c')
  await files.unlink('/d/b')
  files.crash()
  deepEqual((await files.list('/d')).sort(), ['a', 'b'])
  await files.rename('/d/a', '/d/c')
  await files.unlink('/d/b')
  await files.syncFolder('/d')
  files.crash()
  deepEqual(await files.list('/d'), ['c'])
})

test('a datasync covers the writes that resolved before it, and no other', async () => {
  const files = await freshFiles()
  const file = await synced(files, '/d/f', '')
  await file.write([text('a')], 0)
  await Promise.all([file.write([text('b')], 1), file.datasync()])
  files.crash()
  deepEqual(await files.readWhole('/d/f'), text('a'))
})

test('with chance, any pages of unsynced bytes survive, and what was synced always does', async () => {
  const outcomes = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const files = await freshFiles()
    const file = await files.open('/d/f', 'create')
    await file.write([Buffer.alloc(4096, 'a')], 0)
    await file.datasync()
    await files.syncFolder('/d')
    await file.write([Buffer.alloc(8192, 'b')], 4096)
    files.crash(seededNumbers(seed))
    const left = await files.readWhole('/d/f')
    ok(left.subarray(0, 4096).equals(Buffer.alloc(4096, 'a')))
    ok(left.length >= 4096 && left.length <= 12288)
    outcomes.add([4096, 8192].map(at => (at < left.length ? String(left[at]) : '-')).join())
  }
  // Neither page, the first, the second after a hole of zeros, both.
  for (const outcome of ['-,-', '98,-', '0,98', '98,98']) ok(outcomes.has(outcome), outcome)
})

test('with chance, the first few changes of a folder survive', async () => {
  const outcomes = new Set<string>()
  for (let seed = 0; seed < 30; seed++) {
    const files = await freshFiles()
    await synced(files, '/d/a', 'a')
    await files.rename('/d/a', '/d/b')
    await files.rename('/d/b', '/d/c')
    files.crash(seededNumbers(seed))
    outcomes.add((await files.list('/d')).join())
  }
  deepEqual([...outcomes].sort(), ['a', 'b', 'c'])
})

test('power that goes before an operation leaves no trace of it, after it the trace nobody heard of', async () => {
  for (const [moment, expected] of [
    ['before', 'old'],
    ['after', 'new'],
  ] as const) {
    const files = await freshFiles()
    const file = await synced(files, '/d/f', 'old')
    await file.write([text('new')], 0)
    files.power.cutAt(files.power.operations.length, moment)
    await rejects(file.datasync(), PowerLoss)
    await rejects(files.list('/d'), PowerLoss)
    files.crash()
    files.power.restore()
    deepEqual(await files.readWhole('/d/f'), text(expected))
    await rejects(file.datasync(), PowerLoss)
  }
})

test('an operation fails when the test says so, and a datasync that failed has forgotten what it should have kept', async () => {
  const files = await freshFiles()
  const file = await synced(files, '/d/f', 'old')
  await file.write([text('new')], 0)
  files.fault = (operation, path) => {
    if (operation === 'fdatasync') throw diskError('EIO', operation, path)
  }
  await rejects(file.datasync(), (error: unknown) => error instanceof StorageError && error.code === 'EIO')
  files.fault = () => {}
  await file.datasync()
  files.crash()
  deepEqual(await files.readWhole('/d/f'), text('old'))
  equal(files.durableFiles().size, 1)
})
