// Partition logs in memory, for tests that decide themselves when something is flushed and when the disk fails. They stand in for
// PartitionLog and LogDirectory; what the real ones do with bytes is tested in test/broker/storage.
import type { Uuid } from '../../../broker/base/uuid.ts'
import type { BatchHeader } from '../../../broker/records/batch.ts'
import { readEndTransactionMarker } from '../../../broker/records/control.ts'
import { readRecords } from '../../../broker/records/record.ts'
import type { AbortedTransaction } from '../../../broker/storage/aborted-transactions.ts'
import { LeaderEpochs } from '../../../broker/storage/leader-epochs.ts'
import type { LogDirectory } from '../../../broker/storage/log-directory.ts'
import type {
  LogReadOptions,
  LogReadResult,
  OffsetAndTimestamp,
  PartitionLog,
} from '../../../broker/storage/partition-log.ts'
import { ProducerState } from '../../../broker/storage/producer-state.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'

type Stored = { readonly batch: Buffer; readonly header: BatchHeader }
type Pending = { readonly endOffset: number; readonly resolve: () => void; readonly reject: (error: Error) => void }

export class MemoryLog {
  readonly topicId: Uuid
  readonly partition: number
  topicName: string
  readonly leaderEpochs = new LeaderEpochs()
  readonly producers = new ProducerState()
  logStartOffset = 0
  endOffset = 0
  flushedOffset = 0
  deletableOffset = 0
  isOffline = false
  /** Appends wait for `flushAll`. */
  isHeld = false
  /** Reads answer with a promise, as from a disk. */
  readsAreSlow = false
  failsReads = false
  /** It says that it takes no appends. */
  isFull = false
  /** The next append is refused at once, and nothing is stored. */
  refusesNext = false
  config: unknown = null
  reads = 0
  #batches: Stored[] = []
  #pending: Pending[] = []
  readonly #aborted: AbortedTransaction[] = []
  readonly #listeners: (() => void)[] = []

  constructor(topicId: Uuid, partition: number, topicName: string) {
    this.topicId = topicId
    this.partition = partition
    this.topicName = topicName
  }

  get syncedOffset(): number {
    return this.flushedOffset
  }

  get sizeBytes(): number {
    return this.#batches.reduce((sum, { batch }) => sum + batch.length, 0)
  }

  get takesAppends(): boolean {
    return !this.isOffline && !this.isFull
  }

  configure(config: unknown): void {
    this.config = config
  }

  append(batch: Buffer, header: BatchHeader): Promise<void> {
    if (this.isOffline || this.refusesNext) {
      this.refusesNext = false
      return Promise.reject(new StorageError('refused'))
    }
    this.#batches.push({ batch: Buffer.from(batch), header: { ...header } })
    this.endOffset = header.lastOffset + 1
    this.leaderEpochs.assign(header.leaderEpoch, header.baseOffset)
    const marker = header.isControl ? readEndTransactionMarker(batch) : null
    const ended = this.producers.apply(header, marker)
    if (ended !== null && marker?.result === 'abort') this.#aborted.push({ ...ended, lastStableOffset: -1 })
    return new Promise((resolve, reject) => {
      this.#pending.push({ endOffset: this.endOffset, resolve, reject })
      if (!this.isHeld) queueMicrotask(() => this.flushAll())
    })
  }

  /** Appends stay in flight until the returned function is called. */
  hold(): () => void {
    this.isHeld = true
    return () => {
      this.isHeld = false
      this.flushAll()
    }
  }

  flushAll(): void {
    const pending = this.#pending
    this.#pending = []
    if (pending.length === 0) return
    this.flushedOffset = Math.max(this.flushedOffset, pending.at(-1)!.endOffset)
    for (const { resolve } of pending) resolve()
    this.advanced()
  }

  /** Appends in flight fail; so does everything from now on. */
  fail(): void {
    this.isOffline = true
    const pending = this.#pending
    this.#pending = []
    for (const { reject } of pending) reject(new StorageError('the disk has failed'))
  }

  advanced(): void {
    for (const listener of this.#listeners) listener()
  }

  onAdvance(listener: () => void): void {
    this.#listeners.push(listener)
  }

  read(offset: number, options: LogReadOptions): LogReadResult | Promise<LogReadResult> {
    this.reads++
    if (this.isOffline || this.failsReads) return Promise.reject(new StorageError('the disk has failed'))
    return this.readsAreSlow ? Promise.resolve().then(() => this.#read(offset, options)) : this.#read(offset, options)
  }

  #read(offset: number, { maxBytes, endOffset, minOneBatch }: LogReadOptions): LogReadResult {
    if (offset < this.logStartOffset || offset > this.endOffset) return 'offset-out-of-range'
    const found: Buffer[] = []
    let room = maxBytes
    for (const { batch, header } of this.#batches) {
      if (header.lastOffset < offset) continue
      if (header.lastOffset >= endOffset || (batch.length > room && !(minOneBatch && found.length === 0))) break
      found.push(batch)
      room -= batch.length
    }
    return found
  }

  abortedTransactions(from: number, to: number): AbortedTransaction[] | Promise<AbortedTransaction[]> {
    const found = this.#aborted.filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < to)
    return this.readsAreSlow ? Promise.resolve(found) : found
  }

  async offsetForTimestamp(timestamp: number): Promise<OffsetAndTimestamp | null> {
    return this.#records().find(record => record.timestamp >= timestamp) ?? null
  }

  async maxTimestamp(): Promise<OffsetAndTimestamp | null> {
    let best: OffsetAndTimestamp | null = null
    for (const record of this.#records()) if (best === null || record.timestamp > best.timestamp) best = record
    return best
  }

  #records(): OffsetAndTimestamp[] {
    return this.#batches
      .flatMap(({ batch, header }) =>
        readRecords(batch).map(({ offset, timestamp }) => ({ offset, timestamp, leaderEpoch: header.leaderEpoch })),
      )
      .filter(({ offset }) => offset >= this.logStartOffset)
  }

  async deleteRecordsBefore(offset: number): Promise<number> {
    if (this.isOffline) throw new StorageError('the disk has failed')
    this.logStartOffset = Math.max(this.logStartOffset, offset)
    this.#batches = this.#batches.filter(({ header }) => header.lastOffset >= this.logStartOffset)
    this.leaderEpochs.truncateFromStart(this.logStartOffset)
    this.advanced()
    return this.logStartOffset
  }

  async flush(): Promise<void> {
    this.flushAll()
  }

  /** The log that another process finds: what was flushed, and perhaps what was not. */
  afterCrash(keepsAll: boolean): MemoryLog {
    const log = new MemoryLog(this.topicId, this.partition, this.topicName)
    const kept = this.#batches.filter(({ header }) => keepsAll || header.lastOffset < this.flushedOffset)
    for (const { batch, header } of kept) void log.append(batch, header)
    log.flushAll()
    return log
  }

  get asPartitionLog(): PartitionLog {
    return this as unknown as PartitionLog
  }
}

export class MemoryLogDirectory {
  readonly #logs = new Map<string, MemoryLog>()
  readonly #offlineListeners: ((cause: Error) => void)[] = []
  isOffline = false
  totalBytes = 1000
  usableBytes = 400
  refusesCreate = false

  log(topicId: Uuid, partition: number): MemoryLog | undefined {
    return this.#logs.get(`${topicId}-${partition}`)
  }

  create(topicId: Uuid, partition: number, topicName: string, config: unknown): MemoryLog {
    if (this.refusesCreate) throw new StorageError('the disk has failed')
    const log = new MemoryLog(topicId, partition, topicName)
    log.configure(config)
    this.#logs.set(`${topicId}-${partition}`, log)
    return log
  }

  async remove(topicId: Uuid, partition: number): Promise<void> {
    this.#logs.delete(`${topicId}-${partition}`)
  }

  logs(): Iterable<MemoryLog> {
    return this.#logs.values()
  }

  onOffline(listener: (cause: Error) => void): void {
    this.#offlineListeners.push(listener)
  }

  fail(): void {
    this.isOffline = true
    for (const log of this.#logs.values()) log.fail()
    for (const listener of this.#offlineListeners) listener(new Error('the disk has failed'))
  }

  get asLogDirectory(): LogDirectory {
    return this as unknown as LogDirectory
  }
}
