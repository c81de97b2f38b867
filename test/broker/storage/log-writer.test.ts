import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import type { Files } from '../../../broker/storage/files.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import type { Store } from '../../../broker/storage/store.ts'
import { manualClock } from '../../manual-clock.ts'
import { CrashingFiles, diskError } from './crashing-files.ts'
import { CrashingStoreDisk } from './crashing-store.ts'
import { append, batchOf, CONFIG, openDirectory, readAll, settled, TOPIC } from './log-fixture.ts'
import { Power } from './power.ts'

/** A disk whose changes can be read as lines. */
async function machine(): Promise<{ power: Power; files: CrashingFiles; disk: CrashingStoreDisk; store: Store }> {
  const power = new Power()
  const files = new CrashingFiles(power)
  const disk = new CrashingStoreDisk(power)
  return { power, files, disk, store: await disk.open() }
}

/** What changed the disk since the last call, with short names. */
function changes(power: Power): string[] {
  const lines = power.operations.map(line =>
    line.replace('/data/', '').replace(/segments\/\S*\.(\d+)\.log/, 'segment $1'),
  )
  power.operations.length = 0
  return lines
}

const RELAXED = { ...CONFIG, flushMessages: -1 }

test('appends of all partitions share one commit and one sync', async () => {
  const { power, files, store } = await machine()
  const logs = await openDirectory({ store, files })
  changes(power)
  const waits: Promise<void>[] = []
  for (let partition = 0; partition < 20; partition++) {
    waits.push(append(logs.create(TOPIC, partition, 'orders', CONFIG), batchOf(200, partition)))
  }
  await Promise.all(waits)
  const lines = changes(power).filter(line => !line.includes('create') && !line.includes('truncate'))
  deepEqual(
    lines.filter(line => line === 'commit' || line === 'sync'),
    ['commit', 'sync'],
  )
  equal(lines.filter(line => line.startsWith('write')).length, 1, 'one write to the staging file')
})

test('a small group touches no file: it is one commit with one sync', async () => {
  const { power, files, store } = await machine()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  changes(power)
  await append(log, batchOf(10, 1))
  deepEqual(changes(power), ['commit', 'sync'])
})

test('a large part of a group goes to the segment file of its partition, which is synced for it', async () => {
  const { power, files, store } = await machine()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  await log.flush()
  changes(power)
  await append(log, batchOf(2000, 1))
  deepEqual(changes(power).sort(), [
    'commit',
    'create segment 1',
    'fdatasync segment 1',
    'fsync segments',
    'sync',
    'write segment 1',
  ])
  await append(log, batchOf(2000, 2))
  deepEqual(changes(power).sort(), ['commit', 'fdatasync segment 1', 'sync', 'write segment 1'])
})

test('while a commit runs, appends collect for the next one', async () => {
  const { power, files, store } = await machine()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const first = append(log, batchOf(10, 1))
  await Promise.resolve()
  await Promise.resolve()
  changes(power)
  const others = [2, 3, 4, 5].map(seed => append(log, batchOf(10, seed)))
  await Promise.all([first, ...others])
  equal(changes(power).filter(line => line === 'commit').length, 2)
})

test('a relaxed partition is answered before the disk, a strict one in the same group after it', async () => {
  const { power, files, store } = await machine()
  const logs = await openDirectory({ store, files })
  const strict = logs.create(TOPIC, 0, 'orders', CONFIG)
  const relaxed = logs.create(TOPIC, 1, 'clicks', RELAXED)
  await Promise.all([strict.flush(), relaxed.flush()])
  changes(power)
  const events: string[] = []
  await Promise.all([
    append(strict, batchOf(10, 1)).then(() => events.push(`strict after ${changes(power).at(-1)}`)),
    append(relaxed, batchOf(10, 2)).then(() => events.push(`relaxed after ${changes(power).at(-1)}`)),
  ])
  deepEqual(events, ['relaxed after commit', 'strict after sync'])
  deepEqual([strict.flushedOffset, strict.syncedOffset], [1, 1])
  deepEqual([relaxed.flushedOffset, relaxed.syncedOffset], [1, 0])
})

test('only the segments of strict partitions are synced', async () => {
  const { power, files, store } = await machine()
  const logs = await openDirectory({ store, files })
  const strict = logs.create(TOPIC, 0, 'orders', CONFIG)
  const relaxed = logs.create(TOPIC, 1, 'clicks', RELAXED)
  await Promise.all([append(strict, batchOf(2000, 1)), append(relaxed, batchOf(2000, 2))])
  const lines = changes(power)
  equal(lines.filter(line => line.startsWith('write segment')).length, 2)
  equal(lines.filter(line => line.startsWith('fdatasync segment')).length, 1)
})

test('flush.messages makes every n-th record wait for the disk', async () => {
  const { power, files, store } = await machine()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', { ...CONFIG, flushMessages: 3 })
  const synced: number[] = []
  for (let seed = 0; seed < 7; seed++) {
    await append(log, batchOf(100, seed))
    synced.push(log.syncedOffset)
    equal(log.flushedOffset, seed + 1)
  }
  deepEqual(synced, [0, 0, 3, 3, 3, 6, 6])
  ok(power.operations.length > 0)
})

test('flush.ms flushes a relaxed partition in the background', async () => {
  const { files, store } = await machine()
  const clock = manualClock()
  const logs = await openDirectory({ store, files, clock })
  const log = logs.create(TOPIC, 0, 'orders', { ...RELAXED, flushMs: 1000 })
  await append(log, batchOf(2000, 1))
  await append(log, batchOf(100, 2))
  clock.advance(500)
  await settled()
  equal(log.syncedOffset, 0)
  clock.advance(500)
  await settled()
  equal(log.syncedOffset, 2)
})

test('an append beyond the bound of the queue is refused and moves nothing', async () => {
  const { files, store } = await machine()
  const logs = await openDirectory({ store, files, limits: { queuedBytes: 1000 } })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const stored = append(log, batchOf(800, 1))
  await rejects(append(log, batchOf(800, 2)), StorageError)
  equal(log.endOffset, 1)
  await stored
  await append(log, batchOf(800, 3))
  equal(log.endOffset, 2)
})

test('a single append may be larger than the bound', async () => {
  const { files, store } = await machine()
  const logs = await openDirectory({ store, files, limits: { queuedBytes: 1000 } })
  await append(logs.create(TOPIC, 0, 'orders', CONFIG), batchOf(5000, 1))
})

for (const operation of ['write', 'fdatasync', 'create']) {
  test(`a ${operation} that fails takes the directory offline for writes, and is not tried again`, async () => {
    const { files, store } = await machine()
    const logs = await openDirectory({ store, files, limits: { cacheBytes: 1e6 } })
    const log = logs.create(TOPIC, 0, 'orders', CONFIG)
    await append(log, batchOf(10, 1))
    const causes: Error[] = []
    logs.onOffline(cause => causes.push(cause))
    let failures = 0
    files.fault = (name, path) => {
      if ((name === operation || (operation === 'create' && name === 'open')) && path.includes('segments')) {
        failures++
        throw diskError('EIO', name, path)
      }
    }
    await rejects(append(log, batchOf(3000, 2)), StorageError)
    files.fault = () => {}
    await rejects(append(log, batchOf(3000, 3)), StorageError)
    await rejects(append(log, batchOf(10, 4)), StorageError)
    equal(failures, 1)
    equal(logs.isOffline, true)
    equal(causes.length, 1)
    equal(log.flushedOffset, 1)
    const found = await log.read(0, { maxBytes: 1000, endOffset: log.flushedOffset, minOneBatch: true })
    equal(found.length, 1)
    await logs.close()
  })
}

test('a store that fails takes the directory offline', async () => {
  const { files, disk, store } = await machine()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  await log.flush()
  disk.fault = operation => {
    if (operation === 'sync') throw diskError('EIO', 'fdatasync', 'wal')
  }
  await rejects(append(log, batchOf(10, 1)), StorageError)
  equal(logs.isOffline, true)
  equal(log.flushedOffset, 0)
})

test('listeners hear when records begin to count, and may append', async () => {
  const { files, store } = await machine()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const seen: number[] = []
  const more: Promise<void>[] = []
  log.onAdvance(() => {
    seen.push(log.flushedOffset)
    if (more.length < 2) more.push(append(log, batchOf(10, 5)))
  })
  await append(log, batchOf(10, 1))
  await settled()
  await Promise.all(more)
  deepEqual(seen, [1, 2, 3])
  equal((await readAll(log)).length, 3)
})

test('small appends behind a large one follow it into its segment with the next large one', async () => {
  const { power, files, store } = await machine()
  const logs = await openDirectory({ store, files, limits: { cacheBytes: 1e6 } })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const batches = [2000, 100, 50, 2000].map((size, seed) => batchOf(size, seed))
  for (const batch of batches) await append(log, batch)
  changes(power)
  const path = (await files.list('/data/segments')).map(name => `/data/segments/${name}`)
  equal(path.length, 1)
  ok((await files.readWhole(path[0]!)).equals(Buffer.concat(batches)))
  deepEqual(await readAll(log), batches)
})

test('a write that the machine cuts in pieces is no matter of the log', async () => {
  const { files, store } = await machine()
  const all: Files = files
  const logs = await openDirectory({ store, files: all })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  await Promise.all(Array.from({ length: 50 }, (_, seed) => append(log, batchOf(100, seed))))
  equal((await readAll(log)).length, 50)
})
