// One partition's log: append, read, truncate, find by time. Owns the partition's offsets, epochs and producers; log-writer.ts makes
// appends durable, sealing.ts and retention.ts work on it in the background. Not here: who may append (replication/).
import { assert } from '../base/assert.ts'
import type { Uuid } from '../base/uuid.ts'
import type { LogConfig } from '../config/topic-config.ts'
import type { BatchHeader } from '../records/batch.ts'
import { readEndTransactionMarker } from '../records/control.ts'
import { storedAborted, type AbortedTransaction } from './aborted-transactions.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { CHANGED, CORRUPT, readCold } from './log-reader.ts'
import type { ProducerState } from './producer-state.ts'
import { deleteRecords } from './retention.ts'
import { StorageError } from './storage-error.ts'
import { findByTimestamp, findMaxTimestamp } from './time-lookup.ts'
import { restartAt, truncate } from './truncation.ts'

export type LogReadOptions = {
  /** Stop before more than this is read. */
  readonly maxBytes: number
  /** Exclusive: no batch that reaches beyond it is returned (high watermark, last stable offset or log end). */
  readonly endOffset: number
  /** Return the first batch even when it alone is larger than maxBytes. */
  readonly minOneBatch: boolean
}

/** Whole batches in offset order, the first one contains the offset asked for; empty at the end. A string: the offset is below logStartOffset or above endOffset. */
export type LogReadResult = readonly Buffer[] | 'offset-out-of-range'

export type OffsetAndTimestamp = { readonly offset: number; readonly timestamp: number; readonly leaderEpoch: number }

const NOTHING: readonly Buffer[] = []
const FEW_RECORDS_BYTES = 1024 * 1024
const DAMAGES: ReadonlySet<string> = new Set([CORRUPT, 'ENOENT', 'EIO'])

export class PartitionLog {
  readonly topicId: Uuid
  readonly partition: number
  readonly leaderEpochs: LeaderEpochs
  readonly producers: ProducerState
  /** Appends also when only the reserve of the disk is left: the metadata log, without which nobody could delete a topic. */
  usesReserve = false
  readonly #core: LogCore
  readonly #parts: LogParts

  /** Made by LogDirectory only. */
  constructor(core: LogCore, parts: LogParts) {
    this.#core = core
    this.#parts = parts
    this.topicId = core.topicId
    this.partition = core.partition
    this.leaderEpochs = core.epochs
    this.producers = core.producers
  }

  get topicName(): string {
    return this.#core.topicName
  }

  /** First offset that may be read. */
  get logStartOffset(): number {
    return this.#core.logStartOffset
  }

  /** The next offset, appends in flight included. */
  get endOffset(): number {
    return this.#core.endOffset
  }

  /** Exclusive; everything below counts as stored under the topic's flush policy (by default: it is on the disk). */
  get flushedOffset(): number {
    return this.#core.flushedOffset
  }

  /** Exclusive; everything below is on the disk, whatever the flush policy says. */
  get syncedOffset(): number {
    return this.#core.syncedOffset
  }

  /** Bytes of all batches that the log holds. */
  get sizeBytes(): number {
    return this.#core.sizeBytes
  }

  /** True when the log, or the directory it is in, has failed: appends reject with StorageError. */
  get isOffline(): boolean {
    return this.#failure() !== null
  }

  /** Whether an append of a few records would be taken at this moment: the log works, and the disk and the queue have room. */
  get takesAppends(): boolean {
    return this.#refusal(FEW_RECORDS_BYTES) === null
  }

  /** True when the log itself has failed: reads reject too. A directory that takes no writes any more can still be read. */
  get isUnreadable(): boolean {
    return this.#core.error !== null
  }

  /** Retention deletes nothing at or above this offset: the replica's high watermark. Without it, flushedOffset is the bound. */
  set deletableOffset(offset: number) {
    this.#core.deletableOffset = offset
  }

  configure(config: LogConfig): void {
    this.#core.config = config
  }

  /**
   * Appends one whole v2 batch whose offsets and epoch are set, baseOffset >= endOffset. Synchronous up to queueing: endOffset,
   * leaderEpochs and producers have moved when it returns. Resolves when the batch is stored under the flush policy; rejects with
   * StorageError, and then nothing has moved if the append was refused (log offline, disk nearly full, queue full).
   */
  append(batch: Buffer, header: BatchHeader): Promise<void> {
    const refusal = this.#refusal(batch.length)
    if (refusal !== null) return Promise.reject(refusal)
    const core = this.#core
    assert(header.baseOffset >= core.endOffset, 'offsets of a log only grow')
    assert(!core.isTruncating, 'nobody appends to a log that is being cut')
    const tailBatch = {
      bytes: batch,
      baseOffset: header.baseOffset,
      lastOffset: header.lastOffset,
      maxTimestamp: header.maxTimestamp,
      leaderEpoch: header.leaderEpoch,
    }
    const marker = header.isControl ? readEndTransactionMarker(batch) : null
    core.add(tailBatch, header, marker, this.#parts.clock.now())
    this.#parts.cache.add(core.tail, tailBatch)
    return this.#parts.writer.append(core, tailBatch)
  }

  /** Calls `listener` after each group commit in which flushedOffset or logStartOffset moved. */
  onAdvance(listener: () => void): void {
    this.#core.listeners.push(listener)
  }

  /** A plain value when the tail cache has it, a promise when the disk is needed. Rejects with StorageError. */
  read(offset: number, options: LogReadOptions): LogReadResult | Promise<LogReadResult> {
    const core = this.#core
    if (offset < core.logStartOffset || offset > core.endOffset) return 'offset-out-of-range'
    if (core.error !== null) return Promise.reject(core.error)
    if (offset >= options.endOffset || offset === core.endOffset) return NOTHING
    return (
      core.tail.read(offset, options.endOffset, options.maxBytes, options.minOneBatch) ??
      this.#readCold(offset, options)
    )
  }

  async #readCold(offset: number, options: LogReadOptions): Promise<LogReadResult> {
    const core = this.#core
    try {
      const found = await this.#steadily(() => readCold(core, this.#parts, offset, options))
      // Retention or a truncation may have taken it away meanwhile.
      return offset < core.logStartOffset || offset > core.endOffset ? 'offset-out-of-range' : found
    } catch (error) {
      if (offset < core.logStartOffset || offset > core.endOffset) return 'offset-out-of-range'
      throw this.#noted(error)
    }
  }

  /**
   * The aborted transactions with a record in [from, to); `to` is at most the last stable offset. A plain value when memory has them, a promise
   * when the store is asked. Rejects with StorageError.
   */
  abortedTransactions(
    from: number,
    to: number,
  ): readonly AbortedTransaction[] | Promise<readonly AbortedTransaction[]> {
    return this.#core.aborted.recent(from, to) ?? storedAborted(this.#parts.store, this.#core.keys, from, to)
  }

  /** The first record with a timestamp at or above `timestamp`. */
  async offsetForTimestamp(timestamp: number): Promise<OffsetAndTimestamp | null> {
    return this.#looking(() => findByTimestamp(this.#core, this.#parts, timestamp))
  }

  /** The record with the highest timestamp, the first of equals. */
  async maxTimestamp(): Promise<OffsetAndTimestamp | null> {
    return this.#looking(() => findMaxTimestamp(this.#core, this.#parts))
  }

  async #looking<T>(look: () => Promise<T>): Promise<T> {
    if (this.#core.error !== null) throw this.#core.error
    try {
      return await this.#steadily(look)
    } catch (error) {
      throw this.#noted(error)
    }
  }

  /** A read that loses to background work again and again gets the log to itself. */
  async #steadily<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== CHANGED) throw error
    }
    const core = this.#core
    return core.exclusive(async () => {
      core.isMoving = true
      try {
        return await read()
      } finally {
        core.isMoving = false
      }
    })
  }

  /** Moves logStartOffset up to `offset` (never beyond endOffset, never back); resolves with it when that is on the disk. */
  deleteRecordsBefore(offset: number): Promise<number> {
    return this.#changing(() => deleteRecords(this.#core, this.#parts, offset))
  }

  /** Cuts the log to end at `endOffset` (a batch that reaches across goes whole); resolves when that is on the disk. Nobody may append meanwhile. */
  truncate(endOffset: number): Promise<void> {
    return this.#changing(() => truncate(this.#core, this.#parts, endOffset))
  }

  /** Empties the log so that it starts and ends at `offset`: a follower that is behind its leader's log start. Nobody may append meanwhile. */
  truncateFullyAndStartAt(offset: number): Promise<void> {
    return this.#changing(() => restartAt(this.#core, this.#parts, offset))
  }

  /** Everything appended before the call is on the disk, and the log's existence with it. */
  flush(): Promise<void> {
    const failure = this.#failure()
    return failure === null ? this.#parts.writer.flush(this.#core) : Promise.reject(failure)
  }

  async #changing<T>(change: () => Promise<T>): Promise<T> {
    const failure = this.#failure()
    if (failure !== null) throw failure
    try {
      return await this.#core.exclusive(change)
    } catch (error) {
      throw this.#noted(error)
    }
  }

  #failure(): StorageError | null {
    return this.#core.error ?? this.#parts.writer.failure
  }

  #refusal(sizeBytes: number): StorageError | null {
    const failure = this.#failure() ?? (this.usesReserve ? null : this.#parts.reserveError())
    if (failure !== null) return failure
    if (this.#core.isRemoved) return new StorageError(`${this.#core.name} was removed`)
    if (this.#parts.writer.hasRoomFor(sizeBytes)) return null
    return new StorageError(`${this.#core.name}: ${this.#parts.writer.queuedBytes} bytes wait to be written already`)
  }

  // Bytes that are not there, or not what the log says, take this log offline: its leader has them right.
  #noted(error: unknown): unknown {
    if (error instanceof StorageError && DAMAGES.has(error.code ?? '') && this.#core.error === null) {
      this.#core.error = error
      this.#parts.log.error({ partition: this.#core.name, error: error.message }, 'the log is corrupt and goes offline')
    }
    return error
  }
}
