// Cutting the end off a log: a follower whose log diverges from its leader's, or lies wholly below the leader's log start.
//
// Nothing that was cut is ever written over. A cut through the active file or a sealed one makes the part before the cut a sealed
// segment, in the same commit; what comes next begins a new file. So if a power loss undoes the cut, all bytes are where they were.
// Only when the cut is on the disk the files give their ends back to the file system.
import { assert } from '../base/assert.ts'
import { HEADER_SIZE, lastOffset, maxTimestamp, recordCount, sizeOf } from '../records/batch.ts'
import { encodeFileExtent, encodeInlineExtent, INLINE, type Extent } from './extent.ts'
import { eachExtent, HotPart } from './hot-part.ts'
import { MAX_OFFSET } from './keys.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { extentBytes } from './log-reader.ts'
import { encodeLogState } from './log-state.ts'
import { NO_PRODUCERS } from './producer-state.ts'
import { producersAsOf } from './producer-replay.ts'
import { describe } from './sealing.ts'
import { encodeSegment, segmentIndexAt, segmentPath, type Segment } from './segment.ts'
import { SparseIndexBuilder } from './sparse-index.ts'

/** What is left of the log. */
type Cut = {
  readonly endOffset: number
  readonly segments: readonly Segment[]
  /** The last of `segments` was shortened, or made from the active file: its new index. */
  readonly newIndex: Buffer | null
  readonly activeBase: number
  /** The active file stays. */
  readonly keepsActive: boolean
  /** Extents from this offset on go. */
  readonly extentsFrom: number
  /** The beginning of an extent that was cut through. */
  readonly remainder: { readonly extent: Extent; readonly bytes: Buffer } | null
}

/** Cuts the log to end at or before `endOffset`, where a batch ends. Needs the log to itself. Resolves when it is on the disk. */
export async function truncate(core: LogCore, parts: LogParts, endOffset: number): Promise<void> {
  if (endOffset >= core.endOffset) return
  if (endOffset < core.logStartOffset) return restartAt(core, parts, endOffset)
  core.isTruncating = true
  try {
    // All of it is committed, and none of it waits for a flush that would then speak of another log.
    await parts.writer.flush(core)
    const cut = await planCut(core, parts, endOffset)
    // The batch that goes whole began below the log start.
    if (cut.endOffset < core.logStartOffset) await restartAt(core, parts, endOffset)
    else await applyCut(core, parts, cut)
  } finally {
    core.isTruncating = false
  }
}

async function planCut(core: LogCore, parts: LogParts, endOffset: number): Promise<Cut> {
  if (endOffset < core.activeBase) return cutSegments(core, parts, endOffset)
  const extent = await extentAcross(core, parts, endOffset)
  const inActive = endOffset < core.activeEndOffset
  const base = extent === null ? endOffset : extent.baseOffset
  let remainder: Cut['remainder'] = null
  if (extent !== null) remainder = await cutExtent(core, parts, extent, endOffset)
  const end = remainder === null ? base : remainder.extent.lastOffset + 1
  if (inActive) return cutActive(core, parts, end, remainder?.extent ?? null)
  return {
    endOffset: end,
    segments: core.segments,
    newIndex: null,
    activeBase: core.activeBase,
    keepsActive: true,
    extentsFrom: base,
    remainder,
  }
}

// The extent that begins before `offset` and ends at or after it.
async function extentAcross(core: LogCore, parts: LogParts, offset: number): Promise<Extent | null> {
  let across: Extent | null = null
  await eachExtent(parts.store, core, core.activeBase, offset, extent => {
    if (extent.lastOffset >= offset) across = extent
  })
  return across
}

// The whole batches of an extent that end before `endOffset`; null when there are none.
async function cutExtent(core: LogCore, parts: LogParts, extent: Extent, endOffset: number): Promise<Cut['remainder']> {
  const [bytes] = await extentBytes(core, parts, [extent])
  const { size, last, latest } = batchesBelow(bytes!, 0, endOffset)
  if (size === 0) return null
  const shorter = { ...extent, sizeBytes: size, lastOffset: last, maxTimestamp: latest, bytes: null }
  return { extent: shorter, bytes: bytes!.subarray(0, size) }
}

function batchesBelow(bytes: Buffer, from: number, endOffset: number): { size: number; last: number; latest: number } {
  let at = from
  let last = -1
  let latest = -1
  while (at + HEADER_SIZE <= bytes.length && lastOffset(bytes, at) < endOffset) {
    last = lastOffset(bytes, at)
    if (recordCount(bytes, at) > 0) latest = Math.max(latest, maxTimestamp(bytes, at))
    at += sizeOf(bytes, at)
  }
  return { size: at, last, latest }
}

async function cutActive(core: LogCore, parts: LogParts, endOffset: number, across: Extent | null): Promise<Cut> {
  const active = core.active
  assert(active !== null, 'what lies before the end of the active file is in it')
  const { segment, index } = await describe(core, parts, active, endOffset, across)
  return {
    endOffset,
    segments: segment.sizeBytes > 0 ? [...core.segments, segment] : core.segments,
    newIndex: segment.sizeBytes > 0 ? index : null,
    activeBase: endOffset,
    keepsActive: false,
    extentsFrom: core.activeBase,
    remainder: null,
  }
}

async function cutSegments(core: LogCore, parts: LogParts, endOffset: number): Promise<Cut> {
  const at = segmentIndexAt(core.segments, endOffset)
  const segment = core.segments[at]
  // What was compacted away may leave a gap between the last sealed segment and the active one.
  if (segment === undefined) return cutBetween(core, core.segments, endOffset)
  const whole = core.segments.slice(0, at)
  const shorter = segment.baseOffset < endOffset ? await cutSegment(core, parts, segment, endOffset) : null
  if (shorter === null) return cutBetween(core, whole, Math.min(endOffset, segment.baseOffset))
  const cut = cutBetween(core, [...whole, shorter.segment], shorter.segment.endOffset)
  return { ...cut, newIndex: shorter.index }
}

function cutBetween(core: LogCore, segments: readonly Segment[], endOffset: number): Cut {
  return {
    endOffset,
    segments,
    newIndex: null,
    activeBase: endOffset,
    keepsActive: false,
    extentsFrom: core.activeBase,
    remainder: null,
  }
}

async function cutSegment(
  core: LogCore,
  parts: LogParts,
  segment: Segment,
  endOffset: number,
): Promise<{ segment: Segment; index: Buffer } | null> {
  const index = await parts.indexes.get(core.keys, segment)
  assert(index !== null, 'a sealed segment has an index')
  const last = index.indexOf(endOffset)
  const stretch = index.stretch(last)
  const bytes = Buffer.allocUnsafeSlow(stretch.endPosition - stretch.position)
  const path = segmentPath(parts.folders.segments, core, segment)
  await parts.pool.use(path, 'read', file => file.read(bytes, stretch.position))
  const below = batchesBelow(bytes, 0, endOffset)
  const builder = new SparseIndexBuilder(segment.baseOffset)
  let latest = -1
  let latestOffset = segment.baseOffset
  for (let at = 0; at <= last; at++) {
    const { offset, position, endPosition } = index.stretch(at)
    const size = at === last ? below.size : endPosition - position
    const timestamp = at === last ? below.latest : index.maxTimestamp(at)
    if (size === 0) break
    builder.add(offset, position, size, timestamp)
    if (timestamp > latest) {
      latest = timestamp
      latestOffset = offset
    }
  }
  if (builder.segmentSizeBytes === 0) return null
  const end = below.size > 0 ? below.last + 1 : stretch.offset
  const shorter = {
    ...segment,
    endOffset: end,
    sizeBytes: builder.segmentSizeBytes,
    maxTimestamp: latest,
    maxTimestampOffset: latestOffset,
  }
  return { segment: shorter, index: builder.build() }
}

async function applyCut(core: LogCore, parts: LogParts, cut: Cut): Promise<void> {
  const hot = new HotPart(cut.activeBase)
  if (cut.keepsActive) {
    await eachExtent(parts.store, core, cut.activeBase, cut.extentsFrom, extent => hot.add(extent))
    if (cut.remainder !== null) hot.add(cut.remainder.extent)
  }
  const producers = core.producers.size === 0 ? NO_PRODUCERS : await producersAsOf(core, parts, cut.endOffset)
  const epochs = new LeaderEpochs(core.epochs.entries())
  epochs.truncateFromEnd(cut.endOffset)
  const dropped = core.segments.filter(segment => !cut.segments.some(kept => kept.fileId === segment.fileId))
  const active = core.active
  const last = cut.segments.at(-1)
  await parts.writer.change({
    isSynced: true,
    fill(batch) {
      if (core.isRemoved) return false
      core.reshaping++
      const { keys } = core
      const extents = keys.extents(cut.extentsFrom, MAX_OFFSET)
      batch.deleteRange(extents.gte, extents.lt)
      if (cut.remainder !== null) {
        const { extent, bytes } = cut.remainder
        const value = extent.place === INLINE ? encodeInlineExtent(extent, [bytes]) : encodeFileExtent(extent)
        batch.put(keys.extent(extent.baseOffset), value)
      }
      for (const { baseOffset } of dropped) {
        batch.delete(keys.segment(baseOffset))
        batch.delete(keys.segmentIndex(baseOffset))
      }
      if (cut.newIndex !== null && last !== undefined) {
        batch.put(keys.segment(last.baseOffset), encodeSegment(last))
        batch.put(keys.segmentIndex(last.baseOffset), cut.newIndex)
      }
      const snapshots = keys.producersBetween(cut.endOffset + 1, MAX_OFFSET)
      batch.deleteRange(snapshots.gte, snapshots.lt)
      const aborted = keys.abortedBetween(cut.endOffset, MAX_OFFSET)
      batch.deleteRange(aborted.gte, aborted.lt)
      if (!cut.keepsActive) batch.put(keys.producersAt(cut.endOffset), producers)
      batch.put(keys.producers(), producers)
      core.isStoredClean = false
      batch.put(
        keys.state(),
        encodeLogState({
          ...core.state(false),
          activeBase: cut.activeBase,
          activeFileId: cut.keepsActive ? (active?.fileId ?? 0) : 0,
          producersOffset: cut.endOffset,
          cleanedOffset: Math.min(core.cleanedOffset, cut.endOffset),
          syncedOffset: Math.min(core.syncedOffset, cut.endOffset),
          epochs: epochs.entries(),
        }),
      )
      return true
    },
    done: () => show(core, parts, cut, hot, producers),
  })
  await giveBack(core, parts, cut, dropped, active?.path ?? null)
}

// The cut is on the disk: the log is what it says.
function show(core: LogCore, parts: LogParts, cut: Cut, hot: HotPart, producers: Buffer): void {
  core.segments = [...cut.segments]
  core.sealedBytes = cut.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  core.activeBase = cut.activeBase
  if (!cut.keepsActive) core.active = null
  hot.applyTo(core)
  core.endOffset = cut.endOffset
  core.committedOffset = cut.endOffset
  core.tail.committedOffset = cut.endOffset
  core.syncedOffset = cut.endOffset
  core.flushedOffset = cut.endOffset
  core.producersOffset = cut.endOffset
  core.cleanedOffset = Math.min(core.cleanedOffset, cut.endOffset)
  core.unsyncedRecords = 0
  core.epochs.truncateFromEnd(cut.endOffset)
  core.producers.load(producers)
  core.aborted.truncateFrom(cut.endOffset)
  parts.cache.truncate(core.tail, cut.endOffset)
  core.reshaping--
  core.shapeVersion++
  core.notifyIfMoved()
}

// Files that hold nothing of the log any more go, and the one that was cut ends where its segment does.
async function giveBack(
  core: LogCore,
  parts: LogParts,
  cut: Cut,
  dropped: readonly Segment[],
  activePath: string | null,
): Promise<void> {
  const last = cut.segments.at(-1)
  const lastPath = last === undefined ? null : segmentPath(parts.folders.segments, core, last)
  for (const segment of dropped) {
    parts.indexes.forget(segment.fileId)
    parts.removeLater(segmentPath(parts.folders.segments, core, segment), 0)
  }
  if (activePath !== null && !cut.keepsActive && activePath !== lastPath) parts.removeLater(activePath, 0)
  if (cut.newIndex === null || last === undefined || lastPath === null) return
  parts.indexes.forget(last.fileId)
  await parts.pool.use(lastPath, 'write', file => file.truncate(last.sizeBytes))
}

/** Empties the log: it starts and ends at `offset`. Needs the log to itself. Resolves when it is on the disk. */
export async function restartAt(core: LogCore, parts: LogParts, offset: number): Promise<void> {
  core.isTruncating = true
  try {
    await parts.writer.flush(core)
    const dropped = core.segments
    const active = core.active
    const cut: Cut = {
      endOffset: offset,
      segments: [],
      newIndex: null,
      activeBase: offset,
      keepsActive: false,
      extentsFrom: 0,
      remainder: null,
    }
    await parts.writer.change({
      isSynced: true,
      fill(batch) {
        if (core.isRemoved) return false
        core.reshaping++
        const { keys } = core
        for (const range of keys.everythingWithOffset()) batch.deleteRange(range.gte, range.lt)
        batch.put(keys.producers(), NO_PRODUCERS)
        core.isStoredClean = false
        batch.put(
          keys.state(),
          encodeLogState({
            ...core.state(false),
            logStartOffset: offset,
            activeBase: offset,
            activeFileId: 0,
            producersOffset: offset,
            cleanedOffset: Math.min(core.cleanedOffset, offset),
            syncedOffset: offset,
            epochs: [],
          }),
        )
        return true
      },
      done() {
        core.logStartOffset = offset
        core.epochs.clear()
        show(core, parts, cut, new HotPart(offset), NO_PRODUCERS)
        // A log that begins anew behind its end keeps nothing of what it had.
        parts.cache.dropBelow(core.tail, offset)
      },
    })
    await giveBack(core, parts, cut, dropped, active?.path ?? null)
  } finally {
    core.isTruncating = false
  }
}
