import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import type { LogConfig } from '../../../broker/config/topic-config.ts'
import type { LogDirectory, LogLimits } from '../../../broker/storage/log-directory.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import type { Store } from '../../../broker/storage/store.ts'
import { ALL_SEGMENTS } from '../../../broker/storage/keys.ts'
import { decodeSegment, type Segment } from '../../../broker/storage/segment.ts'
import { manualClock, type ManualClock } from '../../manual-clock.ts'
import { CrashingFiles } from './crashing-files.ts'
import { append, batchOf, CONFIG, offsetsOf, openDirectory, readAll, settled, TOPIC } from './log-fixture.ts'

type Setting = {
  readonly store: Store
  readonly files: CrashingFiles
  readonly clock: ManualClock
  readonly logs: LogDirectory
  readonly log: PartitionLog
}

async function setting(config: Partial<LogConfig> = {}, limits: Partial<LogLimits> = {}): Promise<Setting> {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const clock = manualClock()
  const logs = await openDirectory({ store, files, clock, limits })
  return { store, files, clock, logs, log: logs.create(TOPIC, 0, 'orders', { ...CONFIG, ...config }) }
}

async function segmentsOf(store: Store): Promise<Segment[]> {
  return (await store.scan({ ...ALL_SEGMENTS, limit: 1000 })).map(decodeSegment)
}

/** The bytes of the file of a segment. */
async function bytesOf(files: CrashingFiles, segment: Segment): Promise<Buffer> {
  const name = (await files.list('/data/segments')).find(found => found.includes(`.${segment.fileId}.`))
  return files.readWhole(`/data/segments/${name}`)
}

/** A batch of one record at this time. */
function at(timestamp: number): Buffer {
  return batchOf(10, 1, { records: [{ timestamp, value: Buffer.from('x') }] })
}

async function appendAll(log: PartitionLog, sizes: readonly number[]): Promise<Buffer[]> {
  const batches = sizes.map((size, seed) => batchOf(size, seed))
  for (const batch of batches) await append(log, batch)
  await settled()
  return batches
}

for (const [name, limits] of [
  ['from staging files', { ownFileBytes: 1e9 }],
  ['from the store', { inlineGroupBytes: 1e9, ownFileBytes: 1e9 }],
  ['from everywhere', { cacheBytes: 1e6 }],
] as const) {
  test(`a sealed segment is one file in Kafka's format, made ${name}`, async () => {
    const { store, files, log } = await setting({ segmentBytes: 3000 }, limits)
    const batches = await appendAll(log, [800, 900, 100, 50, 700, 2000, 10, 10, 2500, 30])
    const segments = await segmentsOf(store)
    ok(segments.length >= 2)
    for (const segment of segments) {
      const inside = batches.slice(segment.baseOffset, segment.endOffset)
      ok((await bytesOf(files, segment)).equals(Buffer.concat(inside)))
      equal(segment.sizeBytes, Buffer.concat(inside).length)
      equal(segment.maxTimestamp, 1000 + segment.endOffset - 1)
    }
    deepEqual(await readAll(log), batches)
  })
}

test('a segment ends before the batch that would make it larger than segment.bytes', async () => {
  const { store, log } = await setting({ segmentBytes: 1000 })
  await appendAll(log, [300, 300, 300, 300, 300])
  deepEqual(
    (await segmentsOf(store)).map(({ baseOffset, endOffset }) => [baseOffset, endOffset]),
    [
      [0, 2],
      [2, 4],
    ],
  )
})

test('a batch larger than segment.bytes gets a segment of its own', async () => {
  const { store, log } = await setting({ segmentBytes: 500 })
  await appendAll(log, [10, 1000, 10, 10])
  deepEqual(
    (await segmentsOf(store)).map(({ baseOffset, endOffset }) => [baseOffset, endOffset]),
    [
      [0, 1],
      [1, 2],
    ],
  )
})

test('a segment ends after segment.ms by the timestamps of the records', async () => {
  const { store, log } = await setting({ segmentMs: 5000 })
  for (const timestamp of [1000, 3000, 6000, 6001, 6500]) {
    await append(log, at(timestamp))
  }
  await settled()
  deepEqual(
    (await segmentsOf(store)).map(({ endOffset }) => endOffset),
    [3],
  )
})

test('without timestamps the clock of the broker ends a segment', async () => {
  const { store, clock, log } = await setting({ segmentMs: 5000 })
  for (const waitMs of [0, 4000, 1000, 1]) {
    clock.advance(waitMs)
    await append(log, at(-1))
  }
  await settled()
  deepEqual(
    (await segmentsOf(store)).map(({ endOffset }) => endOffset),
    [3],
  )
})

test('after a crash a segment goes on, and ends by the timestamps of its records as if nothing had happened', async () => {
  const { store, files, clock, log } = await setting({ segmentMs: 5000 })
  clock.advance(1_000_000)
  await append(log, at(1000))
  await append(log, at(3000))
  const again = (await openDirectory({ store, files, clock })).log(TOPIC, 0)!
  again.configure({ ...CONFIG, segmentMs: 5000 })
  await append(again, at(6000))
  await append(again, at(6001))
  await settled()
  deepEqual(
    (await segmentsOf(store)).map(({ endOffset }) => endOffset),
    [3],
  )
})

test('after a crash a segment without timestamps ends by the clock of the broker since it started', async () => {
  const { store, files, clock, log } = await setting({ segmentMs: 5000 })
  clock.advance(1_000_000)
  await append(log, at(-1))
  const again = (await openDirectory({ store, files, clock })).log(TOPIC, 0)!
  again.configure({ ...CONFIG, segmentMs: 5000 })
  clock.advance(5000)
  await append(again, at(-1))
  clock.advance(1)
  await append(again, at(-1))
  await settled()
  deepEqual(
    (await segmentsOf(store)).map(({ endOffset }) => endOffset),
    [2],
  )
})

test('staging files go when everything in them was moved', async () => {
  const { files, log, logs } = await setting({}, { ownFileBytes: 1e9, stagingBytes: 6000 })
  const batches = await appendAll(
    log,
    Array.from({ length: 60 }, () => 700),
  )
  ok((await files.list('/data/staging')).length <= 4)
  deepEqual(await readAll(log), batches)
  await logs.close()
})

test('a partition with little in an old staging file gets it inline, so that the file can go', async () => {
  const { files, log, logs } = await setting({}, { ownFileBytes: 1e9, stagingBytes: 6000 })
  const quiet = logs.create(TOPIC, 1, 'orders', CONFIG)
  const few = await appendAll(quiet, [400, 400])
  const batches = await appendAll(
    log,
    Array.from({ length: 60 }, () => 700),
  )
  ok((await files.list('/data/staging')).length <= 4)
  deepEqual(await readAll(quiet), few)
  deepEqual(await readAll(log), batches)
  await logs.close()
})

test('appends go on while a segment is sealed, and end up behind it', async () => {
  const { store, log } = await setting({ segmentBytes: 2000 })
  const batches = Array.from({ length: 40 }, (_, seed) => batchOf((seed * 131) % 900, seed))
  const waits = batches.map(batch => append(log, batch))
  await Promise.all(waits)
  await settled()
  deepEqual(
    offsetsOf(await readAll(log)),
    batches.map((_, offset) => offset),
  )
  const segments = await segmentsOf(store)
  for (const [at, segment] of segments.entries()) equal(segment.baseOffset, at === 0 ? 0 : segments[at - 1]!.endOffset)
})

test('a reader sees every batch once, whatever is moved meanwhile', async () => {
  const { log } = await setting({ segmentBytes: 2500 }, { cacheBytes: 1 })
  const batches: Buffer[] = []
  for (let round = 0; round < 30; round++) {
    const waits = Array.from({ length: 5 }, (_, at) => {
      const batch = batchOf((at * 211 + round * 17) % 800, round * 5 + at)
      batches.push(batch)
      return append(log, batch)
    })
    const [found] = await Promise.all([readAll(log, 700, log.flushedOffset), ...waits])
    deepEqual(
      offsetsOf(found),
      found.map((_, offset) => offset),
    )
  }
  deepEqual(await readAll(log), batches)
})

test('what was written without a sync is synced before its segment is sealed', async () => {
  const { store, files, log } = await setting({ segmentBytes: 4000, flushMessages: -1 })
  await appendAll(log, [1800, 1800, 1800, 1800])
  const segments = await segmentsOf(store)
  equal(segments.length, 1)
  const durable = [...files.durableFiles()].find(([path]) => path.includes(`.${segments[0]!.fileId}.`))
  equal(durable?.[1].length, segments[0]!.sizeBytes)
})

test('a staging file that nobody needs any more goes soon, without any pressure', async () => {
  const { files, clock, log } = await setting({}, { ownFileBytes: 1e9 })
  await appendAll(
    log,
    Array.from({ length: 30 }, () => 700),
  )
  await log.flush()
  clock.advance(500)
  await settled()
  // The one that is written, the next one, and what the newest batches are in.
  ok((await files.list('/data/staging')).length <= 3)
})
