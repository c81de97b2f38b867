import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import type { RecordInit } from '../../../broker/records/record.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { CrashingFiles } from './crashing-files.ts'
import { append, batchOf, CONFIG, delayedStore, openDirectory, settled, TOPIC } from './log-fixture.ts'

function records(...timestamps: number[]): RecordInit[] {
  return timestamps.map(timestamp => ({ timestamp, value: Buffer.alloc(100) }))
}

/** One batch per list of timestamps; small segments, so that some are sealed. */
async function logWith(...batches: number[][]): Promise<PartitionLog> {
  const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles(), limits: { cacheBytes: 1 } })
  const log = logs.create(TOPIC, 0, 'orders', { ...CONFIG, segmentBytes: 1000 })
  for (const [seed, timestamps] of batches.entries()) {
    await append(
      log,
      batchOf(1, seed, { records: records(...timestamps), compression: seed % 2 === 0 ? 'gzip' : 'none' }),
      seed,
    )
  }
  await settled()
  return log
}

const HISTORY = [[10, 20, 30], [40, 35], [50], [60, 61, 62, 63], [55], [70], [70, 80], [75]]

test('the first record at or above a timestamp is found, in sealed segments and behind them', async () => {
  const log = await logWith(...HISTORY)
  const offsets: (number | null)[] = []
  for (const timestamp of [0, 10, 11, 30, 31, 35, 41, 51, 62, 64, 71, 80]) {
    offsets.push((await log.offsetForTimestamp(timestamp))?.offset ?? null)
  }
  deepEqual(offsets, [0, 0, 1, 2, 3, 3, 5, 6, 8, 11, 13, 13])
  equal(await log.offsetForTimestamp(81), null)
})

test('a found record comes with its own timestamp and leader epoch', async () => {
  const log = await logWith(...HISTORY)
  deepEqual(await log.offsetForTimestamp(42), { offset: 5, timestamp: 50, leaderEpoch: 2 })
  deepEqual(await log.offsetForTimestamp(61), { offset: 7, timestamp: 61, leaderEpoch: 3 })
})

test('the record with the highest timestamp is the first of equals', async () => {
  deepEqual(await (await logWith(...HISTORY)).maxTimestamp(), { offset: 13, timestamp: 80, leaderEpoch: 6 })
  deepEqual(await (await logWith([5, 9, 9], [9], [1])).maxTimestamp(), { offset: 1, timestamp: 9, leaderEpoch: 0 })
})

test('records below the log start are not found', async () => {
  const log = await logWith([90, 10], [20, 30], [25])
  await log.deleteRecordsBefore(1)
  deepEqual(await log.offsetForTimestamp(5), { offset: 1, timestamp: 10, leaderEpoch: 0 })
  deepEqual(await log.maxTimestamp(), { offset: 3, timestamp: 30, leaderEpoch: 1 })
})

test('an empty log has no record at any time', async () => {
  const log = await logWith()
  equal(await log.offsetForTimestamp(0), null)
  equal(await log.maxTimestamp(), null)
})

test('records are found while their append is under way', async () => {
  const log = await logWith([10])
  const stored = append(log, batchOf(1, 1, { records: records(20, 30) }))
  equal((await log.offsetForTimestamp(25))?.offset, 2)
  equal((await log.maxTimestamp())?.offset, 2)
  await stored
})

test('a time of append that the broker set counts for all records of the batch', async () => {
  const log = await logWith([10])
  await append(log, batchOf(1, 1, { records: records(500, 600), timestampType: 'LogAppendTime' }))
  deepEqual(await log.offsetForTimestamp(550), { offset: 1, timestamp: 600, leaderEpoch: 0 })
})

test('a segment that is sealed in the middle of the look is not left out', async () => {
  let onGet = (): Promise<void> => Promise.resolve()
  const store = delayedStore(openMemoryStore(), method => (method === 'get' ? onGet() : Promise.resolve()))
  const logs = await openDirectory({ store, files: new CrashingFiles(), limits: { cacheBytes: 1 } })
  const log = logs.create(TOPIC, 0, 'orders', { ...CONFIG, segmentBytes: 1000 })
  const appendAll = async (timestamps: number[]): Promise<void> => {
    for (const timestamp of timestamps) await append(log, batchOf(1, timestamp, { records: records(timestamp) }))
    await settled()
  }
  // One sealed segment, in which only a record below the log start is as late, and behind it one record that is.
  await appendAll([100, 1, 2, 3, 4, 60])
  await log.deleteRecordsBefore(1)
  onGet = async () => {
    onGet = () => Promise.resolve()
    await appendAll([5, 6, 7, 8, 9, 10])
  }
  deepEqual(await log.offsetForTimestamp(50), { offset: 5, timestamp: 60, leaderEpoch: 0 })
  equal(log.endOffset, 12)
})
