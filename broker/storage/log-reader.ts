// Reads of a log that the tail cache cannot serve: sealed segments by their sparse index, what is not sealed by its extents. Neighbours
// in a file become one read. Returns whole batches; never decompresses, never checks checksums (consumers and recovery do).
//
// Background work may move the bytes meanwhile. Every change of that kind is announced on the log (`reshaping`) before its commit
// and counted (`shapeVersion`) after it; a reader whose log changed in between starts again, and gives up when that happens too often:
// partition-log.ts then keeps the bytes where they are until it has read them.
import { assert } from '../base/assert.ts'
import { baseOffset, HEADER_SIZE, lastOffset, magic, sizeOf } from '../records/batch.ts'
import { ACTIVE, decodeExtent, INLINE, type Extent } from './extent.ts'
import type { LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { segmentIndexAt, segmentPath, type Segment } from './segment.ts'
import { StorageError } from './storage-error.ts'

/** What a read may return; see PartitionLog.read. */
export type ReadBounds = { readonly endOffset: number; readonly maxBytes: number; readonly minOneBatch: boolean }

/** The code of the StorageError for bytes that are not what the log says they are. */
export const CORRUPT = 'CORRUPT'

/** The code of the StorageError for a log that changes faster than it can be read. */
export const CHANGED = 'CHANGED'

const MAX_ATTEMPTS = 5
// A single read is not larger than this, whatever the caller would take.
const MAX_READ_BYTES = 8 * 1024 * 1024
const EXTENTS_PER_SCAN = 64
const MAX_EXTENTS_PER_SCAN = 1024

/** Whole batches from the first one that ends at or after `offset`; empty when there is none below the bounds. */
export async function readCold(core: LogCore, parts: LogParts, offset: number, bounds: ReadBounds): Promise<Buffer[]> {
  let failure: unknown = null
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (core.reshaping > 0) {
      await parts.writer.groupEnd()
      // It failed in the middle of a change: where the bytes are nobody knows until the next start.
      if (core.reshaping > 0 && parts.writer.failure !== null) throw parts.writer.failure
    }
    const version = core.shapeVersion
    failure = null
    try {
      const found = await readOnce(core, parts, offset, bounds)
      if (version === core.shapeVersion && core.reshaping === 0) return found
    } catch (error) {
      if (version === core.shapeVersion && core.reshaping === 0) throw error
      failure = error
    }
  }
  throw changedTooOften(core, MAX_ATTEMPTS, failure)
}

/** What a look at the log ends with that has lost to background work so often. */
export function changedTooOften(core: LogCore, attempts: number, cause: unknown = null): StorageError {
  const message = `${core.name}: the log changed ${attempts} times while it was read`
  return new StorageError(message, { code: CHANGED, cause })
}

async function readOnce(core: LogCore, parts: LogParts, offset: number, bounds: ReadBounds): Promise<Buffer[]> {
  const endOffset = Math.min(bounds.endOffset, core.committedOffset)
  const maxBytes = Math.min(bounds.maxBytes, MAX_READ_BYTES)
  const read = { endOffset, maxBytes, minOneBatch: bounds.minOneBatch }
  let at = offset
  while (at < Math.min(endOffset, core.activeBase)) {
    const segment = core.segments[segmentIndexAt(core.segments, at)]
    if (segment === undefined) break
    const found = await readSegment(core, parts, segment, at, read)
    // Null: the log has a gap here (offsets that were compacted away).
    if (found !== null) return found
    at = segment.endOffset
  }
  if (at >= endOffset) return []
  return readExtents(core, parts, Math.max(at, core.activeBase), read)
}

// Null when the segment has no batch at or after the offset; an empty list when the bounds admit none.
async function readSegment(
  core: LogCore,
  parts: LogParts,
  segment: Segment,
  offset: number,
  bounds: ReadBounds,
): Promise<Buffer[] | null> {
  const path = segmentPath(parts.folders.segments, core, segment)
  let position = core.cursor(segment.fileId, offset)
  let lead = 0
  if (position < 0) {
    const index = await parts.indexes.get(core.keys, segment)
    if (index === null) throw new StorageError(`${core.name}: ${path} has no index`)
    const stretch = index.stretch(index.indexOf(offset))
    position = stretch.position
    lead = stretch.endPosition - stretch.position
  }
  const sizeBytes = Math.min(segment.sizeBytes - position, lead + Math.max(bounds.maxBytes, HEADER_SIZE))
  const bytes = await readAt(parts, path, position, sizeBytes)
  const cut = cutBatches(bytes, offset, bounds, { path, position, sizeBytes: segment.sizeBytes - position })
  if (cut.missing > 0) {
    const first = await readAt(parts, path, position + cut.start, cut.missing)
    core.rememberCursor(segment.fileId, lastOffset(first, 0) + 1, position + cut.start + cut.missing)
    return [first]
  }
  if (cut.end === cut.start) return cut.start < bytes.length || position + bytes.length < segment.sizeBytes ? [] : null
  core.rememberCursor(segment.fileId, cut.nextOffset, position + cut.end)
  return [bytes.subarray(cut.start, cut.end)]
}

async function readAt(parts: LogParts, path: string, position: number, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes)
  const read = await parts.pool.use(path, 'read', file => file.read(bytes, position))
  if (read < sizeBytes) {
    throw new StorageError(
      `${path} ends at byte ${position + read}, but batches up to ${position + sizeBytes} are in the log`,
      {
        code: CORRUPT,
      },
    )
  }
  return bytes
}

/** Where bytes come from: for error messages, and to know what cannot be. `sizeBytes` until the end of the file or extent. */
type Source = { readonly path: string; readonly position: number; readonly sizeBytes: number }

type Cut = {
  /** Where in the bytes the batches to return begin and end. */
  readonly start: number
  readonly end: number
  /** The offset behind the last of them. */
  readonly nextOffset: number
  /** Size of the first batch when it must be returned but is not whole here; else 0. */
  readonly missing: number
}

// Finds the batches from `offset` on that the bounds admit.
function cutBatches(bytes: Buffer, offset: number, bounds: ReadBounds, source: Source): Cut {
  let at = 0
  let start = -1
  let nextOffset = offset
  while (at + HEADER_SIZE <= bytes.length) {
    const size = sizeOf(bytes, at)
    const isBatch = size >= HEADER_SIZE && at + size <= source.sizeBytes && magic(bytes, at) === 2
    if (!isBatch || (start >= 0 && baseOffset(bytes, at) < nextOffset)) {
      const where = `${source.path}: no record batch at byte ${source.position + at}`
      throw new StorageError(`${where}, where the log has one`, { code: CORRUPT })
    }
    const last = lastOffset(bytes, at)
    if (last >= offset) {
      if (start < 0) start = at
      if (last >= bounds.endOffset) break
      const isFirst = at === start
      if (at + size - start > bounds.maxBytes && !(isFirst && bounds.minOneBatch)) break
      if (at + size > bytes.length) return { start, end: at, nextOffset, missing: isFirst ? size : 0 }
      nextOffset = last + 1
    }
    at += size
  }
  if (start < 0) start = Math.min(at, bytes.length)
  return { start, end: Math.max(start, Math.min(at, bytes.length)), nextOffset, missing: 0 }
}

async function readExtents(core: LogCore, parts: LogParts, offset: number, bounds: ReadBounds): Promise<Buffer[]> {
  const extents = await extentsFrom(core, parts, offset, bounds)
  const pieces = await extentBytes(core, parts, extents)
  const found: Buffer[] = []
  let left = bounds.maxBytes
  for (const [at, bytes] of pieces.entries()) {
    const extent = extents[at]!
    const minOneBatch = bounds.minOneBatch && found.length === 0
    const rest = { endOffset: bounds.endOffset, maxBytes: left, minOneBatch }
    const source = { path: placeOf(core, parts, extent), position: extent.position, sizeBytes: extent.sizeBytes }
    const cut = cutBatches(bytes, Math.max(offset, extent.baseOffset), rest, source)
    assert(cut.missing === 0, 'an extent has whole batches')
    if (cut.end > cut.start) found.push(bytes.subarray(cut.start, cut.end))
    left -= cut.end - cut.start
    if (cut.end < bytes.length) break
  }
  return found
}

/** The extent that contains `offset` and those behind it, until they fill the bounds. */
async function extentsFrom(core: LogCore, parts: LogParts, offset: number, bounds: ReadBounds): Promise<Extent[]> {
  const { keys } = core
  let limit = EXTENTS_PER_SCAN
  const [floor, above] = await Promise.all([
    parts.store.scan({ ...keys.extents(core.activeBase, offset + 1), reverse: true, limit: 1 }),
    parts.store.scan({ ...keys.extents(offset + 1, bounds.endOffset), limit }),
  ])
  const found: Extent[] = []
  let sizeBytes = 0
  let entries = floor.concat(above)
  let isLast = above.length < limit
  for (;;) {
    for (const entry of entries) {
      const extent = decodeExtent(entry)
      if (extent.lastOffset < offset) continue
      if (sizeBytes >= bounds.maxBytes && found.length > 0) return found
      // What the first extent has before the offset is not returned, so the extent does not count.
      if (extent.baseOffset >= offset) sizeBytes += extent.sizeBytes
      found.push(extent)
    }
    if (isLast) return found
    limit = Math.min(limit * 4, MAX_EXTENTS_PER_SCAN)
    const next = found.at(-1)!.baseOffset + 1
    entries = await parts.store.scan({ ...keys.extents(next, bounds.endOffset), limit })
    isLast = entries.length < limit
  }
}

/** The bytes of extents, in their order; those that are neighbours in a file are read together. */
export async function extentBytes(core: LogCore, parts: LogParts, extents: readonly Extent[]): Promise<Buffer[]> {
  const pieces = new Array<Buffer>(extents.length)
  const reads: Promise<void>[] = []
  for (let start = 0; start < extents.length;) {
    const first = extents[start]!
    if (first.bytes !== null) {
      pieces[start++] = first.bytes
      continue
    }
    let end = start + 1
    let sizeBytes = first.sizeBytes
    while (end < extents.length && isNeighbour(extents[end]!, first, sizeBytes) && sizeBytes < MAX_READ_BYTES) {
      sizeBytes += extents[end++]!.sizeBytes
    }
    reads.push(readRun(core, parts, extents, start, end, sizeBytes, pieces))
    start = end
  }
  await Promise.all(reads)
  return pieces
}

function isNeighbour(extent: Extent, first: Extent, sizeBytes: number): boolean {
  return (
    extent.place === first.place && extent.fileId === first.fileId && extent.position === first.position + sizeBytes
  )
}

async function readRun(
  core: LogCore,
  parts: LogParts,
  extents: readonly Extent[],
  start: number,
  end: number,
  sizeBytes: number,
  pieces: Buffer[],
): Promise<void> {
  const first = extents[start]!
  const bytes = await readAt(parts, placeOf(core, parts, first), first.position, sizeBytes)
  for (let index = start, at = 0; index < end; index++) {
    const size = extents[index]!.sizeBytes
    pieces[index] = bytes.subarray(at, at + size)
    at += size
  }
}

/** The path of the file that has the extent's bytes. */
export function placeOf(core: LogCore, parts: LogParts, extent: Extent): string {
  if (extent.place === INLINE) return `${core.name} in the store`
  if (extent.place === ACTIVE) {
    return segmentPath(parts.folders.segments, core, { baseOffset: core.activeBase, fileId: extent.fileId })
  }
  return parts.staging.pathOf(extent.fileId)
}
