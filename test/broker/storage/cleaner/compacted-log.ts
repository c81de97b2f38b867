// A compacted log on twins of a disk and a store, filled with records of few keys: for the tests of the cleaner.
import type { LogConfig } from '../../../../broker/config/topic-config.ts'
import { ALL_SEGMENTS } from '../../../../broker/storage/keys.ts'
import type { LogDirectory, LogLimits } from '../../../../broker/storage/log-directory.ts'
import { openMemoryStore } from '../../../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../../../broker/storage/partition-log.ts'
import { decodeSegment, type Segment } from '../../../../broker/storage/segment.ts'
import type { Store } from '../../../../broker/storage/store.ts'
import { manualClock, type ManualClock } from '../../../manual-clock.ts'
import { CrashingFiles } from '../crashing-files.ts'
import { append, batchOf, CONFIG, openDirectory, readAll, settled, TOPIC } from '../log-fixture.ts'
import { contentsOf, recordOf } from './history.ts'

export const COMPACTED: LogConfig = {
  ...CONFIG,
  cleanupPolicy: new Set(['compact'] as const),
  segmentBytes: 1000,
  deleteRetentionMs: 1000,
  minCleanableDirtyRatio: 0,
}

export type Setting = {
  readonly store: Store
  readonly files: CrashingFiles
  readonly clock: ManualClock
  logs: LogDirectory
  log: PartitionLog
}

export async function setting(config: Partial<LogConfig> = {}, limits: Partial<LogLimits> = {}): Promise<Setting> {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const clock = manualClock()
  const logs = await openDirectory({ store, files, clock, limits })
  return { store, files, clock, logs, log: logs.create(TOPIC, 0, 'orders', { ...COMPACTED, ...config }) }
}

/** A batch of records "key=value", each made 150 bytes longer. */
export async function put(log: PartitionLog, texts: readonly string[], timestamp = 1000): Promise<void> {
  const records = texts.map(text => ({
    ...recordOf(text, timestamp),
    headers: [{ key: 'h', value: Buffer.alloc(150) }],
  }))
  await append(log, batchOf(0, 0, { records }))
}

export async function segmentsOf(store: Store): Promise<Segment[]> {
  return (await store.scan({ ...ALL_SEGMENTS, limit: 1000 })).map(decodeSegment)
}

export async function contents(log: PartitionLog): Promise<string[]> {
  return contentsOf(await readAll(log))
}

/** Keys a to c over and over; ten segments or so. */
export async function fill(log: PartitionLog, count = 40): Promise<void> {
  for (let value = 0; value < count; value++) await put(log, [`${'abc'[value % 3]}=${value}`], 1000 + value)
  await settled()
}
