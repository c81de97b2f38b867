// Opening the logs of a data directory. Three scans load all of them. A log that was written down as clean needs nothing more. The
// others had appends shortly before a crash; for each of them one walk over its extents:
//
//   1. the progress record names the last group that was synced as a whole: extents of groups up to it, and extents below the
//      stored syncedOffset, must be good. All later ones are checked (offsets, epoch, CRC of every batch)
//   2. the log ends at the first batch that is not good; nobody was told that it is stored
//   3. the producers since their last snapshot are read back from the batch headers
//   4. what is left is synced, so that it counts (log-loader.ts)
//
// Bytes that must be good and are not take the log offline, with an error that names file and position: it is never shortened
// silently below what was promised. That is found for what recovery reads; a rotten byte elsewhere is found by whoever reads it.
//
// Bytes behind a cut stay where they are until the cut is on the disk: an active file that ends later than the log does becomes
// a sealed segment up to its last good batch, and the log goes on in a new file.
import type { Uuid } from '../base/uuid.ts'
import type { LogConfig } from '../config/topic-config.ts'
import { baseOffset, producerId, sizeOf } from '../records/batch.ts'
import { ACTIVE, encodeFileExtent, encodeInlineExtent, goodPart, INLINE, type Extent, type GoodPart } from './extent.ts'
import { eachExtent, HotPart, type KnownExtents } from './hot-part.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { MAX_OFFSET } from './keys.ts'
import { LogCore, type ActiveFile } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { CORRUPT, placeOf } from './log-reader.ts'
import { encodeLogState, type LogState, type Progress } from './log-state.ts'
import { applyBatch, producersAsOf } from './producer-replay.ts'
import { describe } from './sealing.ts'
import { encodeSegment, segmentPath, type Segment } from './segment.ts'
import { StorageError } from './storage-error.ts'
import type { StoreBatch } from './store.ts'

/** One log as the store has it. */
export type StoredLog = {
  readonly topicId: Uuid
  readonly partition: number
  readonly state: LogState
  readonly segments: Segment[]
  readonly producers: Buffer | null
}

/** The log in memory, as its state describes it; only a clean one is complete then. */
export function restore(stored: StoredLog, config: LogConfig, parts: LogParts): LogCore {
  const { state, segments } = stored
  const core = new LogCore(stored.topicId, stored.partition, state.topicName, config, new LeaderEpochs(state.epochs))
  core.logStartOffset = state.logStartOffset
  core.segments = segments
  for (const segment of segments) core.sealedBytes += segment.sizeBytes
  core.activeBase = state.activeBase
  core.cleanedOffset = state.cleanedOffset
  if (state.activeFileId !== 0) core.active = restoreActive(core, state, parts)
  core.producersOffset = state.producersOffset
  core.needsState = false
  core.lastAppendMs = parts.clock.now()
  // As in Kafka, a segment whose records have no timestamps counts its age from the start of the broker.
  core.firstAppendMs = core.lastAppendMs
  if (!state.isClean) return core
  core.isStoredClean = true
  setEnd(core, state.endOffset)
  core.hotBytes = state.hotBytes
  core.tailBytes = state.activeFileId === 0 ? state.hotBytes : state.hotBytes - state.activeSizeBytes
  core.segmentBytes = state.hotBytes
  core.segmentBase = state.activeBase
  core.firstTimestamp = state.firstTimestamp
  core.maxTimestamp = state.maxTimestamp
  core.maxTimestampOffset = state.maxTimestampOffset
  core.segmentMaxTimestamp = state.maxTimestamp
  core.segmentMaxTimestampOffset = state.maxTimestampOffset
  // Its other staging files are newer, so they stay as long as this one does.
  if (state.oldestStagingFile !== 0) {
    core.staged = [{ fileId: state.oldestStagingFile, startOffset: core.activeEndOffset }]
  }
  if (stored.producers !== null) core.producers.load(stored.producers)
  return core
}

function restoreActive(core: LogCore, state: LogState, parts: LogParts): ActiveFile {
  const { activeFileId: fileId, activeBase: baseOffset } = state
  return {
    fileId,
    path: segmentPath(parts.folders.segments, core, { baseOffset, fileId }),
    sizeBytes: state.activeSizeBytes,
    endOffset: state.isClean ? state.activeEndOffset : baseOffset,
    isCreated: true,
    isNameSynced: true,
    hasUnsynced: false,
  }
}

function setEnd(core: LogCore, endOffset: number): void {
  core.endOffset = endOffset
  core.committedOffset = endOffset
  core.flushedOffset = endOffset
  core.syncedOffset = endOffset
  core.tail.committedOffset = endOffset
  core.aborted.begin(endOffset)
}

/** A log whose end was found. */
export type Recovery = {
  readonly core: LogCore
  /** Offsets that were there and had to be cut. */
  readonly cutOffsets: number
  /** Staging files with bytes of it that may not be on the disk. */
  readonly unsyncedStaging: ReadonlySet<number>
  /** Puts what must change in the store; committed and synced before anything is appended. */
  write(batch: StoreBatch): void
}

/** What the walk over the extents found. */
type Walk = {
  readonly hot: HotPart
  /** Base offset of the extent that is not good or not whole; -1: all are. */
  cutFrom: number
  /** Its good beginning. */
  remainder: { readonly extent: Extent; readonly bytes: Buffer } | null
  readonly unsyncedStaging: Set<number>
  hasUnsyncedActive: boolean
}

/**
 * Finds the end of a log that was not clean; `known` are extents of it that have been read. Sets `core.error` when bytes are missing
 * that must be there. Rejects with StorageError when the disk fails.
 */
export async function recover(
  stored: StoredLog,
  config: LogConfig,
  parts: LogParts,
  progress: Progress,
  known: KnownExtents,
): Promise<Recovery> {
  const core = restore(stored, config, parts)
  const replayFrom = await loadProducers(core, parts, stored)
  const walk = await walkExtents(core, parts, stored.state, progress, replayFrom, known)
  const foundEnd = walk.cutFrom < 0 ? walk.hot.endOffset : await lastStoredOffset(core, parts)
  walk.hot.applyTo(core)
  setEnd(core, walk.hot.endOffset)
  if (walk.cutFrom >= 0) core.epochs.truncateFromEnd(core.endOffset)
  core.epochs.truncateFromStart(core.logStartOffset)
  if (core.logStartOffset > core.endOffset) {
    core.error ??= new StorageError(`${core.name} starts at ${core.logStartOffset}, behind its end ${core.endOffset}`)
  }
  const last = walk.remainder?.extent.place === ACTIVE ? walk.remainder.extent : null
  const sealed = core.error === null ? await endActive(core, parts, walk.hasUnsyncedActive, last) : null
  const write = (batch: StoreBatch): void => {
    putCut(core, batch, walk, sealed)
    putSealed(core, batch, sealed)
  }
  if (core.error === null && replayFrom > core.endOffset) await replayAgain(core, parts, write)
  return {
    core,
    cutOffsets: Math.max(0, foundEnd - core.endOffset),
    unsyncedStaging: walk.unsyncedStaging,
    write,
  }
}

/** The producers as of the newest snapshot at or above the active segment's base; resolves with its offset, Infinity when there is none. */
async function loadProducers(core: LogCore, parts: LogParts, stored: StoredLog): Promise<number> {
  const { activeBase, producersOffset } = stored.state
  if (producersOffset >= activeBase) {
    if (stored.producers !== null) core.producers.load(stored.producers)
    return producersOffset
  }
  const snapshot = await parts.store.get(core.keys.producersAt(activeBase))
  if (snapshot === null) return Infinity
  core.producers.load(snapshot)
  return activeBase
}

// The log was cut below the snapshot that the walk began with, or had none: an older one, and everything behind it. Reads through the
// store, which therefore must know of the cut.
async function replayAgain(core: LogCore, parts: LogParts, write: (batch: StoreBatch) => void): Promise<void> {
  const batch = parts.store.batch()
  write(batch)
  await parts.store.commit(batch, { sync: false })
  try {
    core.producers.load(await producersAsOf(core, parts, core.endOffset))
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== CORRUPT) throw error
    core.error = error
  }
}

/** After an unclean stop a clean log may still have bytes of an unfinished commit behind its end: see `endActive`. */
export async function checkClean(core: LogCore, parts: LogParts): Promise<void> {
  const sealed = await endActive(core, parts, false, null)
  if (sealed === null || core.error !== null) return
  const batch = parts.store.batch()
  putSealed(core, batch, sealed)
  await parts.store.commit(batch, { sync: false })
}

/** Puts into `batch` that the log needs no recovery: everything it has is synced, or is with this commit. */
export function putClean(core: LogCore, batch: StoreBatch): void {
  batch.put(core.keys.producers(), core.producers.encode())
  core.producersOffset = core.endOffset
  core.isStoredClean = true
  batch.put(core.keys.state(), encodeLogState(core.state(true)))
}

async function walkExtents(
  core: LogCore,
  parts: LogParts,
  state: LogState,
  progress: Progress,
  replayFrom: number,
  known: KnownExtents,
): Promise<Walk> {
  const walk: Walk = {
    hot: new HotPart(core.activeBase),
    cutFrom: -1,
    remainder: null,
    unsyncedStaging: new Set(),
    hasUnsyncedActive: false,
  }
  // Later ones are found in the extents. One that begins right here may be all that an emptied log knows.
  core.epochs.truncateFromEnd(core.activeBase + 1)
  const visit = async (extent: Extent): Promise<boolean> => {
    const wasSynced =
      extent.lastOffset < state.syncedOffset || (extent.isSyncedWithGroup && extent.group <= progress.syncedGroup)
    if (wasSynced && extent.lastOffset < replayFrom) {
      noteExtent(core, walk, extent, false)
      return true
    }
    const bytes = extent.bytes ?? (await bytesThere(core, parts, extent))
    const good = goodPart(extent, bytes)
    applyProducers(core, bytes.subarray(0, good.sizeBytes), replayFrom)
    if (good.sizeBytes === extent.sizeBytes) {
      noteExtent(core, walk, extent, !wasSynced)
      return true
    }
    if (wasSynced) {
      const where = `${placeOf(core, parts, extent)}: no good record batch at byte ${extent.position + good.sizeBytes}`
      core.error = new StorageError(`${where}, where ${core.name} has one that was flushed`, { code: CORRUPT })
      // It stays part of the log: its staging file, and those behind it, must not be removed.
      noteExtent(core, walk, extent, false)
      return false
    }
    walk.cutFrom = extent.baseOffset
    if (good.sizeBytes > 0) {
      walk.remainder = keepGood(extent, good, bytes)
      noteExtent(core, walk, walk.remainder.extent, true)
    }
    return false
  }
  await eachExtent(parts.store, core, core.activeBase, MAX_OFFSET, visit, known)
  return walk
}

function applyProducers(core: LogCore, bytes: Buffer, replayFrom: number): void {
  for (let at = 0; at < bytes.length; at += sizeOf(bytes, at)) {
    if (baseOffset(bytes, at) < replayFrom || producerId(bytes, at) < 0) continue
    applyBatch(core.producers, bytes, at)
  }
}

function keepGood(extent: Extent, good: GoodPart, bytes: Buffer): NonNullable<Walk['remainder']> {
  const { sizeBytes, lastOffset, maxTimestamp } = good
  return { extent: { ...extent, sizeBytes, lastOffset, maxTimestamp }, bytes: bytes.subarray(0, sizeBytes) }
}

function noteExtent(core: LogCore, walk: Walk, extent: Extent, isUnsynced: boolean): void {
  walk.hot.add(extent)
  if (extent.leaderEpoch >= 0) core.epochs.assign(extent.leaderEpoch, extent.baseOffset)
  if (!isUnsynced) return
  if (extent.place === ACTIVE) walk.hasUnsyncedActive = true
  else if (extent.place !== INLINE) walk.unsyncedStaging.add(extent.fileId)
}

// As many of an extent's bytes as there are: after a loss of power its file may be too short, or not there.
async function bytesThere(core: LogCore, parts: LogParts, extent: Extent): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(extent.sizeBytes)
  try {
    const path = placeOf(core, parts, extent)
    const read = await parts.pool.use(path, 'read', file => file.read(bytes, extent.position))
    return bytes.subarray(0, read)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'ENOENT') return bytes.subarray(0, 0)
    throw error
  }
}

async function lastStoredOffset(core: LogCore, parts: LogParts): Promise<number> {
  let end = core.activeBase
  await eachExtent(parts.store, core, core.activeBase, MAX_OFFSET, extent => {
    end = extent.lastOffset + 1
  })
  return end
}

/** The part of the active file that is good, as a segment. */
type Sealed = { readonly segment: Segment; readonly index: Buffer; readonly formerBase: number }

/**
 * Ends the active file when it has bytes behind the log's own: they may be of a commit that the store has lost only in memory, so they
 * are never written over. Null when the file goes on, or there is nothing in it.
 */
async function endActive(
  core: LogCore,
  parts: LogParts,
  hasUnsynced: boolean,
  last: Extent | null,
): Promise<Sealed | null> {
  const { active } = core
  if (active === null) return null
  const stat = await parts.files.stat(active.path)
  if (stat === null ? active.sizeBytes > 0 : stat.sizeBytes < active.sizeBytes) {
    const size = stat === null ? 'is gone' : `ends at byte ${stat.sizeBytes}`
    core.error = new StorageError(`${active.path} ${size}, but the log has ${active.sizeBytes} bytes in it`, {
      code: CORRUPT,
    })
    return null
  }
  if (stat !== null && hasUnsynced) await parts.pool.use(active.path, 'write', file => file.datasync())
  if (stat !== null && stat.sizeBytes === active.sizeBytes && active.sizeBytes > 0) return null
  const formerBase = core.activeBase
  core.active = null
  core.needsState = true
  if (active.sizeBytes === 0) return null
  const { segment, index } = await describe(core, parts, active, active.endOffset, last)
  core.segments = [...core.segments, segment]
  core.sealedBytes += segment.sizeBytes
  core.hotBytes -= segment.sizeBytes
  core.segmentBytes = core.hotBytes
  core.segmentBase = segment.endOffset
  core.activeBase = segment.endOffset
  return { segment, index, formerBase }
}

function putCut(core: LogCore, batch: StoreBatch, walk: Walk, sealed: Sealed | null): void {
  const { keys } = core
  if (walk.cutFrom >= 0) {
    for (const { gte, lt } of [keys.extents(walk.cutFrom, MAX_OFFSET), keys.abortedBetween(core.endOffset, MAX_OFFSET)])
      batch.deleteRange(gte, lt)
  }
  if (walk.remainder === null || (sealed !== null && walk.remainder.extent.place === ACTIVE)) return
  const { extent, bytes } = walk.remainder
  const isInline = extent.place === INLINE
  batch.put(keys.extent(extent.baseOffset), isInline ? encodeInlineExtent(extent, [bytes]) : encodeFileExtent(extent))
}

function putSealed(core: LogCore, batch: StoreBatch, sealed: Sealed | null): void {
  const { keys } = core
  core.isStoredClean = false
  batch.put(keys.state(), encodeLogState(core.state(false)))
  if (sealed === null) return
  const { gte, lt } = keys.extents(sealed.formerBase, sealed.segment.endOffset)
  batch.deleteRange(gte, lt)
  batch.put(keys.segment(sealed.segment.baseOffset), encodeSegment(sealed.segment))
  batch.put(keys.segmentIndex(sealed.segment.baseOffset), sealed.index)
}
