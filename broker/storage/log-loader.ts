// Brings the logs of a data directory from the store into memory: three scans for all of them, recovery for those that need it, and
// the files that nothing refers to any more are removed. Bounded: a few logs are recovered at a time.
import { join } from 'node:path'
import type { LogConfig } from '../config/topic-config.ts'
import { ALL_PRODUCERS, ALL_SEGMENTS, ALL_STATES, logNameOf, partitionOf, topicIdOf, type KeyRange } from './keys.ts'
import type { KnownExtents } from './hot-part.ts'
import type { LogCore } from './log-core.ts'
import { decodeLogState, type Progress } from './log-state.ts'
import type { LogParts } from './log-parts.ts'
import { eachOfRun, recoveryRuns } from './recovery-runs.ts'
import { checkClean, putClean, recover, restore, type Recovery, type StoredLog } from './recovery.ts'
import { decodeSegment, fileIdOf, type LogFolders, type Segment } from './segment.ts'
import type { Files } from './files.ts'
import type { Entry, Store } from './store.ts'

/**
 * The configuration of a log until its topic's is known (`PartitionLog.configure`): deletes nothing, flushes everything. Sizes in
 * bytes, times in ms, -1: no limit.
 */
export const UNCONFIGURED: LogConfig = {
  cleanupPolicy: new Set(),
  deleteRetentionMs: 86_400_000,
  fileDeleteDelayMs: 60_000,
  flushMessages: 1,
  flushMs: -1,
  indexIntervalBytes: 4096,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  maxMessageBytes: 1024 * 1024,
  minCleanableDirtyRatio: 0.5,
  minCompactionLagMs: 0,
  retentionBytes: -1,
  retentionMs: -1,
  segmentBytes: 1024 * 1024 * 1024,
  segmentJitterMs: 0,
  segmentMs: -1,
}

const ENTRIES_PER_SCAN = 1024
const CHECKED_AT_ONCE = 16
// More is no faster, and takes more memory.
const RUNS_AT_ONCE = 4
const CLEAN_PER_COMMIT = 1000

export type Loaded = { readonly cores: LogCore[]; readonly recovered: number }

/** Everything that is in the store and on the disk about logs, ready to be appended to. Rejects with StorageError. */
export async function loadLogs(parts: LogParts, progress: Progress, isCleanStart: boolean): Promise<Loaded> {
  const stored = await readAll(parts.store)
  const cores: LogCore[] = []
  const recovered = new Map<LogCore, Recovery>()
  const unsyncedStaging = new Set<number>()
  const loadClean = async (one: StoredLog): Promise<void> => {
    const core = restore(one, UNCONFIGURED, parts)
    if (!isCleanStart) await checkClean(core, parts)
    cores.push(core)
  }
  const recoverOne = async (one: StoredLog, known: KnownExtents): Promise<void> => {
    const recovery = await recover(one, UNCONFIGURED, parts, progress, known)
    for (const fileId of recovery.unsyncedStaging) unsyncedStaging.add(fileId)
    cores.push(recovery.core)
    recovered.set(recovery.core, recovery)
    report(parts, recovery)
  }
  await eachAtOnce(
    stored.filter(({ state }) => state.isClean),
    CHECKED_AT_ONCE,
    loadClean,
  )
  await eachAtOnce(recoveryRuns(stored, RUNS_AT_ONCE), RUNS_AT_ONCE, run => eachOfRun(parts.store, run, recoverOne))
  await makeDurable(parts, cores, recovered, unsyncedStaging)
  await removeOrphans(parts, cores)
  return { cores, recovered: recovered.size }
}

function report({ log }: LogParts, { core, cutOffsets }: Recovery): void {
  if (core.error !== null) log.error({ partition: core.name, error: core.error.message }, 'the log is offline')
  else if (cutOffsets > 0) {
    log.warn(
      { partition: core.name, cutOffsets, endOffset: core.endOffset },
      'records that nobody was told are stored did not reach the disk',
    )
  }
}

async function eachAtOnce<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}

async function readAll(store: Store): Promise<StoredLog[]> {
  const logs = new Map<string, StoredLog>()
  const producers = new Map<string, Buffer>()
  await eachEntry(store, ALL_PRODUCERS, ({ key, value }) => producers.set(logNameOf(key), value))
  await eachEntry(store, ALL_STATES, ({ key, value }) => {
    const name = logNameOf(key)
    logs.set(name, {
      topicId: topicIdOf(key),
      partition: partitionOf(key),
      state: decodeLogState(value),
      segments: [],
      producers: producers.get(name) ?? null,
    })
  })
  await eachEntry(store, ALL_SEGMENTS, entry => {
    logs.get(logNameOf(entry.key))?.segments.push(decodeSegment(entry))
  })
  return [...logs.values()]
}

async function eachEntry(store: Store, range: KeyRange, visit: (entry: Entry) => void): Promise<void> {
  let { gte } = range
  for (;;) {
    const entries = await store.scan({ gte, lt: range.lt, limit: ENTRIES_PER_SCAN })
    for (const entry of entries) visit(entry)
    if (entries.length < ENTRIES_PER_SCAN) return
    // The next key after the last one: the same with a zero byte behind it.
    gte = Buffer.concat([entries.at(-1)!.key, Buffer.from([0])])
  }
}

// What was found is on the disk before anything is appended or anybody is told.
async function makeDurable(
  parts: LogParts,
  cores: readonly LogCore[],
  recovered: ReadonlyMap<LogCore, Recovery>,
  unsyncedStaging: ReadonlySet<number>,
): Promise<void> {
  for (const fileId of unsyncedStaging) {
    await parts.pool.use(parts.staging.pathOf(fileId), 'write', file => file.datasync())
  }
  // A process that was killed may have made files whose names nobody synced.
  for (const folder of [parts.folders.segments, parts.folders.staging]) await parts.files.syncFolder(folder)
  const dirty = cores.filter(core => !core.isStoredClean && core.error === null)
  for (let start = 0; start < dirty.length; start += CLEAN_PER_COMMIT) {
    const batch = parts.store.batch()
    for (const core of dirty.slice(start, start + CLEAN_PER_COMMIT)) {
      recovered.get(core)?.write(batch)
      core.needsState = false
      putClean(core, batch)
    }
    await parts.store.commit(batch, { sync: false })
  }
  await parts.store.sync()
}

/** The largest file id in use, 0 when there is none. Rejects with StorageError. */
export async function largestFileId(files: Files, folders: LogFolders): Promise<number> {
  let largest = 0
  for (const folder of [folders.segments, folders.staging]) {
    for (const name of await files.list(folder)) largest = Math.max(largest, fileIdOf(name))
  }
  return largest
}

// Files that a crash left without anybody who knows them: half made ones, and those that were about to be removed.
async function removeOrphans(parts: LogParts, cores: readonly LogCore[]): Promise<void> {
  const { files, folders, staging } = parts
  // An offline log keeps all it has: somebody may want to look at it.
  if (cores.some(core => core.error !== null)) return keepAllStaging(parts)
  const used = new Set<number>()
  let oldestStaging = Infinity
  const note = (segment: Segment): Set<number> => used.add(segment.fileId)
  for (const core of cores) {
    core.segments.forEach(note)
    if (core.active !== null) used.add(core.active.fileId)
    for (const { fileId } of core.staged) oldestStaging = Math.min(oldestStaging, fileId)
  }
  for (const name of await files.list(folders.segments)) {
    const fileId = fileIdOf(name)
    if (fileId !== 0 && !used.has(fileId)) await files.unlink(join(folders.segments, name))
  }
  await keepAllStaging(parts)
  await staging.removeBefore(oldestStaging)
}

async function keepAllStaging({ files, folders, staging }: LogParts): Promise<void> {
  const found: { fileId: number; sizeBytes: number }[] = []
  for (const name of await files.list(folders.staging)) {
    const stat = await files.stat(join(folders.staging, name))
    if (stat !== null && fileIdOf(name) !== 0) found.push({ fileId: fileIdOf(name), sizeBytes: stat.sizeBytes })
  }
  found.sort((a, b) => a.fileId - b.fileId)
  for (const { fileId, sizeBytes } of found) staging.keep(fileId, sizeBytes)
}
