// All partition logs of one data directory: opens them, creates and removes them, and wires what they share (group commit, staging,
// tail cache, sealing, upkeep). Goes offline as a whole when its disk fails.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Uuid } from '../base/uuid.ts'
import type { CleanerConfig } from '../config/cleaner-config.ts'
import type { LogConfig } from '../config/topic-config.ts'
import type { DataDirectory } from './data-directory.ts'
import { DoomedFiles } from './doomed-files.ts'
import { FilePool } from './file-pool.ts'
import type { Files } from './files.ts'
import { IndexCache } from './index-cache.ts'
import { PROGRESS_KEY } from './keys.ts'
import { defaultCleanerConfig, LogCleaner, type CleanerView } from './cleaner/log-cleaner.ts'
import { LogCore } from './log-core.ts'
import { largestFileId, loadLogs } from './log-loader.ts'
import type { LogLimits, LogParts } from './log-parts.ts'
import { decodeProgress, type Progress } from './log-state.ts'
import { LogWriter } from './log-writer.ts'
import { PartitionLog } from './partition-log.ts'
import { Sealer } from './sealer.ts'
import { logFolders, segmentPath, type LogFolders } from './segment.ts'
import { Staging } from './staging.ts'
import { StorageError } from './storage-error.ts'
import type { Store } from './store.ts'
import { TailCache } from './tail-cache.ts'
import { settle, Upkeep } from './upkeep.ts'

export { defaultLogLimits, type LogLimits } from './log-parts.ts'

export type LogDirectoryOptions = {
  readonly directory: Pick<DataDirectory, 'path' | 'isCleanStart'>
  readonly store: Store
  readonly files: Files
  readonly clock: Clock
  readonly log: Logger
  readonly limits: LogLimits
  readonly cleaner?: CleanerConfig
}

type Slot = { readonly core: LogCore; readonly log: PartitionLog }

export class LogDirectory {
  readonly #options: LogDirectoryOptions
  readonly #parts: LogParts
  readonly #doomed: DoomedFiles
  readonly #sealer: Sealer
  readonly #cleaner: LogCleaner
  // By topic id, then by partition.
  readonly #topics = new Map<Uuid, Map<number, Slot>>()
  // Gone from the map, but not from the disk yet.
  readonly #removing = new Set<LogCore>()
  readonly #offlineListeners: ((cause: Error) => void)[] = []
  #upkeep: Upkeep | null = null
  #usableBytes = 0
  #totalBytes = 0
  #reserveError: StorageError | null = null
  // What the writer had appended when the disk was last looked at.
  #appendedAtLook = 0
  #isOffline = false
  #closing: Promise<void> | null = null

  /** Recovers every log of the directory. Rejects with StorageError when the store or the disk fails. */
  static async open(options: LogDirectoryOptions): Promise<LogDirectory> {
    const { directory, store, files, log } = options
    const folders = logFolders(directory.path)
    for (const folder of [folders.segments, folders.staging]) await files.makeFolder(folder)
    await files.syncFolder(directory.path)
    const progress = decodeProgress(await store.get(PROGRESS_KEY))
    const opened = new LogDirectory(options, folders, progress, await largestFileId(files, folders))
    await opened.#checkSpace()
    const { cores, recovered } = await loadLogs(opened.#parts, progress, directory.isCleanStart)
    for (const core of cores) opened.#add(core)
    if (cores.length > 0) log.info({ logs: cores.length, recovered }, 'partition logs opened')
    for (const core of cores) opened.#sealer.consider(core)
    opened.#upkeep = new Upkeep(opened.#parts, { logs: () => opened.#cores(), housekeep: () => opened.#housekeep() })
    opened.#cleaner.start()
    return opened
  }

  private constructor(options: LogDirectoryOptions, folders: LogFolders, progress: Progress, largestId: number) {
    const { store, files, clock, log, limits } = options
    this.#options = options
    let fileId = largestId
    const nextFileId = (): number => ++fileId
    const pool = new FilePool(files, limits.openFiles)
    const staging = new Staging(files, pool, folders.staging, limits.stagingFileBytes, nextFileId)
    const cache = new TailCache(limits.cacheBytes)
    this.#doomed = new DoomedFiles(files, pool, clock)
    const writer = new LogWriter(
      {
        store,
        files,
        pool,
        staging,
        cache,
        limits,
        segmentsFolder: folders.segments,
        queuedBytes: limits.queuedBytes,
        nextFileId,
        onFailure: error => this.#goOffline(error),
        onCommitted: members => this.#sealer.onCommitted(members),
      },
      // What was not synced when the last process ended is by the time the first group is committed.
      { group: progress.group, syncedGroup: progress.group },
    )
    this.#parts = {
      store,
      files,
      pool,
      staging,
      cache,
      indexes: new IndexCache(store, limits.indexCacheBytes),
      writer,
      clock,
      log,
      limits,
      folders,
      nextFileId,
      reserveError: () => this.#reserveError ?? this.#reserveErrorSince(),
      hasRoomFor: sizeBytes => this.#roomBytes() - sizeBytes >= limits.diskReserveBytes,
      removeLater: (path, delayMs) => this.#doomed.add(path, delayMs),
    }
    this.#sealer = new Sealer(this.#parts, () => this.#coresOnDisk())
    const rolled = (core: LogCore): void => this.#sealer.consider(core)
    this.#cleaner = new LogCleaner(this.#parts, () => this.#cores(), rolled, options.cleaner ?? defaultCleanerConfig)
  }

  log(topicId: Uuid, partition: number): PartitionLog | undefined {
    return this.#topics.get(topicId)?.get(partition)?.log
  }

  /** A new, empty log; durable with its first commit or `flush`. There must be none of this name. */
  create(topicId: Uuid, partition: number, topicName: string, config: LogConfig): PartitionLog {
    assert(this.log(topicId, partition) === undefined, 'a log is created once')
    const core = new LogCore(topicId, partition, topicName, config)
    core.lastAppendMs = this.#parts.clock.now()
    if (this.#parts.writer.failure === null) this.#parts.writer.enqueue(core)
    return this.#add(core)
  }

  /** Forgets the log at once; its files go after file.delete.delay.ms. Resolves when the removal is on the disk. Rejects with StorageError. */
  async remove(topicId: Uuid, partition: number): Promise<void> {
    const partitions = this.#topics.get(topicId)
    const core = partitions?.get(partition)?.core
    if (partitions === undefined || core === undefined) return
    partitions.delete(partition)
    if (partitions.size === 0) this.#topics.delete(topicId)
    core.isRemoved = true
    this.#removing.add(core)
    this.#parts.cache.truncate(core.tail, 0)
    await this.#parts.writer.change({
      isSynced: true,
      comesFirst: true,
      fill(batch) {
        batch.delete(core.keys.state())
        batch.delete(core.keys.producers())
        for (const { gte, lt } of core.keys.everythingWithOffset()) batch.deleteRange(gte, lt)
        return true
      },
      done: () => this.#removing.delete(core),
    })
    // What moves its bytes at this moment notices at its commit that there is nothing to move any more.
    await core.exclusive(() => Promise.resolve())
    const paths = core.segments.map(segment => segmentPath(this.#parts.folders.segments, core, segment))
    if (core.active !== null) paths.push(core.active.path)
    for (const path of paths) this.#doomed.add(path, core.config.fileDeleteDelayMs)
  }

  *logs(): IterableIterator<PartitionLog> {
    for (const partitions of this.#topics.values()) for (const { log } of partitions.values()) yield log
  }

  get isOffline(): boolean {
    return this.#isOffline
  }

  /** Called once, with the cause, when the directory goes offline; at once if it is. */
  onOffline(listener: (cause: Error) => void): void {
    const { failure } = this.#parts.writer
    if (this.#isOffline && failure !== null) listener(failure)
    else this.#offlineListeners.push(listener)
  }

  /** What may still be written to the file system, as of the last look (twice a second). */
  get usableBytes(): number {
    return this.#usableBytes
  }

  get totalBytes(): number {
    return this.#totalBytes
  }

  /** Bytes appended and not committed; at its bound appends are refused. */
  get queuedBytes(): number {
    return this.#parts.writer.queuedBytes
  }

  /** Bytes of memory that the tail cache keeps. */
  get cachedBytes(): number {
    return this.#parts.cache.sizeBytes
  }

  /** Bytes of the staging files. */
  get stagingBytes(): number {
    return this.#parts.staging.sizeBytes
  }

  /** Applies retention to every log at once, instead of waiting for the interval. */
  async runRetention(): Promise<void> {
    await this.#upkeep?.runRetention()
    await this.#doomed.removeDue()
  }

  /** Cleans every compacted log that is worth it at once, instead of waiting for log.cleaner.backoff.ms. */
  runCleaner(): Promise<void> {
    return this.#cleaner.cleanAll()
  }

  configureCleaner(config: CleanerConfig): void {
    this.#cleaner.configure(config)
  }

  cleanerView(): CleanerView {
    return this.#cleaner.view()
  }

  /** Flushes everything, writes every log down as clean, stops the background work. Does not close the store or the data directory. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { writer, staging, pool, store } = this.#parts
    await this.#upkeep?.close()
    await this.#cleaner.close()
    try {
      if (writer.failure === null) {
        const flushes: Promise<void>[] = []
        for (const core of this.#cores()) if (core.syncedOffset < core.endOffset) flushes.push(writer.flush(core))
        await Promise.all(flushes)
        await this.#sealer.idle()
        await settle(this.#cores(), this.#parts, -Infinity)
        await writer.idle()
        await store.sync()
      }
    } finally {
      await this.#sealer.close()
      writer.close(new StorageError('the log directory is closed'))
      await writer.idle()
      await staging.close()
      await pool.closeAll()
    }
  }

  #add(core: LogCore): PartitionLog {
    const log = new PartitionLog(core, this.#parts)
    let partitions = this.#topics.get(core.topicId)
    if (partitions === undefined) {
      partitions = new Map()
      this.#topics.set(core.topicId, partitions)
    }
    partitions.set(core.partition, { core, log })
    return log
  }

  *#cores(): IterableIterator<LogCore> {
    for (const partitions of this.#topics.values()) for (const { core } of partitions.values()) yield core
  }

  *#coresOnDisk(): IterableIterator<LogCore> {
    yield* this.#cores()
    yield* this.#removing
  }

  #goOffline(cause: StorageError): void {
    this.#isOffline = true
    this.#options.log.error({ error: cause.message }, 'the log directory goes offline')
    for (const listener of this.#offlineListeners) listener(cause)
  }

  async #housekeep(): Promise<void> {
    await this.#checkSpace()
    await this.#doomed.removeDue()
    if (this.#parts.staging.oldestFileId !== 0) await this.#sealer.removeUnused()
  }

  async #checkSpace(): Promise<void> {
    const { directory, files, limits, log } = this.#options
    const { freeBytes, totalBytes } = await files.space(directory.path)
    this.#usableBytes = freeBytes
    this.#totalBytes = totalBytes
    this.#appendedAtLook = this.#parts.writer.appendedBytes
    // Early enough that what must be moved first has room too; not before all logs are known.
    if (this.#upkeep !== null && freeBytes < limits.diskReserveBytes + 2 * limits.stagingFileBytes)
      this.#sealer.makeRoom()
    const isLow = freeBytes < limits.diskReserveBytes
    if (isLow === (this.#reserveError !== null)) return
    if (!isLow) {
      this.#reserveError = null
      log.info({ freeBytes }, 'the disk has room again: appends are accepted')
      return
    }
    const message = `${freeBytes} bytes are free on the disk of ${directory.path}; appends need ${limits.diskReserveBytes}`
    this.#reserveError = new StorageError(message, { code: 'ENOSPC' })
    const fields = { freeBytes, reserveBytes: limits.diskReserveBytes }
    log.error(
      fields,
      'the disk is nearly full: appends are refused until more than flotilla.disk.reserve.bytes is free',
    )
  }

  #reserveErrorSince(): StorageError | null {
    const { limits } = this.#options
    if (this.#roomBytes() >= limits.diskReserveBytes) return null
    const message = `about ${this.#usableBytes - this.#roomBytes()} bytes were written since the disk had ${this.#usableBytes} bytes free`
    return new StorageError(message, { code: 'ENOSPC' })
  }

  // Between two looks at the disk: what was appended since takes twice its size at most, in a staging file and in the log's own.
  #roomBytes(): number {
    return this.#usableBytes - 2 * (this.#parts.writer.appendedBytes - this.#appendedAtLook)
  }
}
