// One partition's log: append, read, truncate, find by time. Owns the partition's offsets, epochs and producers; log-writer.ts makes
// appends durable, sealing.ts and retention.ts work on it in the background. Not here: who may append (replication/).
import type { Uuid } from '../base/uuid.ts'
import type { LogConfig } from '../config/topic-config.ts'
import type { BatchHeader } from '../records/batch.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { ProducerState } from './producer-state.ts'

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

export class PartitionLog {
  readonly topicId: Uuid
  readonly partition: number
  topicName: string
  readonly leaderEpochs!: LeaderEpochs
  readonly producers!: ProducerState

  constructor(topicId: Uuid, partition: number, topicName: string) {
    this.topicId = topicId
    this.partition = partition
    this.topicName = topicName
  }

  /** First offset that may be read. */
  get logStartOffset(): number {
    return 0
  }

  /** The next offset, appends in flight included. */
  get endOffset(): number {
    return 0
  }

  /** Exclusive; everything below counts as stored under the topic's flush policy (by default: it is on the disk). */
  get flushedOffset(): number {
    return 0
  }

  /** Exclusive; everything below is on the disk, whatever the flush policy says. */
  get syncedOffset(): number {
    return 0
  }

  /** Bytes of all batches that the log holds. */
  get sizeBytes(): number {
    return 0
  }

  /** True when the log has failed: appends and reads reject with StorageError. */
  get isOffline(): boolean {
    return false
  }

  configure(_config: LogConfig): void {}

  /**
   * Appends one whole v2 batch whose offsets and epoch are set, baseOffset >= endOffset. Synchronous up to queueing: endOffset,
   * leaderEpochs and producers have moved when it returns. Resolves when the batch is stored under the flush policy; rejects with StorageError.
   */
  append(_batch: Buffer, _header: BatchHeader): Promise<void> {
    return Promise.reject(new Error('not there'))
  }

  /** Calls `listener` after each group commit in which flushedOffset or logStartOffset moved. */
  onAdvance(_listener: () => void): void {}

  /** A plain value when the tail cache has it, a promise when the disk is needed. Rejects with StorageError. */
  read(_offset: number, _options: LogReadOptions): LogReadResult | Promise<LogReadResult> {
    return []
  }

  /** The first record with a timestamp at or above `timestamp`. */
  offsetForTimestamp(_timestamp: number): Promise<OffsetAndTimestamp | null> {
    return Promise.resolve(null)
  }

  /** The record with the highest timestamp, the first of equals. */
  maxTimestamp(): Promise<OffsetAndTimestamp | null> {
    return Promise.resolve(null)
  }

  /** Moves logStartOffset up to `offset` (never beyond endOffset, never back); resolves with it when that is on the disk. */
  deleteRecordsBefore(offset: number): Promise<number> {
    return Promise.resolve(offset)
  }

  /** Cuts the log to end at `endOffset` (a batch that reaches across goes whole); resolves when that is on the disk. */
  truncate(_endOffset: number): Promise<void> {
    return Promise.resolve()
  }

  /** Empties the log so that it starts and ends at `offset`: a follower that is behind its leader's log start. */
  truncateFullyAndStartAt(_offset: number): Promise<void> {
    return Promise.resolve()
  }

  /** Everything appended before the call is on the disk, and the log's existence with it. */
  flush(): Promise<void> {
    return Promise.resolve()
  }
}
