// All partition logs of one data directory: opens them, creates and removes them, and runs what they share (group commit, tail cache,
// sealing, retention). Goes offline as a whole when its disk fails.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Uuid } from '../base/uuid.ts'
import type { LogConfig } from '../config/topic-config.ts'
import type { DataDirectory } from './data-directory.ts'
import type { Files } from './files.ts'
import { PartitionLog } from './partition-log.ts'
import type { Store } from './store.ts'

/** Bounds and measured choices; `defaultLogLimits` has the values of docs/storage.md. */
export type LogLimits = {
  /** Batches below it live in the store, others in segment files. */
  readonly inlineLimitBytes: number
  /** Memory of the tail cache, for the whole broker. */
  readonly cacheBytes: number
  /** Bytes appended and not committed yet; above it appends are refused with StorageError. */
  readonly queuedBytes: number
  /** Appends are refused while less than this is free on the disk. */
  readonly diskReserveBytes: number
  readonly retentionCheckIntervalMs: number
  readonly producerIdExpirationMs: number
}

export const defaultLogLimits: LogLimits = {
  inlineLimitBytes: 16 * 1024,
  cacheBytes: 64 * 1024 * 1024,
  queuedBytes: 64 * 1024 * 1024,
  diskReserveBytes: 256 * 1024 * 1024,
  retentionCheckIntervalMs: 300_000,
  producerIdExpirationMs: 86_400_000,
}

export type LogDirectoryOptions = {
  readonly directory: DataDirectory
  readonly store: Store
  readonly files: Files
  readonly clock: Clock
  readonly log: Logger
  readonly limits: LogLimits
}

export class LogDirectory {
  /** Recovers every log of the directory. Throws StorageError when the store cannot be read. */
  static open(_options: LogDirectoryOptions): Promise<LogDirectory> {
    return Promise.resolve(new LogDirectory())
  }

  log(_topicId: Uuid, _partition: number): PartitionLog | undefined {
    return undefined
  }

  /** A new, empty log; durable with its first commit or `flush`. */
  create(topicId: Uuid, partition: number, topicName: string, _config: LogConfig): PartitionLog {
    return new PartitionLog(topicId, partition, topicName)
  }

  /** Forgets the log at once; its files go after file.delete.delay.ms. Resolves when the removal is on the disk. */
  remove(_topicId: Uuid, _partition: number): Promise<void> {
    return Promise.resolve()
  }

  logs(): Iterable<PartitionLog> {
    return []
  }

  get isOffline(): boolean {
    return false
  }

  /** Called once, with the cause, when the directory goes offline. */
  onOffline(_listener: (cause: Error) => void): void {}

  get usableBytes(): number {
    return 0
  }

  get totalBytes(): number {
    return 0
  }

  /** Flushes everything, writes the clean-stop state, stops the background work. Does not close the store or the data directory. */
  close(): Promise<void> {
    return Promise.resolve()
  }
}
