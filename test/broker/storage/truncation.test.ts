import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { readHeader } from '../../../broker/records/batch.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { CrashingFiles } from './crashing-files.ts'
import { append, batchOf, CONFIG, openDirectory, readAll, settled, TOPIC } from './log-fixture.ts'
import { Power } from './power.ts'

const SIZES = [100, 600, 1700, 50, 50, 900, 1800, 300, 30, 2000, 700, 20]

/** A log with batches of three records each, in sealed segments, a segment file, staging files and the store. */
async function filled(): Promise<{
  log: PartitionLog
  batches: Buffer[]
  files: CrashingFiles
  reopen: () => Promise<PartitionLog>
}> {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', { ...CONFIG, segmentBytes: 3000 })
  const batches: Buffer[] = []
  for (const [seed, size] of SIZES.entries()) {
    const value = Buffer.alloc(Math.ceil(size / 3), seed)
    const records = [0, 1, 2].map(at => ({ timestamp: 1000 + seed * 10 + at, value }))
    const batch = batchOf(1, seed, { records, producerId: 5, producerEpoch: 0, baseSequence: seed * 3 })
    await append(log, batch, Math.floor(seed / 4))
    batches.push(batch)
  }
  await settled()
  const reopen = async (): Promise<PartitionLog> => {
    await logs.close()
    return (await openDirectory({ store, files, isCleanStart: true })).log(TOPIC, 0)!
  }
  return { log, batches, files, reopen }
}

for (let batch = 0; batch <= SIZES.length; batch++) {
  test(`a log that is cut before batch ${batch} has exactly the batches before it, and goes on`, async () => {
    const { log, batches, reopen } = await filled()
    await log.truncate(batch * 3)
    equal(log.endOffset, batch * 3)
    equal(log.flushedOffset, batch * 3)
    const left = batches.slice(0, batch)
    deepEqual(await readAll(log), left)
    equal(
      log.sizeBytes,
      left.reduce((sum, { length }) => sum + length, 0),
    )
    equal(log.leaderEpochs.latest, batch === 0 ? -1 : Math.floor((batch - 1) / 4))
    const header = readHeader(batchOf(1, 1, { producerId: 5, producerEpoch: 0, baseSequence: batch * 3 }))
    equal(log.producers.check(header).kind, 'ok')
    equal([...log.producers.entries()][0]?.batches.at(-1)?.lastOffset ?? -1, batch * 3 - 1)
    for (const [seed, size] of [400, 1900, 20].entries()) {
      const more = batchOf(size, seed + 50)
      await append(log, more, 9)
      left.push(more)
    }
    deepEqual(await readAll(log), left)
    deepEqual(await readAll(await reopen()), left)
  })
}

test('a batch that reaches across the cut goes whole', async () => {
  for (let offset = 0; offset < SIZES.length * 3; offset += 5) {
    const { log, batches } = await filled()
    await log.truncate(offset)
    equal(log.endOffset, Math.floor(offset / 3) * 3)
    deepEqual(await readAll(log), batches.slice(0, Math.floor(offset / 3)))
  }
})

test('a cut at or behind the end changes nothing', async () => {
  const { log, batches } = await filled()
  await log.truncate(log.endOffset)
  await log.truncate(1000)
  deepEqual(await readAll(log), batches)
})

test('a log may begin anew at another offset', async () => {
  const { log, reopen } = await filled()
  await log.truncateFullyAndStartAt(500)
  deepEqual([log.logStartOffset, log.endOffset, log.sizeBytes, log.producers.size], [500, 500, 0, 0])
  equal(log.leaderEpochs.latest, -1)
  const batch = batchOf(700, 1)
  await append(log, batch, 4)
  deepEqual(await readAll(log), [batch])
  const again = await reopen()
  deepEqual([again.logStartOffset, again.endOffset], [500, 501])
})

test('a log that begins anew behind its end keeps nothing of what it had in memory', async () => {
  const limits = { cacheBytes: 1e6 }
  const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles(), limits })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  for (let seed = 0; seed < 3; seed++) await append(log, batchOf(100, seed))
  ok(logs.cachedBytes > 0)
  await log.truncateFullyAndStartAt(500)
  equal(logs.cachedBytes, 0)
})

test('a cut below the log start begins the log anew there', async () => {
  const { log } = await filled()
  await log.deleteRecordsBefore(12)
  await log.truncate(10)
  deepEqual([log.logStartOffset, log.endOffset], [10, 10])
  const half = await filled()
  await half.log.deleteRecordsBefore(13)
  await half.log.truncate(14)
  deepEqual([half.log.logStartOffset, half.log.endOffset], [14, 14])
})

test('no byte of a cut tail is written over', async () => {
  const power = new Power()
  const files = new CrashingFiles(power)
  const logs = await openDirectory({ store: openMemoryStore(), files, limits: { cacheBytes: 1e6 } })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  for (let seed = 0; seed < 3; seed++) await append(log, batchOf(2000, seed))
  const [first] = await files.list('/data/segments')
  power.operations.length = 0
  await log.truncate(2)
  await append(log, batchOf(2000, 9))
  await append(log, batchOf(2000, 10))
  const writes = power.operations.filter(line => line.startsWith('write'))
  ok(writes.length === 2 && writes.every(line => !line.includes(first!)), writes.join())
})
