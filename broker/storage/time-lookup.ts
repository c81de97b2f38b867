// Records by time: the first one at or above a timestamp, the one with the highest. Sealed segments and extents know their largest
// timestamp, so one stretch of the log is read and the batch that decides is decompressed. As Kafka's UnifiedLog.fetchOffsetByTimestamp.
import { baseOffset, HEADER_SIZE, lastOffset, leaderEpoch, maxTimestamp, sizeOf } from '../records/batch.ts'
import { readRecords } from '../records/record.ts'
import { decodeExtent } from './extent.ts'
import type { LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { changedTooOften, readCold } from './log-reader.ts'
import type { OffsetAndTimestamp } from './partition-log.ts'
import { segmentIndexAt, type Segment } from './segment.ts'

const READ_BYTES = 1024 * 1024
const EXTENTS_PER_SCAN = 256
const MAX_ATTEMPTS = 5

/** The first record at or above logStartOffset with a timestamp of at least `timestamp`, null when there is none. Rejects with StorageError. */
export async function findByTimestamp(
  core: LogCore,
  parts: LogParts,
  timestamp: number,
): Promise<OffsetAndTimestamp | null> {
  // Below it there is no such record. What is behind it may be sealed while this looks at it, and segments may become one.
  let from = core.logStartOffset
  let attempts = 0
  for (;;) {
    const segment = core.segments[segmentIndexAt(core.segments, Math.max(from, core.logStartOffset))]
    if (segment !== undefined) {
      const offset =
        segment.maxTimestamp < timestamp ? segment.endOffset : await firstStretch(core, parts, segment, timestamp)
      if (offset !== null) {
        const found = await findFrom(core, parts, offset, segment.endOffset, timestamp)
        if (found !== null) return found
        from = segment.endOffset
        continue
      }
    } else {
      if (core.maxTimestamp < timestamp) return null
      const version = core.shapeVersion
      const offset = await firstExtent(core, parts, timestamp)
      if (version === core.shapeVersion && core.reshaping === 0) {
        return offset === null ? null : findFrom(core, parts, offset, core.endOffset, timestamp)
      }
    }
    if (++attempts === MAX_ATTEMPTS) throw changedTooOften(core, attempts)
    await parts.writer.groupEnd()
  }
}

/** The first record with the highest timestamp, null for an empty log. Rejects with StorageError. */
export async function findMaxTimestamp(core: LogCore, parts: LogParts): Promise<OffsetAndTimestamp | null> {
  for (let attempt = 1; ; attempt++) {
    if (core.reshaping > 0) await parts.writer.groupEnd()
    const version = core.shapeVersion
    const found = await latest(core, parts)
    // A look that found nothing counts only if the records did not move meanwhile.
    const isUnchanged = version === core.shapeVersion && core.reshaping === 0
    if (found !== null || isUnchanged || attempt === MAX_ATTEMPTS) return found
  }
}

async function latest(core: LogCore, parts: LogParts): Promise<OffsetAndTimestamp | null> {
  let best: { timestamp: number; offset: number } | null = null
  for (const segment of core.segments) {
    if (segment.endOffset <= core.logStartOffset) continue
    if (best === null || segment.maxTimestamp > best.timestamp) {
      best = { timestamp: segment.maxTimestamp, offset: segment.maxTimestampOffset }
    }
  }
  if (core.hotBytes > 0 && (best === null || core.maxTimestamp > best.timestamp)) {
    best = { timestamp: core.maxTimestamp, offset: core.maxTimestampOffset }
  }
  if (best === null || core.endOffset === core.logStartOffset) return null
  // Records below the log start are still in their batch or segment, and a batch that compaction has emptied still has its time; then
  // only a look at all the others tells.
  const found =
    best.offset < core.logStartOffset ? null : await findFrom(core, parts, best.offset, core.endOffset, best.timestamp)
  return found ?? maxFrom(core, parts, core.logStartOffset)
}

// Null when the segment is gone: with its records, or because they are in another one. Else where the stretch of a segment begins that has the first record at or above the timestamp.
async function firstStretch(
  core: LogCore,
  parts: LogParts,
  segment: Segment,
  timestamp: number,
): Promise<number | null> {
  const index = await parts.indexes.get(core.keys, segment)
  if (index === null) return null
  for (let at = 0; at < index.length; at++) {
    if (index.maxTimestamp(at) >= timestamp) return Math.max(index.stretch(at).offset, core.logStartOffset)
  }
  return segment.endOffset
}

async function firstExtent(core: LogCore, parts: LogParts, timestamp: number): Promise<number | null> {
  let from = core.activeBase
  for (;;) {
    const entries = await parts.store.scan({
      ...core.keys.extents(from, core.committedOffset),
      limit: EXTENTS_PER_SCAN,
    })
    for (const entry of entries) {
      const extent = decodeExtent(entry)
      if (extent.maxTimestamp >= timestamp) return Math.max(extent.baseOffset, core.logStartOffset)
      from = extent.lastOffset + 1
    }
    // What is in flight is in the tail cache only; findFrom reads it there.
    if (entries.length < EXTENTS_PER_SCAN) return from < core.endOffset ? Math.max(from, core.logStartOffset) : null
  }
}

// Walks the batches in [offset, endOffset) to the first record with a timestamp of at least `timestamp`.
async function findFrom(
  core: LogCore,
  parts: LogParts,
  offset: number,
  endOffset: number,
  timestamp: number,
): Promise<OffsetAndTimestamp | null> {
  let from = offset
  while (from < endOffset) {
    const batches = await readAny(core, parts, from, endOffset)
    if (batches.length === 0) return null
    for (const bytes of batches) {
      for (let at = 0; at + HEADER_SIZE <= bytes.length; at += sizeOf(bytes, at)) {
        const found = maxTimestamp(bytes, at) < timestamp ? null : findInBatch(bytes, at, offset, timestamp)
        if (found !== null) return found
        from = lastOffset(bytes, at) + 1
      }
    }
  }
  return null
}

function findInBatch(bytes: Buffer, at: number, offset: number, timestamp: number): OffsetAndTimestamp | null {
  for (const record of readRecords(bytes.subarray(at, at + sizeOf(bytes, at)))) {
    if (record.offset < offset || record.timestamp < timestamp) continue
    return { offset: record.offset, timestamp: record.timestamp, leaderEpoch: leaderEpoch(bytes, at) }
  }
  return null
}

// The highest timestamp from `offset` on, by looking at every batch.
async function maxFrom(core: LogCore, parts: LogParts, offset: number): Promise<OffsetAndTimestamp | null> {
  let best: { timestamp: number; offset: number } | null = null
  for (let from = offset; from < core.endOffset;) {
    const batches = await readAny(core, parts, from, core.endOffset)
    if (batches.length === 0) break
    for (const bytes of batches) {
      for (let at = 0; at + HEADER_SIZE <= bytes.length; at += sizeOf(bytes, at)) {
        from = lastOffset(bytes, at) + 1
        if (best !== null && maxTimestamp(bytes, at) <= best.timestamp) continue
        const records = readRecords(bytes.subarray(at, at + sizeOf(bytes, at)))
        for (const record of records) {
          if (record.offset < offset || (best !== null && record.timestamp <= best.timestamp)) continue
          best = { timestamp: record.timestamp, offset: Math.max(baseOffset(bytes, at), offset) }
        }
      }
    }
  }
  return best === null ? null : findFrom(core, parts, best.offset, core.endOffset, best.timestamp)
}

async function readAny(core: LogCore, parts: LogParts, offset: number, endOffset: number): Promise<readonly Buffer[]> {
  const bounds = { endOffset, maxBytes: READ_BYTES, minOneBatch: true }
  const cached = core.tail.read(offset, endOffset, READ_BYTES, true)
  return cached ?? readCold(core, parts, offset, bounds)
}
