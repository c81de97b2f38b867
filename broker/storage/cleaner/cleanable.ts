// Which part of a log may be cleaned, whether that is worth it, and which segments become one. Pure; semantics of Kafka's
// LogCleanerManager.cleanableOffsets, LogToClean and Cleaner.groupSegmentsBySize.
//
//   log start        firstDirtyOffset        firstUncleanableOffset     activeBase
//       |                   |                          |                    |
//   ----+-- cleaned before -+-- dirty: keys are read --+-- too young, or ---+-- never cleaned --
//                                                          not stable yet
import type { LogConfig } from '../../config/topic-config.ts'
import type { Segment } from '../segment.ts'

/** What the decision looks at. */
export type LogView = {
  readonly segments: readonly Segment[]
  readonly activeBase: number
  readonly logStartOffset: number
  readonly endOffset: number
  /** Exclusive: up to here earlier cleanings got. */
  readonly cleanedOffset: number
  /** Exclusive: nothing below it can change any more (high watermark, last stable offset). */
  readonly stableOffset: number
}

export type CompactionRules = Pick<
  LogConfig,
  'maxCompactionLagMs' | 'minCleanableDirtyRatio' | 'minCompactionLagMs' | 'segmentBytes'
>

export type CleanablePart = {
  readonly firstDirtyOffset: number
  /** Exclusive end of what may be cleaned. */
  readonly firstUncleanableOffset: number
  readonly cleanBytes: number
  readonly cleanableBytes: number
}

/** What of the log may be cleaned at `nowMs`. */
export function cleanablePart(log: LogView, rules: CompactionRules, nowMs: number): CleanablePart {
  const { segments, cleanedOffset, logStartOffset } = log
  // A cleaned end above the log's own cannot be true: everything is looked at again, as Kafka does.
  const firstDirtyOffset = cleanedOffset > log.endOffset ? logStartOffset : Math.max(cleanedOffset, logStartOffset)
  let end = Math.min(log.stableOffset, log.activeBase)
  if (rules.minCompactionLagMs > 0) {
    const young = segments.find(
      segment => segment.endOffset > firstDirtyOffset && segment.maxTimestamp > nowMs - rules.minCompactionLagMs,
    )
    if (young !== undefined) end = Math.min(end, young.baseOffset)
  }
  const firstUncleanableOffset = Math.max(firstDirtyOffset, end)
  let cleanBytes = 0
  let cleanableBytes = 0
  for (const { baseOffset, endOffset, sizeBytes } of segments) {
    if (baseOffset < firstDirtyOffset) cleanBytes += sizeBytes
    if (endOffset > firstDirtyOffset && endOffset <= firstUncleanableOffset) cleanableBytes += sizeBytes
  }
  return { firstDirtyOffset, firstUncleanableOffset, cleanBytes, cleanableBytes }
}

/** The share of what was cleaned or may be that is dirty. */
export function dirtyRatio({ cleanBytes, cleanableBytes }: CleanablePart): number {
  return cleanableBytes === 0 ? 0 : cleanableBytes / (cleanBytes + cleanableBytes)
}

/** How long the oldest dirty record is overdue by max.compaction.lag.ms; 0 when it is not. `firstTimestamp` is Infinity when there is none. */
export function compactionDelayMs(firstTimestamp: number, rules: CompactionRules, nowMs: number): number {
  return Math.max(0, nowMs - rules.maxCompactionLagMs - firstTimestamp)
}

/** Whether the log is to be cleaned: it is dirty enough, or something in it is overdue. */
export function isWorthCleaning(part: CleanablePart, delayMs: number, rules: CompactionRules): boolean {
  if (part.cleanableBytes === 0) return false
  return delayMs > 0 || dirtyRatio(part) > rules.minCleanableDirtyRatio
}

/** An offset in an index is relative to its segment and has 31 bits. */
const MAX_OFFSET_RANGE = 2 ** 31 - 1

/** The segments that begin before `endOffset`, those together that fit into one by size and range of offsets as they are. */
export function groupSegments(segments: readonly Segment[], endOffset: number, maxBytes: number): Segment[][] {
  const groups: Segment[][] = []
  let sizeBytes = 0
  for (const segment of segments) {
    if (segment.baseOffset >= endOffset) break
    const group = groups.at(-1)
    const fits =
      group !== undefined &&
      sizeBytes + segment.sizeBytes <= maxBytes &&
      segment.endOffset - 1 - group[0]!.baseOffset <= MAX_OFFSET_RANGE
    if (fits) {
      group.push(segment)
      sizeBytes += segment.sizeBytes
    } else {
      groups.push([segment])
      sizeBytes = segment.sizeBytes
    }
  }
  return groups
}
