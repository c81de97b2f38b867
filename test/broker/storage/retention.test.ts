import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import type { LogConfig } from '../../../broker/config/topic-config.ts'
import type { LogDirectory } from '../../../broker/storage/log-directory.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { retainedFrom, type RetentionRules } from '../../../broker/storage/retention.ts'
import { manualClock, type ManualClock } from '../../manual-clock.ts'
import { CrashingFiles } from './crashing-files.ts'
import { append, batchOf, CONFIG, offsetsOf, openDirectory, readAll, settled, TOPIC } from './log-fixture.ts'

const KEEP_ALL: RetentionRules = { retentionMs: -1, retentionBytes: -1, deletesByAge: true }

/** Three segments of ten offsets and 100 bytes, with times 1000, 2000 and 3000; the last is the active one. */
const THREE = [1, 2, 3].map(at => ({ endOffset: at * 10, sizeBytes: 100, maxTimestamp: at * 1000, createdMs: 0 }))

test('without limits nothing goes', () => {
  equal(retainedFrom(THREE, KEEP_ALL, 0, 30, 1e12), 0)
})

test('segments go whose newest record is older than retention.ms', () => {
  const rules = { ...KEEP_ALL, retentionMs: 500 }
  deepEqual(
    [1500, 1501, 2501].map(nowMs => retainedFrom(THREE, rules, 0, 30, nowMs)),
    [0, 10, 20],
  )
  equal(retainedFrom(THREE, rules, 0, 30, 1e12), 30)
})

test('an old segment behind a young one stays', () => {
  const [one, two, three] = THREE
  const rules = { ...KEEP_ALL, retentionMs: 500 }
  equal(retainedFrom([two!, { ...one!, endOffset: 25 }, three!], rules, 0, 30, 2000), 0)
})

test('without timestamps the age of the segment counts', () => {
  const untimed = THREE.map(segment => ({ ...segment, maxTimestamp: -1, createdMs: 900 }))
  equal(retainedFrom(untimed, { ...KEEP_ALL, retentionMs: 500 }, 0, 30, 1400), 0)
  equal(retainedFrom(untimed, { ...KEEP_ALL, retentionMs: 500 }, 0, 30, 1401), 30)
})

test('segments go as long as the rest is not smaller than retention.bytes', () => {
  const sizes = [300, 299, 200, 199, 100, 0]
  deepEqual(
    sizes.map(retentionBytes => retainedFrom(THREE, { ...KEEP_ALL, retentionBytes }, 0, 30, 0)),
    [0, 0, 10, 10, 20, 30],
  )
})

test('nothing at or above the high watermark goes', () => {
  deepEqual(
    [9, 10, 29, 30].map(end => retainedFrom(THREE, { ...KEEP_ALL, retentionMs: 0 }, 0, end, 1e12)),
    [0, 10, 20, 30],
  )
})

test('a topic that is only compacted keeps what is not below the log start', () => {
  const rules = { retentionMs: 0, retentionBytes: 0, deletesByAge: false }
  equal(retainedFrom(THREE, rules, 0, 30, 1e12), 0)
  equal(retainedFrom(THREE, rules, 15, 30, 1e12), 15)
})

type Setting = {
  files: CrashingFiles
  clock: ManualClock
  logs: LogDirectory
  log: PartitionLog
  reopen: () => Promise<PartitionLog>
}

/** A log of 20 batches in sealed segments of two, which takes timestamps from the clock. */
async function filled(config: Partial<LogConfig>): Promise<Setting> {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const clock = manualClock()
  const logs = await openDirectory({ store, files, clock, limits: { retentionCheckIntervalMs: 10_000 } })
  const log = logs.create(TOPIC, 0, 'orders', { ...CONFIG, segmentBytes: 1000, ...config })
  for (let seed = 0; seed < 20; seed++) {
    await append(log, batchOf(400, seed, { records: [{ timestamp: clock.now(), value: Buffer.alloc(400, seed) }] }))
    clock.advance(100)
  }
  await settled()
  const reopen = async (): Promise<PartitionLog> => {
    await logs.close()
    return (await openDirectory({ store, files, clock, isCleanStart: true })).log(TOPIC, 0)!
  }
  return { files, clock, logs, log, reopen }
}

test('the job deletes by time at its interval, and the files after their delay', async () => {
  const { files, clock, log, reopen } = await filled({ retentionMs: 9000, fileDeleteDelayMs: 60_000 })
  const before = (await files.list('/data/segments')).length
  for (let tick = 0; tick < 21; tick++) {
    clock.advance(500)
    await settled()
  }
  equal(log.logStartOffset, 10)
  deepEqual(offsetsOf(await readAll(log)), [10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
  equal(await log.read(3, { maxBytes: 1, endOffset: 20, minOneBatch: true }), 'offset-out-of-range')
  equal((await files.list('/data/segments')).length, before)
  log.configure({ ...CONFIG, retentionMs: -1 })
  clock.advance(60_000)
  await settled()
  ok((await files.list('/data/segments')).length <= before - 5)
  equal((await reopen()).logStartOffset, 10)
})

test('when all records are too old the log is empty and goes on at its end', async () => {
  const { clock, logs, log, reopen } = await filled({ retentionMs: 1000 })
  clock.advance(5000)
  await logs.runRetention()
  deepEqual([log.logStartOffset, log.endOffset, log.sizeBytes], [20, 20, 0])
  const batch = batchOf(10, 1)
  await append(log, batch)
  deepEqual(await readAll(log), [batch])
  const again = await reopen()
  deepEqual([again.logStartOffset, again.endOffset], [20, 21])
})

test('the job deletes by size', async () => {
  const { logs, log } = await filled({ retentionBytes: 3000 })
  await logs.runRetention()
  ok(log.sizeBytes >= 3000 && log.sizeBytes < 4000)
  equal((await readAll(log)).at(-1)?.readBigInt64BE(0), 19n)
})

test('the replica may hold retention back', async () => {
  const { clock, logs, log } = await filled({ retentionMs: 1000 })
  log.deletableOffset = 7
  clock.advance(5000)
  await logs.runRetention()
  equal(log.logStartOffset, 6)
})

test('DeleteRecords moves the log start at once, inside a segment too, and never back', async () => {
  const { logs, log, reopen } = await filled({})
  const heard: number[] = []
  log.onAdvance(() => heard.push(log.logStartOffset))
  equal(await log.deleteRecordsBefore(7), 7)
  equal(await log.deleteRecordsBefore(3), 7)
  deepEqual(heard, [7])
  equal((await readAll(log)).length, 13)
  await logs.runRetention()
  equal(log.logStartOffset, 7)
  equal(await log.deleteRecordsBefore(1000), 20)
  equal(log.sizeBytes, 0)
  equal((await reopen()).logStartOffset, 20)
})

test('leader epochs below the log start are forgotten', async () => {
  const { log } = await filled({})
  for (const epoch of [1, 2, 3]) await append(log, batchOf(10, epoch), epoch)
  await log.deleteRecordsBefore(21)
  deepEqual(log.leaderEpochs.entries(), [
    { epoch: 2, startOffset: 21 },
    { epoch: 3, startOffset: 22 },
  ])
})

test('silent producers are forgotten at an interval of their own', async () => {
  const clock = manualClock()
  const limits = {
    retentionCheckIntervalMs: 1e9,
    producerIdExpirationMs: 1000,
    producerIdExpirationCheckIntervalMs: 5000,
  }
  const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles(), clock, limits })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const producer = { producerId: 7, producerEpoch: 0, baseSequence: 0 }
  await append(log, batchOf(10, 1, { ...producer, records: [{ timestamp: clock.now(), value: Buffer.alloc(10) }] }))
  const sizes: number[] = []
  for (const byMs of [4000, 1500]) {
    for (let passedMs = 0; passedMs < byMs; passedMs += 500) {
      clock.advance(500)
      await settled()
    }
    sizes.push(log.producers.size)
  }
  deepEqual(sizes, [1, 0])
  await logs.close()
})
