// From the hot part of a log to sealed segments. Two steps, each made visible by one commit:
//
//   moving    batches that lie inline or in staging files go to the end of the log's active segment file, many at once, fdatasync'ed;
//             one commit replaces their extents by new ones that point there
//   sealing   a segment that has ended (segment.bytes, segment.ms) is wholly in its file by now: one commit registers it with its
//             sparse index and removes its extents. The file becomes immutable; no byte of it is written again.
//
// Neither blocks appends: they go on to staging meanwhile. sealer.ts says when which log has its turn.
import { assert } from '../base/assert.ts'
import { newActiveFile } from './commit-group.ts'
import { encodeFileExtent, encodeInlineExtent, ACTIVE, INLINE, STAGED, type Extent } from './extent.ts'
import { batchesIn, extentEnd, makeExtent } from './extent-builder.ts'
import { eachExtent } from './hot-part.ts'
import type { ActiveFile, LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { extentBytes } from './log-reader.ts'
import { encodeLogState } from './log-state.ts'
import { encodeSegment, type Segment } from './segment.ts'
import { SparseIndexBuilder } from './sparse-index.ts'
import type { TailBatch } from './tail-cache.ts'

/** Moved by one commit at most, but for what one extent has above it. */
const MAX_MOVE_BYTES = 8 * 1024 * 1024

/** The batches to move, and where they end. */
type Load = { readonly batches: TailBatch[]; readonly endOffset: number; readonly sizeBytes: number }

/**
 * Moves committed batches to the active file, up to `endOffset` or the end of the active segment. Needs the log to itself. Resolves
 * with whether anything was moved. Rejects with StorageError.
 */
export async function moveTail(core: LogCore, parts: LogParts, endOffset = Infinity): Promise<boolean> {
  core.isMoving = true
  try {
    const from = core.activeEndOffset
    const to = Math.min(endOffset, core.committedOffset, core.rolls[0]?.offset ?? Infinity)
    if (from >= to) return false
    const load = await gather(core, parts, from, to)
    const active =
      core.active ?? newActiveFile(core, { segmentsFolder: parts.folders.segments, nextFileId: parts.nextFileId })
    await writeActive(parts, active, load)
    const isMoved = await parts.writer.change({
      isSynced: true,
      fill(batch) {
        if (core.isRemoved) return false
        core.reshaping++
        const { gte, lt } = core.keys.extents(from, load.endOffset)
        batch.deleteRange(gte, lt)
        for (const extent of movedExtents(core, active, load)) {
          batch.put(core.keys.extent(extent.baseOffset), encodeFileExtent(extent))
        }
        core.isStoredClean = false
        batch.put(core.keys.state(), encodeLogState({ ...core.state(false), activeFileId: active.fileId }))
        return true
      },
      done() {
        core.active = active
        active.sizeBytes += load.sizeBytes
        active.endOffset = load.endOffset
        core.tailBytes -= load.sizeBytes
        core.trimStaged(load.endOffset)
        core.syncedOffset = Math.max(core.syncedOffset, load.endOffset)
        core.reshaping--
        core.shapeVersion++
      },
    })
    if (!isMoved && core.active !== active) parts.removeLater(active.path, 0)
    return isMoved
  } finally {
    core.isMoving = false
  }
}

// From the tail cache if it goes back so far, else from the disk. Ends where an extent ends.
async function gather(core: LogCore, parts: LogParts, from: number, to: number): Promise<Load> {
  if (core.tailBytes <= MAX_MOVE_BYTES) {
    const batches = core.tail.between(from, to)
    if (batches !== null) return { batches, endOffset: to, sizeBytes: sizeOfAll(batches) }
  }
  const extents: Extent[] = []
  let sizeBytes = 0
  await eachExtent(parts.store, core, from, to, extent => {
    extents.push(extent)
    sizeBytes += extent.sizeBytes
    return sizeBytes < MAX_MOVE_BYTES
  })
  assert(extents.length > 0, 'committed batches have extents')
  const batches: TailBatch[] = []
  for (const bytes of await extentBytes(core, parts, extents)) batchesIn(bytes, batches)
  return { batches, endOffset: extents.at(-1)!.lastOffset + 1, sizeBytes }
}

function sizeOfAll(batches: readonly TailBatch[]): number {
  let sizeBytes = 0
  for (const batch of batches) sizeBytes += batch.bytes.length
  return sizeBytes
}

async function writeActive(parts: LogParts, active: ActiveFile, load: Load): Promise<void> {
  const buffers = load.batches.map(batch => batch.bytes)
  // What an unsynced commit wrote before lies in the same file.
  active.hasUnsynced = false
  await parts.pool.use(active.path, active.isCreated ? 'write' : 'create', async file => {
    await file.write(buffers, active.sizeBytes)
    await file.datasync()
  })
  active.isCreated = true
  if (active.isNameSynced) return
  await parts.files.syncFolder(parts.folders.segments)
  active.isNameSynced = true
}

function* movedExtents(core: LogCore, active: ActiveFile, { batches }: Load): Generator<Extent> {
  // Group 0: the bytes are on the disk already.
  const origin = { place: ACTIVE, isSyncedWithGroup: true, group: 0, fileId: active.fileId } as const
  let position = active.sizeBytes
  for (let start = 0; start < batches.length;) {
    const end = extentEnd(core, batches, start)
    const extent = makeExtent(batches, start, end, origin, position)
    yield extent
    position += extent.sizeBytes
    start = end
  }
}

/** Makes batches that lie in staging files inline ones: for a log with too few of them to be worth a move. Needs the log to itself. */
export async function inlineTail(core: LogCore, parts: LogParts): Promise<void> {
  core.isMoving = true
  try {
    const staged: Extent[] = []
    const end = core.committedOffset
    await eachExtent(parts.store, core, core.activeEndOffset, end, extent => {
      if (extent.place === STAGED) staged.push(extent)
    })
    const pieces = await extentBytes(core, parts, staged)
    await parts.writer.change({
      isSynced: true,
      fill(batch) {
        if (core.isRemoved) return false
        core.reshaping++
        for (const [at, extent] of staged.entries()) {
          const inline: Extent = { ...extent, place: INLINE, isSyncedWithGroup: true, group: 0 }
          batch.put(core.keys.extent(extent.baseOffset), encodeInlineExtent(inline, [pieces[at]!]))
        }
        return true
      },
      done() {
        core.trimStaged(end)
        core.reshaping--
        core.shapeVersion++
      },
    })
  } finally {
    core.isMoving = false
  }
}

/** Seals the segment that ended first. Needs the log to itself; its end must be committed. Rejects with StorageError. */
export async function sealNext(core: LogCore, parts: LogParts): Promise<void> {
  const roll = core.rolls[0]
  assert(roll !== undefined && roll.offset <= core.committedOffset, 'a segment is sealed when its end is committed')
  while (core.activeEndOffset < roll.offset) {
    // Nothing moves when the log was removed meanwhile.
    if (!(await moveTail(core, parts, roll.offset))) return
  }
  const active = core.active
  assert(active !== null && active.endOffset === roll.offset, 'an ended segment is in its file')
  if (active.hasUnsynced || !active.isNameSynced) await syncActive(parts, active)
  const { segment, index } = await describe(core, parts, active, roll.offset)
  await parts.writer.change({
    isSynced: true,
    fill(batch) {
      if (core.isRemoved) return false
      core.reshaping++
      const { gte, lt } = core.keys.extents(core.activeBase, roll.offset)
      batch.deleteRange(gte, lt)
      batch.put(core.keys.segment(segment.baseOffset), encodeSegment(segment))
      batch.put(core.keys.segmentIndex(segment.baseOffset), index)
      batch.put(core.keys.producersAt(roll.offset), roll.producers)
      core.isStoredClean = false
      batch.put(core.keys.state(), encodeLogState({ ...core.state(false), activeBase: roll.offset, activeFileId: 0 }))
      return true
    },
    done() {
      core.segments = [...core.segments, segment]
      core.sealedBytes += segment.sizeBytes
      core.hotBytes -= segment.sizeBytes
      core.activeBase = roll.offset
      core.active = null
      core.rolls.shift()
      if (core.rolls.length === 0) {
        core.maxTimestamp = core.segmentMaxTimestamp
        core.maxTimestampOffset = core.segmentMaxTimestampOffset
      }
      core.reshaping--
      core.shapeVersion++
    },
  })
}

async function syncActive(parts: LogParts, active: ActiveFile): Promise<void> {
  active.hasUnsynced = false
  await parts.pool.use(active.path, 'write', file => file.datasync())
  await parts.files.syncFolder(parts.folders.segments)
  active.isNameSynced = true
}

/** The sealed form of the first bytes of the active file, up to `endOffset`; `last` stands for the extent it was cut from. */
export async function describe(
  core: LogCore,
  parts: LogParts,
  active: ActiveFile,
  endOffset: number,
  last: Extent | null = null,
): Promise<{ segment: Segment; index: Buffer }> {
  const builder = new SparseIndexBuilder(core.activeBase)
  let maxTimestamp = -1
  let maxTimestampOffset = core.activeBase
  await eachExtent(parts.store, core, core.activeBase, endOffset, stored => {
    const extent = stored.baseOffset === last?.baseOffset ? last : stored
    assert(
      extent.place === ACTIVE && extent.fileId === active.fileId,
      'a segment is sealed when all of it is in its file',
    )
    builder.add(extent.baseOffset, extent.position, extent.sizeBytes, extent.maxTimestamp)
    if (extent.maxTimestamp <= maxTimestamp) return
    maxTimestamp = extent.maxTimestamp
    maxTimestampOffset = extent.baseOffset
  })
  const segment = {
    baseOffset: core.activeBase,
    endOffset,
    fileId: active.fileId,
    sizeBytes: builder.segmentSizeBytes,
    maxTimestamp,
    maxTimestampOffset,
    createdMs: parts.clock.now(),
  }
  return { segment, index: builder.build() }
}
