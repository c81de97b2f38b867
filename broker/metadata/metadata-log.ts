// The log of metadata records between whoever decides that it is led and what is committed in it (quorum/), the one who appends while
// this broker leads (controller.ts), and the one who reads what is committed (loader.ts). One append is one batch in record batch v2, so its
// records are atomic. Nothing at or above the high watermark is ever shown to anybody (rule A13).
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { StateLostError } from '../machine/runtime.ts'
import { buildBatch, eachBatch, isControl, readHeader, sizeOf } from '../records/batch.ts'
import { readRecords } from '../records/record.ts'
import type { RecordInit } from '../records/record-writer.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { StorageError } from '../storage/storage-error.ts'
import { metadataCodec, type MetadataRecord } from './records.ts'

export type MetadataBatch = {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly records: readonly MetadataRecord[]
}

export type Appended = {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** Resolves when the records are committed and every reader has seen them. Rejects when nobody can say whether they will be. */
  readonly committed: Promise<void>
}

type Waiter = { readonly endOffset: number; resolve(): void; reject(error: Error): void }

const READ_CHUNK_BYTES = 1024 * 1024

export class MetadataLog {
  readonly log: PartitionLog
  readonly #clock: Clock
  readonly #listeners: (() => void)[] = []
  #highWatermark: number
  #leaderEpoch: number | null = null
  #waiters: Waiter[] = []

  constructor(clock: Clock, log: PartitionLog) {
    this.#clock = clock
    this.log = log
    this.#highWatermark = log.logStartOffset
  }

  /** Exclusive: what is committed, as far as this broker knows. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** The epoch in which this broker may append, or null. */
  get leaderEpoch(): number | null {
    return this.#leaderEpoch
  }

  /** Calls `listener` after the high watermark has moved, before those are answered who wait for it. */
  onCommitted(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** This broker leads in `epoch`: what it appends bears that epoch. */
  lead(epoch: number): void {
    this.#leaderEpoch = epoch
  }

  /** It does not lead any more: what is not committed yet has an unknown outcome. */
  resign(reason: string): void {
    this.#leaderEpoch = null
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new StateLostError(reason))
  }

  /** Everything below `offset` is committed; a lower one than before changes nothing. */
  commitUpTo(offset: number): void {
    if (offset <= this.#highWatermark) return
    assert(offset <= this.log.endOffset, 'what is committed is in the log')
    this.#highWatermark = offset
    this.log.deletableOffset = offset
    for (const listener of this.#listeners) listener()
    const waiters = this.#waiters
    this.#waiters = waiters.filter(({ endOffset }) => endOffset > offset)
    for (const waiter of waiters) if (waiter.endOffset <= offset) waiter.resolve()
  }

  /** Adds records behind all others. Null when this broker does not lead, or its log refuses: then nothing was added. */
  append(records: readonly MetadataRecord[]): Appended | null {
    if (this.#leaderEpoch === null) return null
    const { log } = this
    const timestamp = this.#clock.now()
    const encoded: RecordInit[] = []
    for (const record of records) encoded.push({ timestamp, ...metadataCodec.encode(record) })
    const baseOffset = log.endOffset
    const batch = buildBatch({ baseOffset, leaderEpoch: this.#leaderEpoch, records: encoded })
    const header = readHeader(batch, 0)
    const stored = log.append(batch, header)
    const endOffset = header.lastOffset + 1
    const isTaken = log.endOffset === endOffset
    const committed = isTaken ? this.committed(endOffset) : Promise.resolve()
    // A disk that fails takes the leadership away, too; until then nobody may wait for ever.
    stored.catch((cause: unknown) => {
      if (isTaken) this.#fail(endOffset, new StateLostError('the metadata log could not be written', { cause }))
    })
    return isTaken ? { baseOffset, endOffset, committed } : null
  }

  /** Resolves when everything below `endOffset` is committed; rejects with StateLostError when this broker stops leading before. */
  committed(endOffset: number): Promise<void> {
    if (this.#highWatermark >= endOffset) return Promise.resolve()
    const committed = new Promise<void>((resolve, reject) => this.#waiters.push({ endOffset, resolve, reject }))
    committed.catch(() => {})
    return committed
  }

  /** The committed batches from `offset` on, some of them. Rejects, or throws, when there is none, or one that cannot be understood. */
  read(offset: number): readonly MetadataBatch[] | Promise<readonly MetadataBatch[]> {
    const options = { maxBytes: READ_CHUNK_BYTES, endOffset: this.#highWatermark, minOneBatch: true }
    const read = this.log.read(offset, options)
    const decode = (chunks: Awaited<typeof read>): readonly MetadataBatch[] => {
      if (typeof chunks === 'string') {
        throw new StorageError(
          `the log of ${this.log.topicName}-${this.log.partition} has no batch at offset ${offset}`,
        )
      }
      return chunks.flatMap(decodeBatches)
    }
    return read instanceof Promise ? read.then(decode) : decode(read)
  }

  #fail(endOffset: number, error: Error): void {
    const waiters = this.#waiters
    this.#waiters = waiters.filter(waiter => waiter.endOffset < endOffset)
    for (const waiter of waiters) if (waiter.endOffset >= endOffset) waiter.reject(error)
  }
}

function decodeBatches(chunk: Buffer): MetadataBatch[] {
  const batches: MetadataBatch[] = []
  for (const at of eachBatch(chunk)) {
    const { baseOffset, lastOffset } = readHeader(chunk, at)
    const records: MetadataRecord[] = []
    if (!isControl(chunk, at)) {
      for (const stored of readRecords(chunk.subarray(at, at + sizeOf(chunk, at)))) {
        const record = metadataCodec.decode(stored.key, stored.value)
        if (record !== null) records.push(record)
      }
    }
    batches.push({ baseOffset, endOffset: lastOffset + 1, records })
  }
  return batches
}
