// Joins batches into extents: consecutive ones of one leader epoch and one segment, up to MAX_EXTENT_BYTES.
import { baseOffset, HEADER_SIZE, lastOffset, leaderEpoch, maxTimestamp, sizeOf } from '../records/batch.ts'
import { MAX_EXTENT_BYTES, type Extent } from './extent.ts'
import type { LogCore } from './log-core.ts'
import type { TailBatch } from './tail-cache.ts'

/** What the extents of one write have in common. */
export type Origin = Pick<Extent, 'place' | 'isSyncedWithGroup' | 'group' | 'fileId'>

/** Where the extent that starts with the batch at `start` ends, exclusive. */
export function extentEnd(core: LogCore, batches: readonly TailBatch[], start: number): number {
  const epoch = batches[start]!.leaderEpoch
  let sizeBytes = batches[start]!.bytes.length
  let end = start + 1
  while (end < batches.length && sizeBytes < MAX_EXTENT_BYTES) {
    const batch = batches[end]!
    if (batch.leaderEpoch !== epoch || isRoll(core, batch.baseOffset)) break
    sizeBytes += batch.bytes.length
    end++
  }
  return end
}

function isRoll(core: LogCore, offset: number): boolean {
  for (const roll of core.rolls) if (roll.offset === offset) return true
  return false
}

/** The extent of the batches in [start, end), whose bytes begin at `position`. */
export function makeExtent(
  batches: readonly TailBatch[],
  start: number,
  end: number,
  origin: Origin,
  position: number,
): Extent {
  const first = batches[start]!
  let sizeBytes = 0
  let latest = -1
  for (let at = start; at < end; at++) {
    const batch = batches[at]!
    sizeBytes += batch.bytes.length
    if (batch.maxTimestamp > latest) latest = batch.maxTimestamp
  }
  return {
    baseOffset: first.baseOffset,
    lastOffset: batches[end - 1]!.lastOffset,
    place: origin.place,
    isSyncedWithGroup: origin.isSyncedWithGroup,
    group: origin.group,
    leaderEpoch: first.leaderEpoch,
    maxTimestamp: latest,
    fileId: origin.fileId,
    position,
    sizeBytes,
    bytes: null,
  }
}

/** The batches that lie one behind the other in `bytes`. */
export function batchesIn(bytes: Buffer, into: TailBatch[]): void {
  for (let at = 0; at + HEADER_SIZE <= bytes.length;) {
    const size = sizeOf(bytes, at)
    into.push({
      bytes: bytes.subarray(at, at + size),
      baseOffset: baseOffset(bytes, at),
      lastOffset: lastOffset(bytes, at),
      maxTimestamp: maxTimestamp(bytes, at),
      leaderEpoch: leaderEpoch(bytes, at),
    })
    at += size
  }
}
