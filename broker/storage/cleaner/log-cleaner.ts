// Decides which compacted log is cleaned, and when (Kafka's LogCleaner and LogCleanerManager): the dirtiest one first, a few at a time, and a
// look for more every log.cleaner.backoff.ms. A log that fails is not tried again before the next start; the others go on.
import type { CleanerConfig } from '../../config/cleaner-config.ts'
import { HEADER_SIZE, maxTimestamp } from '../../records/batch.ts'
import type { LogCore } from '../log-core.ts'
import type { LogParts } from '../log-parts.ts'
import { segmentPath, type Segment } from '../segment.ts'
import { StorageError } from '../storage-error.ts'
import { cleanablePart, compactionDelayMs, dirtyRatio, isWorthCleaning, type CleanablePart } from './cleanable.ts'
import { cleanLog, type CleaningStats } from './log-cleaning.ts'
import { OffsetMap } from './offset-map.ts'
import { Pace, pause, Throttle } from './throttle.ts'

/** Kafka's defaults. */
export const defaultCleanerConfig: CleanerConfig = {
  isEnabled: true,
  threads: 1,
  backoffMs: 15_000,
  dedupeBufferBytes: 134_217_728,
  ioBufferBytes: 524_288,
  ioBufferLoadFactor: 0.9,
  ioMaxBytesPerSecond: Number.MAX_VALUE,
}

/** What Kafka's metrics of the cleaner show. */
export type CleanerView = {
  readonly maxDirtyPercent: number
  readonly sinceLastRunMs: number
  readonly uncleanablePartitions: number
  readonly uncleanableBytes: number
  /** Of the last cleaning. */
  readonly recopyPercent: number
  readonly bufferUtilizationPercent: number
  readonly cleanTimeMs: number
  readonly maxCompactionDelayMs: number
}

/** Smaller pieces than this are not worth a system call. */
const MIN_BUFFER_BYTES = 64 * 1024
/** Larger ones take too long at a stretch. */
const MAX_BUFFER_BYTES = 256 * 1024

type Candidate = { readonly core: LogCore; readonly part: CleanablePart }

export class LogCleaner {
  readonly #parts: LogParts
  readonly #logs: () => Iterable<LogCore>
  readonly #rolled: (core: LogCore) => void
  readonly #throttle: Throttle
  readonly #closing = new AbortController()
  readonly #inProgress = new Set<LogCore>()
  readonly #uncleanable = new Set<LogCore>()
  // When the first batch of a segment was made.
  readonly #firstTimestamps = new WeakMap<Segment, number>()
  readonly #workers = new Map<number, Promise<void>>()
  #config: CleanerConfig
  #lastRunMs: number
  #maxDirtyRatio = 0
  #maxCompactionDelayMs = 0
  #last: { readonly stats: CleaningStats; readonly tookMs: number; readonly utilization: number } | null = null

  /** `rolled` is told of logs whose active segment was ended. Looks for work when `start` was called. */
  constructor(parts: LogParts, logs: () => Iterable<LogCore>, rolled: (core: LogCore) => void, config: CleanerConfig) {
    this.#parts = parts
    this.#logs = logs
    this.#rolled = rolled
    this.#config = config
    this.#throttle = new Throttle(parts.clock, config.ioMaxBytesPerSecond, this.#closing.signal)
    this.#lastRunMs = parts.clock.monotonic()
  }

  /** Begins to look for work, every log.cleaner.backoff.ms. */
  start(): void {
    this.#addWorkers()
  }

  /** Values that changed while the broker runs; a cleaning under way ends with the map that it has. */
  configure(config: CleanerConfig): void {
    this.#config = config
    this.#throttle.bytesPerSecond = config.ioMaxBytesPerSecond
    this.#addWorkers()
  }

  /** Resolves when no cleaning is under way; none will begin. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#workers.values())
  }

  view(): CleanerView {
    const last = this.#last
    let uncleanableBytes = 0
    this.#forgetRemoved()
    for (const core of this.#uncleanable) uncleanableBytes += this.#partOf(core).cleanableBytes
    return {
      maxDirtyPercent: Math.floor(100 * this.#maxDirtyRatio),
      sinceLastRunMs: this.#parts.clock.monotonic() - this.#lastRunMs,
      uncleanablePartitions: this.#uncleanable.size,
      uncleanableBytes,
      recopyPercent:
        last === null ? 0 : Math.floor((100 * last.stats.bytesWritten) / Math.max(1, last.stats.bytesRead)),
      bufferUtilizationPercent: Math.floor(100 * (last?.utilization ?? 0)),
      cleanTimeMs: last?.tookMs ?? 0,
      maxCompactionDelayMs: this.#maxCompactionDelayMs,
    }
  }

  /** Cleans one after the other until no log is worth it. */
  async cleanAll(): Promise<void> {
    while (await this.#cleanFilthiest());
  }

  #addWorkers(): void {
    if (this.#closing.signal.aborted || !this.#config.isEnabled) return
    for (let number = 0; number < this.#config.threads; number++) {
      if (!this.#workers.has(number)) this.#workers.set(number, this.#work(number))
    }
  }

  async #work(number: number): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted && number < this.#config.threads) {
      await pause(this.#parts.clock, this.#config.backoffMs, signal)
      if (!signal.aborted) await this.cleanAll()
    }
    this.#workers.delete(number)
  }

  async #cleanFilthiest(): Promise<boolean> {
    const { clock, writer } = this.#parts
    if (this.#closing.signal.aborted || writer.failure !== null) return false
    this.#lastRunMs = clock.monotonic()
    const candidate = await this.#grabFilthiest()
    if (candidate === null) return false
    const { core, part } = candidate
    try {
      return await this.#clean(core, part)
    } catch (error) {
      this.#noteFailure(core, error)
      // The others have their turn, but one without room for it on the disk comes again first.
      return this.#uncleanable.has(core)
    } finally {
      this.#inProgress.delete(core)
    }
  }

  async #clean(core: LogCore, part: CleanablePart): Promise<boolean> {
    const { clock, log } = this.#parts
    const { threads, dedupeBufferBytes, ioBufferBytes, ioBufferLoadFactor } = this.#config
    const mapBytes = Math.floor(dedupeBufferBytes / threads)
    const bufferBytes = Math.max(MIN_BUFFER_BYTES, Math.min(MAX_BUFFER_BYTES, ioBufferBytes / threads / 2))
    const map = new OffsetMap(mapBytes, ioBufferLoadFactor)
    const startMs = clock.monotonic()
    const { signal } = this.#closing
    const stats = await cleanLog(core, this.#parts, part, {
      map,
      buffer: Buffer.allocUnsafeSlow(bufferBytes),
      throttle: this.#throttle,
      pace: new Pace(clock, signal),
      signal,
    })
    if (stats === null) return false
    const tookMs = clock.monotonic() - startMs
    this.#last = { stats, tookMs, utilization: map.sizeBytes / mapBytes }
    const fields = { partition: core.name, from: part.firstDirtyOffset, ...stats, tookMs: Math.round(tookMs) }
    log.info(fields, 'log cleaned')
    if (stats.invalidRecords > 0) {
      log.warn(
        { partition: core.name, records: stats.invalidRecords },
        'records without a key were removed from a compacted log',
      )
    }
    return true
  }

  #noteFailure(core: LogCore, error: unknown): void {
    const { log, writer } = this.#parts
    if (core.isRemoved || writer.failure !== null || this.#closing.signal.aborted) return
    const fields = { partition: core.name, error: error instanceof Error ? error.message : String(error) }
    if (error instanceof StorageError && error.code === 'ENOSPC') {
      log.warn(fields, 'a log cannot be cleaned: its disk is nearly full')
      return
    }
    this.#uncleanable.add(core)
    log.error(fields, 'a log cannot be cleaned and is left as it is until the next start')
  }

  /** Takes the log with the largest share of dirty bytes of those that are to be cleaned. */
  async #grabFilthiest(): Promise<Candidate | null> {
    const { clock } = this.#parts
    const delays = await this.#compactionDelays()
    let filthiest: Candidate | null = null
    let largest = -1
    this.#maxDirtyRatio = 0
    for (const core of this.#compacted()) {
      const part = this.#partOf(core)
      const ratio = dirtyRatio(part)
      this.#maxDirtyRatio = Math.max(this.#maxDirtyRatio, ratio)
      if (ratio <= largest || !isWorthCleaning(part, delays.get(core) ?? 0, core.config)) continue
      filthiest = { core, part }
      largest = ratio
    }
    this.#lastRunMs = clock.monotonic()
    if (filthiest !== null) this.#inProgress.add(filthiest.core)
    return filthiest
  }

  *#compacted(): Generator<LogCore> {
    for (const core of this.#logs()) {
      if (core.isRemoved || core.error !== null || !core.config.cleanupPolicy.has('compact')) continue
      if (!this.#inProgress.has(core) && !this.#uncleanable.has(core)) yield core
    }
  }

  #forgetRemoved(): void {
    for (const core of this.#uncleanable) if (core.isRemoved) this.#uncleanable.delete(core)
  }

  #partOf(core: LogCore): CleanablePart {
    // Above the high watermark a record may still go, and with it what it says of its key.
    const unstable = core.producers.firstUnstableOffset
    const stableOffset = Math.min(core.deletableOffset, core.flushedOffset, unstable < 0 ? Infinity : unstable)
    const { segments, activeBase, logStartOffset, endOffset, cleanedOffset } = core
    const view = { segments, activeBase, logStartOffset, endOffset, cleanedOffset, stableOffset }
    return cleanablePart(view, core.config, this.#parts.clock.now())
  }

  /** Of the logs with a max.compaction.lag.ms; ends active segments that are due. */
  async #compactionDelays(): Promise<Map<LogCore, number>> {
    const delays = new Map<LogCore, number>()
    const nowMs = this.#parts.clock.now()
    this.#maxCompactionDelayMs = 0
    for (const core of this.#compacted()) {
      if (core.config.maxCompactionLagMs === Number.MAX_SAFE_INTEGER) continue
      if (core.endIfOlderThan(nowMs - core.config.maxCompactionLagMs)) this.#rolled(core)
      const first = await this.#firstDirtyTimestamp(core)
      const delayMs = compactionDelayMs(first, core.config, nowMs)
      delays.set(core, delayMs)
      this.#maxCompactionDelayMs = Math.max(this.#maxCompactionDelayMs, delayMs)
    }
    return delays
  }

  /** The earliest of the times at which dirty sealed segments began; Infinity when there is none. */
  async #firstDirtyTimestamp(core: LogCore): Promise<number> {
    const { firstDirtyOffset } = this.#partOf(core)
    let earliest = Infinity
    for (const segment of core.segments) {
      if (segment.endOffset <= firstDirtyOffset) continue
      const timestamp = this.#firstTimestamps.get(segment) ?? (await this.#readFirstTimestamp(core, segment))
      this.#firstTimestamps.set(segment, timestamp)
      if (timestamp > 0) earliest = Math.min(earliest, timestamp)
    }
    return earliest
  }

  async #readFirstTimestamp(core: LogCore, segment: Segment): Promise<number> {
    const { pool, folders } = this.#parts
    const header = Buffer.allocUnsafe(HEADER_SIZE)
    try {
      const path = segmentPath(folders.segments, core, segment)
      const read = await pool.use(path, 'read', file => file.read(header, 0))
      return read === HEADER_SIZE ? maxTimestamp(header, 0) : segment.maxTimestamp
    } catch (error) {
      // Gone meanwhile, or unreadable: whoever cleans it will see.
      if (error instanceof StorageError) return segment.maxTimestamp
      throw error
    }
  }
}
