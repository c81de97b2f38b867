// What a log may forget: records older than retention.ms, beyond retention.bytes, or below an offset that DeleteRecords named. As Kafka's
// UnifiedLog.deleteOldSegments: whole segments from the oldest on, never at or above the high watermark, the active one too when
// all of it may go. The decision is pure; the change is one commit that moves logStartOffset, and the files go some time later.
import { MAX_OFFSET } from './keys.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { encodeLogState } from './log-state.ts'
import { segmentPath, type Segment } from './segment.ts'
import type { StoreBatch } from './store.ts'

/** What the decision looks at: the sealed segments, oldest first, and behind them what is not sealed. */
export type Extents = readonly Pick<Segment, 'endOffset' | 'sizeBytes' | 'maxTimestamp' | 'createdMs'>[]

export type RetentionRules = {
  readonly retentionMs: number
  readonly retentionBytes: number
  readonly deletesByAge: boolean
}

/**
 * The offset below which everything may go; logStartOffset when nothing may. `segments` ends with the active one. Nothing at or above
 * `deletableOffset` goes.
 */
export function retainedFrom(
  segments: Extents,
  rules: RetentionRules,
  logStartOffset: number,
  deletableOffset: number,
  nowMs: number,
): number {
  let excessBytes = -1
  if (rules.deletesByAge && rules.retentionBytes >= 0) {
    excessBytes = -rules.retentionBytes
    for (const segment of segments) excessBytes += segment.sizeBytes
  }
  let from = logStartOffset
  for (const segment of segments) {
    if (segment.endOffset > deletableOffset || segment.sizeBytes === 0) break
    // Without timestamps the time of its making counts.
    const newestMs = segment.maxTimestamp >= 0 ? segment.maxTimestamp : segment.createdMs
    const isExpired = rules.deletesByAge && rules.retentionMs >= 0 && nowMs - newestMs > rules.retentionMs
    const isExcess = excessBytes >= segment.sizeBytes
    const isBelowStart = segment.endOffset <= logStartOffset
    if (!isExpired && !isExcess && !isBelowStart) break
    excessBytes -= segment.sizeBytes
    from = Math.max(from, segment.endOffset)
  }
  return from
}

/** Forgets what the log's configuration lets go. Needs the log to itself. Resolves with the bytes that went. Rejects with StorageError. */
export async function applyRetention(core: LogCore, parts: LogParts): Promise<number> {
  const { config } = core
  const active = {
    endOffset: core.endOffset,
    sizeBytes: core.hotBytes,
    maxTimestamp: core.maxTimestamp,
    createdMs: core.lastAppendMs,
  }
  // Kafka deletes by age and size only where the policy says delete; below the log start always.
  const rules = {
    retentionMs: config.retentionMs,
    retentionBytes: config.retentionBytes,
    deletesByAge: config.cleanupPolicy.has('delete'),
  }
  const deletable = Math.min(core.deletableOffset, core.flushedOffset)
  const from = retainedFrom([...core.segments, active], rules, core.logStartOffset, deletable, parts.clock.now())
  const goes = core.segments.some(segment => segment.endOffset <= from) || from > core.logStartOffset
  if (!goes) return 0
  const before = core.sizeBytes
  await forgetBelow(core, parts, from)
  return before - core.sizeBytes
}

/** Moves the log start up to `offset`. Needs the log to itself. Resolves with the log start when it is on the disk. */
export async function deleteRecords(core: LogCore, parts: LogParts, offset: number): Promise<number> {
  const target = Math.min(offset, core.endOffset)
  if (target <= core.logStartOffset) return core.logStartOffset
  // Otherwise a power loss could leave a log that starts behind its end.
  if (target > core.syncedOffset) await parts.writer.flush(core)
  await forgetBelow(core, parts, target)
  return core.logStartOffset
}

async function forgetBelow(core: LogCore, parts: LogParts, offset: number): Promise<void> {
  const gone = core.segments.filter(segment => segment.endOffset <= offset)
  const epochs = new LeaderEpochs(core.epochs.entries())
  epochs.truncateFromStart(offset)
  let isEmptied = false
  let goneFile: string | null = null
  await parts.writer.change({
    isSynced: true,
    fill(batch) {
      if (core.isRemoved) return false
      core.reshaping++
      for (const segment of gone) removeSegment(core, batch, segment)
      // A transaction is gone with its marker, which is its last record.
      const aborted = core.keys.abortedBetween(0, offset)
      batch.deleteRange(aborted.gte, aborted.lt)
      isEmptied = offset === core.endOffset && core.hotBytes > 0
      if (isEmptied) {
        const { gte, lt } = core.keys.extents(core.activeBase, MAX_OFFSET)
        batch.deleteRange(gte, lt)
        // The batches that tell about the producers go; what they told stays.
        batch.put(core.keys.producersAt(offset), core.producers.encode())
        goneFile = core.active?.path ?? null
        beginEmpty(core)
      }
      core.isStoredClean = false
      const activeBase = isEmptied ? offset : core.activeBase
      const activeFileId = isEmptied ? 0 : (core.active?.fileId ?? 0)
      const state = { ...core.state(false), logStartOffset: offset, activeBase, activeFileId, epochs: epochs.entries() }
      batch.put(core.keys.state(), encodeLogState(state))
      return true
    },
    done() {
      core.logStartOffset = offset
      core.segments = core.segments.filter(segment => !gone.includes(segment))
      for (const segment of gone) core.sealedBytes -= segment.sizeBytes
      core.epochs.truncateFromStart(offset)
      core.aborted.forgetBelow(offset)
      core.producers.settleBelow(offset)
      if (isEmptied) showEmpty(core, offset)
      core.reshaping--
      core.shapeVersion++
      core.notifyIfMoved()
    },
  })
  for (const segment of gone) {
    parts.indexes.forget(segment.fileId)
    parts.removeLater(segmentPath(parts.folders.segments, core, segment), core.config.fileDeleteDelayMs)
  }
  if (goneFile !== null) parts.removeLater(goneFile, core.config.fileDeleteDelayMs)
}

function removeSegment(core: LogCore, batch: StoreBatch, { baseOffset, endOffset }: Segment): void {
  batch.delete(core.keys.segment(baseOffset))
  batch.delete(core.keys.segmentIndex(baseOffset))
  // The producers at the segment's end are the beginning of the next one's.
  const { gte, lt } = core.keys.producersBetween(baseOffset, endOffset)
  batch.deleteRange(gte, lt)
}

// At once, because appends count from here on.
function beginEmpty(core: LogCore): void {
  core.hotBytes = 0
  core.rolls = []
  core.segmentBytes = 0
  core.maxTimestamp = -1
  core.segmentMaxTimestamp = -1
}

// When it is committed, because readers look for extents until then.
function showEmpty(core: LogCore, offset: number): void {
  core.activeBase = offset
  core.active = null
  core.tailBytes = 0
  core.staged = []
}
