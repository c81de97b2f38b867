// What all partition logs of a data directory share, and the bounds they live in. log-directory.ts builds it.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { PlaceLimits } from './commit-group.ts'
import type { FilePool } from './file-pool.ts'
import type { Files } from './files.ts'
import type { IndexCache } from './index-cache.ts'
import type { LogWriter } from './log-writer.ts'
import type { LogFolders } from './segment.ts'
import type { Staging } from './staging.ts'
import type { StorageError } from './storage-error.ts'
import type { Store } from './store.ts'
import type { TailCache } from './tail-cache.ts'

/** Bounds and measured choices; `defaultLogLimits` has the values that docs/storage.md explains. Sizes in bytes. */
export type LogLimits = PlaceLimits & {
  /** Memory of the tail cache, for the whole broker. */
  readonly cacheBytes: number
  /** Appended and not committed yet; above it appends are refused with StorageError. */
  readonly queuedBytes: number
  /** Appends are refused while less than this is free on the disk. */
  readonly diskReserveBytes: number
  readonly retentionCheckIntervalMs: number
  readonly producerIdExpirationMs: number
  readonly producerIdExpirationCheckIntervalMs: number
  /** One staging file; a new one begins when it is full. */
  readonly stagingFileBytes: number
  /** All staging files together; above it the oldest is emptied first. */
  readonly stagingBytes: number
  /** Committed bytes behind a log's active file that make it worth moving them there. */
  readonly moveBytes: number
  /** Segment and staging files that stay open. */
  readonly openFiles: number
  /** Memory for sparse indexes that were read. */
  readonly indexCacheBytes: number
  /** A log that got nothing for so long is written down as clean, so that a crash leaves nothing to check. */
  readonly settleMs: number
}

const KIB = 1024
const MIB = 1024 * KIB

export const defaultLogLimits: LogLimits = {
  inlineGroupBytes: 16 * KIB,
  inlineLogBytes: 512,
  ownFileBytes: 256 * KIB,
  ownFileUnsyncedBytes: 32 * KIB,
  producerSnapshotBytes: 16 * MIB,
  cacheBytes: 64 * MIB,
  queuedBytes: 64 * MIB,
  diskReserveBytes: 256 * MIB,
  retentionCheckIntervalMs: 300_000,
  producerIdExpirationMs: 86_400_000,
  producerIdExpirationCheckIntervalMs: 600_000,
  stagingFileBytes: 64 * MIB,
  stagingBytes: 1024 * MIB,
  moveBytes: MIB,
  openFiles: 512,
  indexCacheBytes: 16 * MIB,
  settleMs: 2_000,
}

export type LogParts = {
  readonly store: Store
  readonly files: Files
  readonly pool: FilePool
  readonly staging: Staging
  readonly cache: TailCache
  readonly indexes: IndexCache
  readonly writer: LogWriter
  readonly clock: Clock
  readonly log: Logger
  readonly limits: LogLimits
  readonly folders: LogFolders
  nextFileId(): number
  /** Why appends are refused to keep room on the disk, or null. */
  reserveError(): StorageError | null
  /** Whether so many bytes more may be written without touching the disk's reserve. */
  hasRoomFor(sizeBytes: number): boolean
  /** Removes a file some time after nobody needs it any more. */
  removeLater(path: string, delayMs: number): void
}
