// The store on RocksDB beyond the contract: losses of power, failures of the disk, processes that die, databases that do not open.
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import { UserError } from '../../../broker/base/user-error.ts'
import { nodeFiles, type Files } from '../../../broker/storage/files.ts'
import { explainLoadFailure, openRocksStore } from '../../../broker/storage/rocks-store.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import type { Store } from '../../../broker/storage/store.ts'
import { seededNumbers } from '../../seeded.ts'
import { killManyTimes } from './kill-store.ts'
import { losePowerAtManyMoments } from './rocks-power-loss.ts'

let folder = ''
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'flotilla-rocks-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

async function put(store: Store, key: string, value: Buffer | string, sync: boolean): Promise<void> {
  const batch = store.batch()
  batch.put(Buffer.from(key), Buffer.from(value))
  await store.commit(batch, { sync })
}

// Small write buffers switch often; large ones take long enough to flush that commits go on in the next log meanwhile.
const SMALL = { writeBufferBytes: 64 * 1024, maxValueBytes: 3_000, commits: 200 }
const LARGE = { writeBufferBytes: 4 * 1024 * 1024, maxValueBytes: 200_000, commits: 300 }

for (const [name, sizes] of Object.entries({ SMALL, LARGE })) {
  test(`after a loss of power every synced commit is there, and no commit without those before it (${name})`, async () => {
    const run = { ...sizes, folder, chance: seededNumbers(11), every: 25, syncShare: 0.2, keepsUnsynced: true }
    const { losses, wals } = await losePowerAtManyMoments(run)
    ok(losses > 5 && wals > 3, `${losses} losses, ${wals} WALs`)
  })

  // Where RocksDB switches by itself, bytes of a newer log may survive without those of an older one. Only what was synced counts.
  test(`a synced commit survives a loss of power also when RocksDB switches its log by itself (${name})`, async () => {
    const switchesItself = { memtableBytes: sizes.writeBufferBytes, writeBufferBytes: 2 ** 30, keepsUnsynced: false }
    const run = { ...sizes, ...switchesItself, folder, chance: seededNumbers(12), every: 25, syncShare: 0.05 }
    const { losses, wals } = await losePowerAtManyMoments(run)
    ok(losses > 5 && wals > 1, `${losses} losses, ${wals} WALs`)
  })
}

test('a process that is killed while it commits loses nothing that it acknowledged', async () => {
  const path = join(folder, 'store')
  const run = { path, kills: 5, writeBufferBytes: 64 * 1024, chance: seededNumbers(3), maxAcknowledged: 200 }
  ok((await killManyTimes(run)) > 100)
})

/** Files whose datasyncs fail while `isBroken`, and count. */
function breakableFiles(): Files & { isBroken: boolean; datasyncs: number } {
  const files = {
    ...nodeFiles,
    isBroken: false,
    datasyncs: 0,
    open: async (path: string, mode: 'read' | 'write' | 'create') => {
      const file = await nodeFiles.open(path, mode)
      const datasync = (): Promise<void> => {
        files.datasyncs++
        if (files.isBroken) return Promise.reject(new StorageError('fdatasync: EIO: i/o error', { code: 'EIO' }))
        return file.datasync()
      }
      return { path, write: file.write, read: file.read, truncate: file.truncate, datasync, ...closing(file) }
    },
  }
  return files
}

const closing = (file: { close(): Promise<void>; sizeBytes(): Promise<number> }) => ({
  close: () => file.close(),
  sizeBytes: () => file.sizeBytes(),
})

test('a sync that fails is not tried again: the store has failed, for every later write, and says why; reads go on', async () => {
  const files = breakableFiles()
  const store = await openRocksStore(join(folder, 'store'), { files })
  await put(store, 'a', 'kept', true)
  files.isBroken = true
  const before = files.datasyncs
  const broken = [put(store, 'b', 'x', true), put(store, 'c', 'x', false), put(store, 'd', 'x', true)]
  const outcomes = await Promise.allSettled(broken)
  equal(outcomes[0]!.status, 'rejected')
  equal(outcomes[2]!.status, 'rejected')
  files.isBroken = false
  const isFailed = (error: unknown): boolean => {
    ok(error instanceof StorageError)
    ok(error.cause instanceof StorageError)
    return /EIO/.test(error.message)
  }
  await rejects(put(store, 'e', 'x', false), isFailed)
  await rejects(put(store, 'f', 'x', true), isFailed)
  deepEqual(await store.get(Buffer.from('a')), Buffer.from('kept'))
  await rejects(store.sync(), isFailed)
  equal(files.datasyncs, before + 1)
  await rejects(store.close(), StorageError)
  // The folder is free again, and what was synced is there.
  const again = await openRocksStore(join(folder, 'store'))
  deepEqual(await again.get(Buffer.from('a')), Buffer.from('kept'))
  await again.close()
})

test('a store that cannot be synced does not open, and leaves the folder free', async () => {
  const files = breakableFiles()
  files.isBroken = true
  await rejects(openRocksStore(join(folder, 'store'), { files }), StorageError)
  await (await openRocksStore(join(folder, 'store'))).close()
})

test('commits that wait together share one sync', async () => {
  const files = breakableFiles()
  const store = await openRocksStore(join(folder, 'store'), { files })
  const before = files.datasyncs
  await Promise.all(Array.from({ length: 500 }, (_, number) => put(store, `k${number}`, 'v', true)))
  ok(files.datasyncs - before < 20, `${files.datasyncs - before} syncs`)
  await store.close()
})

test('a store that was closed opens without a log to replay', async () => {
  const path = join(folder, 'store')
  const store = await openRocksStore(path)
  await put(store, 'a', Buffer.alloc(100_000), true)
  await store.close()
  const logs = fs.readdirSync(path).filter(name => /^\d+\.log$/.test(name))
  deepEqual(
    logs.map(name => fs.statSync(join(path, name)).size),
    logs.map(() => 0),
  )
})

test('a database that is open already is not opened again', async () => {
  const path = join(folder, 'store')
  const store = await openRocksStore(path)
  await rejects(openRocksStore(path), (error: unknown) => {
    return error instanceof UserError && error.message.includes('in use') && error.message.includes(path)
  })
  await put(store, 'a', 'still works', true)
  await store.close()
})

test('a damaged database says which file is wrong', async () => {
  const path = join(folder, 'store')
  await (await openRocksStore(path)).close()
  const manifest = fs.readdirSync(path).find(name => name.startsWith('MANIFEST'))!
  fs.truncateSync(join(path, manifest), 10)
  await rejects(
    openRocksStore(path),
    (error: unknown) => error instanceof StorageError && error.message.includes(manifest),
  )
})

test('a damaged table file fails the reads that meet it, and no other', async () => {
  const path = join(folder, 'store')
  const first = await openRocksStore(path)
  await put(first, 'a', Buffer.alloc(50_000, 'a'), true)
  await first.close()
  const table = join(
    path,
    fs.readdirSync(path).find(name => name.endsWith('.sst'))!,
  )
  const bytes = fs.readFileSync(table)
  bytes[1000]! ^= 1
  fs.writeFileSync(table, bytes)
  const store = await openRocksStore(path)
  await put(store, 'b', 'fine', true)
  await rejects(store.get(Buffer.from('a')), (error: unknown) => {
    return error instanceof StorageError && /checksum/.test(error.message) && error.message.includes('.sst')
  })
  await rejects(store.scan({ gte: Buffer.from('a'), lt: Buffer.from('z'), limit: 10 }), StorageError)
  deepEqual(await store.get(Buffer.from('b')), Buffer.from('fine'))
  await store.close()
})

test('a folder that cannot be made is an error, not a hang', async () => {
  fs.writeFileSync(join(folder, 'file'), '')
  await rejects(openRocksStore(join(folder, 'file/store')), StorageError)
  await rejects(openRocksStore(join(folder, 'file')), StorageError)
})

test('the logs that RocksDB keeps of itself do not pile up', async () => {
  const path = join(folder, 'store')
  for (let start = 0; start < 5; start++) await (await openRocksStore(path)).close()
  equal(fs.readdirSync(path).filter(name => name.startsWith('LOG.old.')).length, 2)
})

test('where libatomic is missing, the error names the package that has it', () => {
  const cause = new Error('libatomic.so.1: cannot open shared object file: No such file or directory')
  const error = explainLoadFailure(new Error("Cannot load addon 'file:///x/rocksdb-native.node'", { cause }))
  ok(/libatomic\.so\.1/.test(error.message))
  ok(/apt-get install libatomic1/.test(error.fix) && /dnf install libatomic/.test(error.fix))
})

test('where there is no build for the platform, the error lists those there are', () => {
  const error = explainLoadFailure(new Error("Cannot find addon '.' imported from 'file:///x/binding.js'"))
  ok(error.message.includes(process.platform) && error.message.includes('Cannot find addon'))
  ok(/linux-x64.*linux-arm64.*darwin-arm64/.test(error.fix))
})
