// One group commit in the making: which batches go where, and the one store batch that registers them. Filled synchronously by
// log-writer.ts, so that it holds exactly what was appended until this moment; the files are written afterwards.
//
// Where the batches of one log go:
//   many bytes of it in this group      its own active segment file: one more write and fdatasync, but never copied again
//   else, little in the whole group     inline, into the store: no file at all, so one fdatasync does
//   else, a few hundred bytes of it     inline too: an extent that points to them is nearly as large
//   else                                the staging file, one behind the other: one write and one fdatasync for all logs
import { encodeAborted, type AbortedTransaction } from './aborted-transactions.ts'
import type { LogCore, ActiveFile } from './log-core.ts'
import { ACTIVE, encodeFileExtent, encodeInlineExtent, INLINE, MAX_EXTENT_BYTES, STAGED, type Place } from './extent.ts'
import { extentEnd, makeExtent, type Origin } from './extent-builder.ts'
import { encodeLogState } from './log-state.ts'
import { segmentPath } from './segment.ts'
import type { Room, Staging } from './staging.ts'
import type { StoreBatch } from './store.ts'
import type { TailBatch } from './tail-cache.ts'

/** The measured choices of docs/storage.md, in bytes. */
export type PlaceLimits = {
  /** A group with fewer bytes than this goes inline. */
  readonly inlineGroupBytes: number
  /** A log with fewer bytes than this in a group goes inline. */
  readonly inlineLogBytes: number
  /** A log with at least so many bytes in a group that is synced writes to its own file. */
  readonly ownFileBytes: number
  /** The same for a log that need not be synced. */
  readonly ownFileUnsyncedBytes: number
  /** The producers of a log are written down after so many bytes: bounds what is read back after a crash. */
  readonly producerSnapshotBytes: number
}

/** Bytes for a log's own file. */
export type ActiveWrite = {
  readonly active: ActiveFile
  readonly position: number
  readonly buffers: Buffer[]
  readonly isNew: boolean
  readonly isSynced: boolean
}

/** The part of a log in one group. */
export type Member = {
  readonly core: LogCore
  readonly batches: readonly TailBatch[]
  readonly aborted: readonly AbortedTransaction[] | null
  readonly sizeBytes: number
  /** Exclusive. */
  readonly endOffset: number
  readonly isSynced: boolean
  place: Place
  /** Extents that were there are replaced by this group. */
  reshapes: boolean
}

/** What the builder needs from the directory. */
export type GroupParts = {
  readonly staging: Staging
  readonly segmentsFolder: string
  readonly limits: PlaceLimits
  nextFileId(): number
}

export class CommitGroup {
  readonly id: number
  readonly batch: StoreBatch
  readonly members: Member[] = []
  readonly activeWrites: ActiveWrite[] = []
  readonly stagedBuffers: Buffer[] = []
  room: Room | null = null
  /** Somebody waits for the disk. */
  isSynced = false
  /** Somebody waits for the commit only. */
  hasUnsynced = false
  syncsStaging = false
  /** Records of earlier groups get another place. */
  moves = false
  /** Files that were written without a sync before and are due with this group. */
  readonly activeSyncs: ActiveFile[] = []
  sizeBytes = 0
  readonly #parts: GroupParts

  constructor(id: number, batch: StoreBatch, parts: GroupParts) {
    this.id = id
    this.batch = batch
    this.#parts = parts
  }

  /** Takes what was appended to these logs. */
  take(cores: readonly LogCore[]): void {
    let sharedBytes = 0
    let stagedBytes = 0
    const { limits } = this.#parts
    for (const core of cores) {
      const member = this.#member(core)
      if (core.isRemoved) continue
      if (member.place === ACTIVE) continue
      sharedBytes += member.sizeBytes
      if (member.sizeBytes >= limits.inlineLogBytes) stagedBytes += member.sizeBytes
    }
    const isInline = sharedBytes < limits.inlineGroupBytes
    if (!isInline && stagedBytes > 0) this.room = this.#parts.staging.reserve(stagedBytes)
    let stagedPosition = this.room?.position ?? 0
    for (const member of this.members) {
      // Its keys are gone; whoever waits learns from its replica that the log is.
      if (member.core.isRemoved) continue
      if (member.place === ACTIVE) this.#addActive(member)
      else if (isInline || member.sizeBytes === 0 || member.sizeBytes < limits.inlineLogBytes) this.#addInline(member)
      else stagedPosition = this.#addStaged(member, stagedPosition)
      this.#finishMember(member)
    }
  }

  #member(core: LogCore): Member {
    const batches = core.pending
    const sizeBytes = core.pendingBytes
    const aborted = core.pendingAborted
    const isSynced = core.isDue
    core.pending = []
    core.pendingBytes = 0
    core.pendingAborted = null
    core.isDue = false
    core.isQueued = false
    if (isSynced) core.unsyncedRecords = 0
    const member: Member = {
      core,
      batches,
      aborted,
      sizeBytes,
      endOffset: core.endOffset,
      isSynced,
      place: INLINE,
      reshapes: false,
    }
    if (batches.length > 0) {
      this.sizeBytes += sizeBytes
      const limits = this.#parts.limits
      const isLarge = sizeBytes >= (isSynced ? limits.ownFileBytes : limits.ownFileUnsyncedBytes)
      if (isLarge && canWriteActive(member)) member.place = ACTIVE
    }
    this.members.push(member)
    return member
  }

  #addInline(member: Member): void {
    const { core, batches } = member
    member.place = INLINE
    core.tailBytes += member.sizeBytes
    const origin: Origin = { place: INLINE, isSyncedWithGroup: member.isSynced, group: this.id, fileId: 0 }
    for (let start = 0; start < batches.length;) {
      const end = extentEnd(core, batches, start)
      const extent = makeExtent(batches, start, end, origin, 0)
      const bytes = batches.slice(start, end).map(batch => batch.bytes)
      this.batch.put(core.keys.extent(extent.baseOffset), encodeInlineExtent(extent, bytes))
      start = end
    }
  }

  #addStaged(member: Member, position: number): number {
    const { core, batches } = member
    const fileId = this.room!.staging.fileId
    member.place = STAGED
    core.tailBytes += member.sizeBytes
    if (core.staged.at(-1)?.fileId !== fileId) core.staged.push({ fileId, startOffset: batches[0]!.baseOffset })
    if (member.isSynced) this.syncsStaging = true
    else core.hasUnsyncedStaged = true
    return this.#addFileExtents(member, batches, fileId, position, this.stagedBuffers)
  }

  #addActive(member: Member): void {
    const { core } = member
    const active = core.active ?? this.#createActive(core)
    const tailStart = active.endOffset
    // What lies between the file and this group comes first, so that the file stays without holes.
    const behind = core.committedOffset > tailStart ? core.tail.between(tailStart, core.committedOffset)! : NO_BATCHES
    if (behind.length > 0) {
      const { gte, lt } = core.keys.extents(tailStart, core.committedOffset)
      this.batch.deleteRange(gte, lt)
      member.reshapes = true
      this.moves = true
      core.reshaping++
      core.tailBytes = 0
      core.hasUnsyncedStaged = false
    }
    const position = active.sizeBytes
    const buffers: Buffer[] = []
    const middle = this.#addFileExtents(member, behind, active.fileId, position, buffers)
    const end = this.#addFileExtents(member, member.batches, active.fileId, middle, buffers)
    this.activeWrites.push({ active, position, buffers, isNew: !active.isCreated, isSynced: member.isSynced })
    active.sizeBytes = end
    active.endOffset = member.endOffset
    active.isCreated = true
    active.hasUnsynced = !member.isSynced
  }

  #createActive(core: LogCore): ActiveFile {
    const active = newActiveFile(core, this.#parts)
    core.active = active
    core.needsState = true
    return active
  }

  #addFileExtents(
    member: Member,
    batches: readonly TailBatch[],
    fileId: number,
    position: number,
    buffers: Buffer[],
  ): number {
    const { core, isSynced, place } = member
    const origin = { place, isSyncedWithGroup: isSynced, group: this.id, fileId }
    for (let start = 0; start < batches.length;) {
      const end = extentEnd(core, batches, start)
      const extent = makeExtent(batches, start, end, origin, position)
      for (let at = start; at < end; at++) buffers.push(batches[at]!.bytes)
      this.batch.put(core.keys.extent(extent.baseOffset), encodeFileExtent(extent))
      position += extent.sizeBytes
      start = end
    }
    return position
  }

  #addProducers({ core, sizeBytes, endOffset }: Member): boolean {
    core.unsnapshottedBytes += sizeBytes
    if (core.unsnapshottedBytes < this.#parts.limits.producerSnapshotBytes) return false
    core.unsnapshottedBytes = 0
    if (core.producers.size === 0) return false
    this.batch.put(core.keys.producers(), core.producers.encode())
    core.producersOffset = endOffset
    return true
  }

  // Everything of the log that an earlier group left unsynced is due with a group that syncs it.
  #finishMember(member: Member): void {
    const { core } = member
    if (member.isSynced) {
      this.isSynced = true
      if (core.hasUnsyncedStaged) this.syncsStaging = true
      if (core.active?.hasUnsynced === true && member.place !== ACTIVE) this.activeSyncs.push(core.active)
    } else if (member.batches.length > 0) {
      this.hasUnsynced = true
    }
    for (const aborted of member.aborted ?? NO_ABORTED)
      this.batch.put(core.keys.aborted(aborted.lastOffset), encodeAborted(aborted))
    const hasSnapshot = this.#addProducers(member)
    if (!core.needsState && !hasSnapshot && (!core.isStoredClean || member.batches.length === 0)) return
    core.isStoredClean = false
    core.needsState = false
    this.batch.put(core.keys.state(), encodeLogState(core.state(false)))
  }
}

const NO_BATCHES: readonly TailBatch[] = []
const NO_ABORTED: readonly AbortedTransaction[] = []

/** A new, empty active file for the log; made on the disk by its first write. */
export function newActiveFile(core: LogCore, parts: Pick<GroupParts, 'segmentsFolder' | 'nextFileId'>): ActiveFile {
  const fileId = parts.nextFileId()
  return {
    fileId,
    path: segmentPath(parts.segmentsFolder, core, { baseOffset: core.activeBase, fileId }),
    sizeBytes: 0,
    endOffset: core.activeBase,
    isCreated: false,
    isNameSynced: false,
    hasUnsynced: false,
  }
}

/**
 * Whether a large write may go to the log's own file: nobody else moves bytes there, the file is not about to be sealed, and what
 * lies between the file and this group is at hand. What counts as synced already may only be rewritten by a commit that syncs.
 */
function canWriteActive({ core, sizeBytes, isSynced }: Member): boolean {
  if (core.isMoving || core.rolls.length > 0) return false
  if (core.committedOffset <= core.activeEndOffset) return true
  if (!isSynced && core.activeEndOffset < core.syncedOffset) return false
  return core.tailBytes <= Math.max(sizeBytes, MAX_EXTENT_BYTES) && core.tail.startOffset <= core.activeEndOffset
}
