// The state of one partition log in memory, shared by the files of this folder: partition-log.ts shows it to the rest of the broker,
// log-writer.ts moves it forward, sealing.ts, truncation.ts and retention.ts reshape it. Appends change it synchronously; every other
// change takes `exclusive` first, is made in one commit of the writer, and shows here when that commit is done.
//
//   logStartOffset       activeBase          activeEndOffset                committedOffset     endOffset
//         |                  |                      |                              |                |
//   ------+-- sealed segments -+-- active segment file -+-- inline and staged extents --+-- in flight --+
//              (immutable)      \________________ extents in the store ______________/
import type { Uuid } from '../base/uuid.ts'
import type { LogConfig } from '../config/topic-config.ts'
import type { BatchHeader } from '../records/batch.ts'
import type { EndTransactionMarker } from '../records/control.ts'
import { AbortedTransactions, type AbortedTransaction } from './aborted-transactions.ts'
import { LogKeys } from './keys.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { LogState } from './log-state.ts'
import { ProducerState } from './producer-state.ts'
import type { Segment } from './segment.ts'
import type { StorageError } from './storage-error.ts'
import { Tail, type TailBatch } from './tail-cache.ts'

/** The log's own file behind its sealed segments: the beginning of the next sealed segment, in offset order without holes. */
export type ActiveFile = {
  readonly fileId: number
  readonly path: string
  sizeBytes: number
  /** Exclusive: the file holds the log from activeBase to here. */
  endOffset: number
  /** The file exists: it was opened once. */
  isCreated: boolean
  isNameSynced: boolean
  hasUnsynced: boolean
}

/** The active segment ends before `offset`; `producers` is the producer state there. */
export type Roll = { readonly offset: number; readonly producers: Buffer }

/** The batches from `startOffset` on, up to that of the next range, are in this staging file or inline. */
export type StagedRange = { readonly fileId: number; readonly startOffset: number }

const NO_TIMESTAMP = -1
const MAX_CURSORS = 8
/** An index entry keeps offsets relative to the segment's base in 31 bits, as in Kafka. */
const MAX_SEGMENT_OFFSETS = 2 ** 31 - 1

export class LogCore {
  readonly topicId: Uuid
  readonly partition: number
  topicName: string
  config: LogConfig
  readonly keys: LogKeys
  readonly epochs: LeaderEpochs
  readonly producers = new ProducerState()
  readonly aborted = new AbortedTransactions()
  readonly tail = new Tail()

  logStartOffset = 0
  endOffset = 0
  committedOffset = 0
  flushedOffset = 0
  syncedOffset = 0
  /** Retention keeps what is at or above it. The replica moves it with its high watermark. */
  deletableOffset = Infinity

  segments: Segment[] = []
  sealedBytes = 0
  /** Exclusive: up to here the log was compacted. */
  cleanedOffset = 0
  activeBase = 0
  active: ActiveFile | null = null
  /** Bytes of all batches that are not sealed, appends in flight included. */
  hotBytes = 0
  /** Committed bytes behind the active file: what waits to be moved there. */
  tailBytes = 0
  staged: StagedRange[] = []
  rolls: Roll[] = []
  /** Of the newest segment only; it begins at the last roll. */
  segmentBytes = 0
  segmentBase = 0
  firstTimestamp = NO_TIMESTAMP
  firstAppendMs = 0
  segmentMaxTimestamp = NO_TIMESTAMP
  segmentMaxTimestampOffset = 0
  /** Of the part that is not sealed; the offset is that of the batch, or of its extent if the log was read from the disk. */
  maxTimestamp = NO_TIMESTAMP
  maxTimestampOffset = 0

  pending: TailBatch[] = []
  pendingBytes = 0
  /** Aborted by markers that are pending; null: none are. */
  pendingAborted: AbortedTransaction[] | null = null
  isQueued = false
  /** The next group commit must sync this log. */
  isDue = false
  unsyncedRecords = 0
  firstUnsyncedMs = 0
  hasUnsyncedStaged = false
  /** The store says that nothing is to be recovered; false as soon as an append makes that untrue. */
  isStoredClean = false
  needsState = true
  /** The offset that the stored producers stand for, and the bytes behind it. */
  producersOffset = 0
  unsnapshottedBytes = 0
  lastAppendMs = 0

  /** The log is being cut: nobody may append. */
  isTruncating = false
  /** Somebody who has the log to himself moves bytes into the active file, or needs all bytes to stay where they are. */
  isMoving = false
  /** Commits under way that replace extents: until they are done the store may be ahead of this object. */
  reshaping = 0
  /** Counts finished reshapings. */
  shapeVersion = 0
  isRemoved = false
  /** Why this log is offline. */
  error: StorageError | null = null

  readonly listeners: (() => void)[] = []
  #notifiedFlushed = 0
  #notifiedStart = 0
  #cursors: { readonly fileId: number; readonly offset: number; readonly position: number }[] | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(topicId: Uuid, partition: number, topicName: string, config: LogConfig, epochs = new LeaderEpochs()) {
    this.topicId = topicId
    this.partition = partition
    this.topicName = topicName
    this.config = config
    this.keys = new LogKeys(topicId, partition)
    this.epochs = epochs
  }

  get name(): string {
    return `${this.topicName}-${this.partition}`
  }

  get sizeBytes(): number {
    return this.sealedBytes + this.hotBytes
  }

  /** Exclusive end of what the active file holds: there the inline and staged extents begin. */
  get activeEndOffset(): number {
    return this.active?.endOffset ?? this.activeBase
  }

  /** Runs `work` when earlier exclusive work on this log has ended. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#last.then(work, work)
    this.#last = run.catch(() => {})
    return run
  }

  /** The synchronous part of an append; with the marker that a control batch holds. */
  add(batch: TailBatch, header: BatchHeader, marker: EndTransactionMarker | null, nowMs: number): void {
    const sizeBytes = batch.bytes.length
    if (this.#mustRoll(header, sizeBytes, nowMs)) this.roll(header.baseOffset)
    if (this.segmentBytes === 0) this.#beginSegment(header, nowMs)
    this.segmentBytes += sizeBytes
    this.hotBytes += sizeBytes
    this.pendingBytes += sizeBytes
    this.pending.push(batch)
    this.endOffset = header.lastOffset + 1
    this.lastAppendMs = nowMs
    if (header.maxTimestamp > this.segmentMaxTimestamp) {
      this.segmentMaxTimestamp = header.maxTimestamp
      this.segmentMaxTimestampOffset = header.baseOffset
    }
    if (header.maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = header.maxTimestamp
      this.maxTimestampOffset = header.baseOffset
    }
    if (header.leaderEpoch >= 0) this.epochs.assign(header.leaderEpoch, header.baseOffset)
    if (header.producerId >= 0) this.#applyToProducers(header, marker)
    if (this.unsyncedRecords === 0) this.firstUnsyncedMs = nowMs
    // A batch that compaction has emptied counts, too.
    this.unsyncedRecords += Math.max(1, header.recordCount)
    if (this.unsyncedRecords >= this.config.flushMessages && this.config.flushMessages > 0) this.isDue = true
  }

  #applyToProducers(header: BatchHeader, marker: EndTransactionMarker | null): void {
    const ended = this.producers.apply(header, marker)
    if (ended === null || marker?.result !== 'abort') return
    const firstOpen = this.producers.firstOpenOffset
    const aborted = { ...ended, lastStableOffset: firstOpen < 0 ? ended.lastOffset + 1 : firstOpen }
    this.aborted.add(aborted)
    this.pendingAborted ??= []
    this.pendingAborted.push(aborted)
  }

  #beginSegment(header: BatchHeader, nowMs: number): void {
    this.segmentBase = header.baseOffset
    this.segmentMaxTimestamp = NO_TIMESTAMP
    this.firstTimestamp = header.maxTimestamp
    this.firstAppendMs = nowMs
  }

  /** The active segment ends before `offset`; what comes belongs to the next one. */
  roll(offset: number): void {
    this.rolls.push({ offset, producers: this.producers.encode() })
    this.segmentBytes = 0
    this.segmentBase = offset
  }

  /** Ends the active segment, if it has something and began before `timestamp`. Returns whether it did. */
  endIfOlderThan(timestamp: number): boolean {
    if (this.segmentBytes === 0 || this.isTruncating) return false
    const beganMs = this.firstTimestamp >= 0 ? this.firstTimestamp : this.firstAppendMs || this.lastAppendMs
    if (beganMs >= timestamp) return false
    this.roll(this.endOffset)
    return true
  }

  // As Kafka's LogSegment.shouldRoll; the time counts from the first batch of the segment, by the producers' clocks where they give one.
  #mustRoll(header: BatchHeader, sizeBytes: number, nowMs: number): boolean {
    if (this.segmentBytes === 0) return false
    const { segmentBytes } = this.config
    const segmentMs = maxSegmentMs(this.config)
    if (this.segmentBytes + sizeBytes > segmentBytes) return true
    if (header.lastOffset - this.segmentBase > MAX_SEGMENT_OFFSETS) return true
    if (segmentMs < 0) return false
    const hasTimestamps = this.firstTimestamp >= 0 && header.maxTimestamp >= 0
    const waitedMs = hasTimestamps ? header.maxTimestamp - this.firstTimestamp : nowMs - this.firstAppendMs
    return waitedMs > segmentMs - this.#jitterMs()
  }

  // Different for every segment, so that partitions created together do not roll together.
  #jitterMs(): number {
    const limitMs = Math.min(this.config.segmentJitterMs, maxSegmentMs(this.config))
    if (limitMs <= 0) return 0
    const mixed = Math.imul(this.partition + 1, 0x9e3779b1) ^ Math.imul(this.segmentBase + 1, 0x85ebca6b)
    return (mixed >>> 0) % limitMs
  }

  /** What the store keeps of it. `isClean` only when all is synced, nothing is in flight and the producers are stored as of endOffset. */
  state(isClean: boolean): LogState {
    return {
      isClean,
      logStartOffset: this.logStartOffset,
      activeBase: this.activeBase,
      syncedOffset: this.syncedOffset,
      endOffset: this.endOffset,
      producersOffset: this.producersOffset,
      activeFileId: this.active?.fileId ?? 0,
      activeSizeBytes: this.active?.sizeBytes ?? 0,
      activeEndOffset: this.activeEndOffset,
      hotBytes: this.hotBytes,
      firstTimestamp: this.firstTimestamp,
      maxTimestamp: this.maxTimestamp,
      maxTimestampOffset: this.maxTimestampOffset,
      oldestStagingFile: this.staged[0]?.fileId ?? 0,
      cleanedOffset: this.cleanedOffset,
      epochs: this.epochs.entries(),
      topicName: this.topicName,
    }
  }

  /** The position in a segment file where the batch with base offset `offset` begins, if a read ended just before it; else -1. */
  cursor(fileId: number, offset: number): number {
    if (this.#cursors === null) return -1
    for (const cursor of this.#cursors) if (cursor.offset === offset && cursor.fileId === fileId) return cursor.position
    return -1
  }

  /** Whoever reads on from `offset` in this file finds it at `position`. Remembers a few readers. */
  rememberCursor(fileId: number, offset: number, position: number): void {
    this.#cursors ??= []
    if (this.#cursors.length === MAX_CURSORS) this.#cursors.shift()
    this.#cursors.push({ fileId, offset, position })
  }

  /** Drops what is known of staging files whose batches all lie below `offset`. */
  trimStaged(offset: number): void {
    if (offset >= this.committedOffset) {
      this.staged = []
      return
    }
    while (this.staged.length > 1 && this.staged[1]!.startOffset <= offset) this.staged.shift()
  }

  /** Tells the listeners if flushedOffset or logStartOffset moved since they were told. They may append: the next group takes that up. */
  notifyIfMoved(): void {
    if (this.flushedOffset === this.#notifiedFlushed && this.logStartOffset === this.#notifiedStart) return
    this.#notifiedFlushed = this.flushedOffset
    this.#notifiedStart = this.logStartOffset
    for (const listener of this.listeners) listener()
  }
}

// What is never sealed is never compacted (KIP-354).
function maxSegmentMs({ cleanupPolicy, segmentMs, maxCompactionLagMs }: LogConfig): number {
  if (!cleanupPolicy.has('compact') || maxCompactionLagMs === Number.MAX_SAFE_INTEGER) return segmentMs
  return segmentMs < 0 ? maxCompactionLagMs : Math.min(segmentMs, maxCompactionLagMs)
}
