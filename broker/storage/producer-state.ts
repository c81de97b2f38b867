// What a partition remembers of idempotent and transactional producers: epoch, the last five batches of each, open transactions.
// Pure; the partition log feeds it and persists it. Semantics of Kafka's ProducerStateManager and ProducerAppendInfo (KIP-98, KIP-890);
// unlike Kafka's snapshots, ours keep all five batches. Not here yet: completed transactions that the high watermark has not passed.
import { ErrorCode } from '../protocol/errors.ts'
import type { BatchHeader } from '../records/batch.ts'
import { readI64, readU64, writeI64, writeU64 } from './log-state.ts'
import { StorageError } from './storage-error.ts'

/** One remembered batch: offsets and sequences inclusive, timestamp in ms. */
export type ProducerBatch = {
  readonly baseSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly timestamp: number
}

export type ProducerEntry = {
  readonly producerId: number
  producerEpoch: number
  /** Oldest first, at most five; empty after an epoch bump by a marker. */
  readonly batches: ProducerBatch[]
  /** Max timestamp of its newest batch, ms; with it the entry expires. */
  lastTimestamp: number
  /** Of the newest end-transaction marker, -1 before the first. */
  coordinatorEpoch: number
  /** First offset of its open transaction, -1 when it has none. */
  currentTransactionStartOffset: number
}

export type ProducerVerdict =
  | { readonly kind: 'ok' }
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly lastOffset: number; readonly timestamp: number }
  | { readonly kind: 'error'; readonly errorCode: ErrorCode; readonly message: string }

const OK: ProducerVerdict = { kind: 'ok' }
const MAX_SEQUENCE = 2 ** 31 - 1
const REMEMBERED_BATCHES = 5

export class ProducerState {
  readonly #entries = new Map<number, ProducerEntry>()
  // Producer id -> first offset of its open transaction. Transactions open in the order of their offsets, so the first is the oldest.
  readonly #open = new Map<number, number>()

  /** May a batch with this header be appended? Changes nothing; 'ok' for batches without a producer id. Offsets in the header do not matter. */
  check(header: BatchHeader): ProducerVerdict {
    if (header.producerId < 0) return OK
    const entry = this.#entries.get(header.producerId)
    // Nothing known (a new producer, or all its records are gone): any sequence goes, as in Kafka since 2.5 (KIP-360).
    if (entry === undefined) return OK
    if (header.producerEpoch < entry.producerEpoch) return staleEpoch(header, entry)
    if (header.isControl) return OK
    if (header.producerEpoch === entry.producerEpoch) {
      const duplicate = findDuplicate(entry, header)
      if (duplicate !== null) return duplicate
    }
    return checkSequence(header, entry) ?? checkTransaction(header, entry) ?? OK
  }

  /** The batch was appended, or read back during recovery: header with its final offsets. `coordinatorEpoch` of an end-transaction marker. */
  apply(header: BatchHeader, coordinatorEpoch = -1): void {
    if (header.producerId < 0) return
    let entry = this.#entries.get(header.producerId)
    if (entry === undefined) {
      entry = newEntry(header.producerId, header.producerEpoch)
      this.#entries.set(header.producerId, entry)
    } else if (entry.producerEpoch !== header.producerEpoch) {
      entry.producerEpoch = header.producerEpoch
      entry.batches.length = 0
    }
    entry.lastTimestamp = header.maxTimestamp
    if (header.isControl) {
      entry.coordinatorEpoch = Math.max(entry.coordinatorEpoch, coordinatorEpoch)
      entry.currentTransactionStartOffset = -1
      this.#open.delete(header.producerId)
      return
    }
    if (entry.batches.length === REMEMBERED_BATCHES) entry.batches.shift()
    entry.batches.push({
      baseSequence: header.baseSequence,
      lastSequence: header.lastSequence,
      baseOffset: header.baseOffset,
      lastOffset: header.lastOffset,
      timestamp: header.maxTimestamp,
    })
    if (header.isTransactional && entry.currentTransactionStartOffset < 0) {
      entry.currentTransactionStartOffset = header.baseOffset
      this.#open.set(header.producerId, header.baseOffset)
    }
  }

  entries(): Iterable<ProducerEntry> {
    return this.#entries.values()
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#entries.get(producerId)
  }

  get size(): number {
    return this.#entries.size
  }

  /** The first offset of the oldest open transaction, -1 when none is open. */
  get firstOpenTransactionOffset(): number {
    for (const offset of this.#open.values()) return offset
    return -1
  }

  /** Forgets producers without an open transaction whose newest batch is `expirationMs` old or older. Returns how many went. */
  expire(nowMs: number, expirationMs: number): number {
    const before = this.#entries.size
    for (const entry of this.#entries.values()) {
      const isIdle = entry.currentTransactionStartOffset < 0 && nowMs - entry.lastTimestamp >= expirationMs
      if (isIdle) this.#entries.delete(entry.producerId)
    }
    return before - this.#entries.size
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear()
    this.#open.clear()
  }

  /**
   * Everything as bytes:
   *    0 version u8 (1) | 1 producers u32 | then each:
   *    0 producerId int64 | 8 epoch int16 | 10 coordinatorEpoch int32 | 14 lastTimestamp int64 | 22 transaction start int64 | 30 batches u8 | then each:
   *    0 baseSequence int32 | 4 lastSequence int32 | 8 baseOffset u64 | 16 lastOffset u64 | 24 timestamp int64
   */
  encode(): Buffer {
    let size = HEADER_SIZE
    for (const entry of this.#entries.values()) size += ENTRY_SIZE + entry.batches.length * BATCH_SIZE
    const value = Buffer.allocUnsafe(size)
    value[0] = VERSION
    value.writeUInt32BE(this.#entries.size, 1)
    let at = HEADER_SIZE
    for (const entry of this.#entries.values()) at = encodeEntry(value, at, entry)
    return value
  }

  /** Replaces everything by what `encode` made. Throws StorageError for a version that this broker does not know. */
  load(value: Buffer): void {
    if (value[0] !== VERSION)
      throw new StorageError(`producer state of version ${value[0]} was written by a newer broker`)
    this.clear()
    const open: ProducerEntry[] = []
    let at = HEADER_SIZE
    for (let left = value.readUInt32BE(1); left > 0; left--) {
      const entry = decodeEntry(value, at)
      at += ENTRY_SIZE + entry.batches.length * BATCH_SIZE
      this.#entries.set(entry.producerId, entry)
      if (entry.currentTransactionStartOffset >= 0) open.push(entry)
    }
    open.sort((a, b) => a.currentTransactionStartOffset - b.currentTransactionStartOffset)
    for (const entry of open) this.#open.set(entry.producerId, entry.currentTransactionStartOffset)
  }
}

const VERSION = 1
const HEADER_SIZE = 5
const ENTRY_SIZE = 31
const BATCH_SIZE = 32

/** What `encode` makes of no producers. */
export const NO_PRODUCERS: Buffer = new ProducerState().encode()

function newEntry(producerId: number, producerEpoch: number): ProducerEntry {
  return {
    producerId,
    producerEpoch,
    batches: [],
    lastTimestamp: -1,
    coordinatorEpoch: -1,
    currentTransactionStartOffset: -1,
  }
}

function staleEpoch(header: BatchHeader, entry: ProducerEntry): ProducerVerdict {
  return {
    kind: 'error',
    errorCode: ErrorCode.INVALID_PRODUCER_EPOCH,
    message: `Epoch of producer ${header.producerId} is ${header.producerEpoch}, which is smaller than the last seen epoch ${entry.producerEpoch}`,
  }
}

function findDuplicate(entry: ProducerEntry, header: BatchHeader): ProducerVerdict | null {
  for (let at = entry.batches.length - 1; at >= 0; at--) {
    const batch = entry.batches[at]!
    if (batch.baseSequence !== header.baseSequence || batch.lastSequence !== header.lastSequence) continue
    return { kind: 'duplicate', baseOffset: batch.baseOffset, lastOffset: batch.lastOffset, timestamp: batch.timestamp }
  }
  return null
}

function checkSequence(header: BatchHeader, entry: ProducerEntry): ProducerVerdict | null {
  const { producerId, producerEpoch, baseSequence } = header
  if (producerEpoch !== entry.producerEpoch) {
    if (baseSequence === 0) return null
    return outOfOrder(
      `Invalid sequence number for new epoch of producer ${producerId}: ${producerEpoch} (request epoch), ` +
        `${baseSequence} (seq. number), ${entry.producerEpoch} (current producer epoch)`,
    )
  }
  const lastSequence = entry.batches.at(-1)?.lastSequence ?? -1
  if (baseSequence === lastSequence + 1 || (baseSequence === 0 && lastSequence === MAX_SEQUENCE)) return null
  return outOfOrder(
    `Out of order sequence number for producer ${producerId}: ${baseSequence} (incoming seq. number), ` +
      `${lastSequence} (current end sequence number)`,
  )
}

function outOfOrder(message: string): ProducerVerdict {
  return { kind: 'error', errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message }
}

function checkTransaction(header: BatchHeader, entry: ProducerEntry): ProducerVerdict | null {
  if (entry.currentTransactionStartOffset < 0 || header.isTransactional) return null
  return {
    kind: 'error',
    errorCode: ErrorCode.INVALID_TXN_STATE,
    message: `Expected transactional write from producer ${header.producerId}`,
  }
}

function encodeEntry(value: Buffer, at: number, entry: ProducerEntry): number {
  writeI64(value, at, entry.producerId)
  value.writeInt16BE(entry.producerEpoch, at + 8)
  value.writeInt32BE(entry.coordinatorEpoch, at + 10)
  writeI64(value, at + 14, entry.lastTimestamp)
  writeI64(value, at + 22, entry.currentTransactionStartOffset)
  value[at + 30] = entry.batches.length
  at += ENTRY_SIZE
  for (const batch of entry.batches) {
    value.writeInt32BE(batch.baseSequence, at)
    value.writeInt32BE(batch.lastSequence, at + 4)
    writeU64(value, at + 8, batch.baseOffset)
    writeU64(value, at + 16, batch.lastOffset)
    writeI64(value, at + 24, batch.timestamp)
    at += BATCH_SIZE
  }
  return at
}

function decodeEntry(value: Buffer, at: number): ProducerEntry {
  const batches: ProducerBatch[] = []
  for (let next = at + ENTRY_SIZE, left = value[at + 30]!; left > 0; left--, next += BATCH_SIZE) {
    batches.push({
      baseSequence: value.readInt32BE(next),
      lastSequence: value.readInt32BE(next + 4),
      baseOffset: readU64(value, next + 8),
      lastOffset: readU64(value, next + 16),
      timestamp: readI64(value, next + 24),
    })
  }
  return {
    producerId: readI64(value, at),
    producerEpoch: value.readInt16BE(at + 8),
    batches,
    lastTimestamp: readI64(value, at + 14),
    coordinatorEpoch: value.readInt32BE(at + 10),
    currentTransactionStartOffset: readI64(value, at + 22),
  }
}
