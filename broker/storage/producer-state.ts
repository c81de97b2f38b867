// What a partition remembers of idempotent and transactional producers: epoch, the last five batches of each, open transactions,
// and transactions that have ended, but whose end consumers cannot see yet. Pure; the partition log feeds it and persists it. Semantics of
// Kafka's ProducerStateManager and ProducerAppendInfo (KIP-98, KIP-890); unlike Kafka's snapshots, ours keep all five batches and the
// ended transactions. The bytes are producer-snapshot.ts.
import { ErrorCode } from '../protocol/errors.ts'
import type { BatchHeader } from '../records/batch.ts'
import type { EndTransactionMarker } from '../records/control.ts'
import { decodeProducers, encodeProducers } from './producer-snapshot.ts'

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

/** A transaction with batches and the marker that ended it; `lastOffset` is the marker's. */
export type EndedTransaction = {
  readonly producerId: number
  readonly firstOffset: number
  readonly lastOffset: number
}

/** An end-transaction marker that somebody wants to write. */
export type MarkerInit = {
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
  /** 2 and above: the epoch of a marker is above that of the batches (KIP-890). */
  readonly transactionVersion: number
}

const OK: ProducerVerdict = { kind: 'ok' }
const MAX_SEQUENCE = 2 ** 31 - 1
const REMEMBERED_BATCHES = 5

export class ProducerState {
  readonly #entries = new Map<number, ProducerEntry>()
  // Producer id -> first offset of its open transaction. Transactions open in the order of their offsets, so the first is the oldest.
  readonly #open = new Map<number, number>()
  // In the order of their markers: transactions whose marker was not below the high watermark when that last moved.
  #ended: EndedTransaction[] = []
  #firstEndedOffset = Infinity

  /** May a client's batch with this header be appended? Changes nothing; 'ok' for batches without a producer id. Offsets in the header do not matter. */
  check(header: BatchHeader): ProducerVerdict {
    if (header.producerId < 0) return OK
    const entry = this.#entries.get(header.producerId)
    // Nothing known (a new producer, or all its records are gone): any sequence goes, as in Kafka since 2.5 (KIP-360).
    if (entry === undefined) return OK
    if (header.producerEpoch < entry.producerEpoch) return staleEpoch(header, entry)
    if (header.producerEpoch === entry.producerEpoch) {
      const duplicate = findDuplicate(entry, header)
      if (duplicate !== null) return duplicate
    }
    return checkSequence(header, entry) ?? checkTransaction(header, entry) ?? OK
  }

  /** May this marker be appended? Changes nothing; 'ok' also for a producer that nothing is known of, as in Kafka. */
  checkMarker(init: MarkerInit): ProducerVerdict {
    const entry = this.#entries.get(init.producerId)
    if (entry === undefined) return OK
    return staleMarker(init, entry) ?? staleCoordinator(init, entry) ?? OK
  }

  /** Whether the producer has an open transaction here with exactly this epoch. */
  hasOpenTransaction(producerId: number, producerEpoch: number): boolean {
    const entry = this.#entries.get(producerId)
    return entry !== undefined && entry.currentTransactionStartOffset >= 0 && entry.producerEpoch === producerEpoch
  }

  /**
   * The batch was appended, or read back during recovery: header with its final offsets, and the marker that a control batch holds (null:
   * compaction took it out, which changes nothing). Returns the transaction that it ended, if that had batches.
   */
  apply(header: BatchHeader, marker: EndTransactionMarker | null = null): EndedTransaction | null {
    if (header.producerId < 0 || (header.isControl && marker === null)) return null
    const entry = this.#entryFor(header)
    entry.lastTimestamp = header.maxTimestamp
    if (marker !== null) return this.#end(entry, header.baseOffset, marker)
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
    return null
  }

  #entryFor({ producerId, producerEpoch }: BatchHeader): ProducerEntry {
    let entry = this.#entries.get(producerId)
    if (entry === undefined) {
      entry = newEntry(producerId, producerEpoch)
      this.#entries.set(producerId, entry)
    } else if (entry.producerEpoch !== producerEpoch) {
      entry.producerEpoch = producerEpoch
      entry.batches.length = 0
    }
    return entry
  }

  #end(entry: ProducerEntry, lastOffset: number, marker: EndTransactionMarker): EndedTransaction | null {
    const { producerId, currentTransactionStartOffset: firstOffset } = entry
    entry.coordinatorEpoch = Math.max(entry.coordinatorEpoch, marker.coordinatorEpoch)
    if (firstOffset < 0) return null
    entry.currentTransactionStartOffset = -1
    this.#open.delete(producerId)
    const ended = { producerId, firstOffset, lastOffset }
    this.#ended.push(ended)
    this.#firstEndedOffset = Math.min(this.#firstEndedOffset, firstOffset)
    return ended
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
  get firstOpenOffset(): number {
    if (this.#open.size === 0) return -1
    for (const offset of this.#open.values()) return offset
    return -1
  }

  /**
   * The first offset of the oldest transaction that is open, or whose marker is not replicated everywhere yet: what it decided may still
   * be lost with it (ProducerStateManager.firstUnstableOffset). -1 when there is none.
   */
  get firstUnstableOffset(): number {
    const firstOpen = this.firstOpenOffset
    if (this.#ended.length === 0) return firstOpen
    return firstOpen < 0 ? this.#firstEndedOffset : Math.min(firstOpen, this.#firstEndedOffset)
  }

  /** The high watermark, or the log start, is `offset`: ends of transactions below it are final. */
  settleBelow(offset: number): void {
    let count = 0
    while (count < this.#ended.length && this.#ended[count]!.lastOffset < offset) count++
    if (count === 0) return
    this.#setEnded(this.#ended.slice(count))
  }

  #setEnded(ended: EndedTransaction[]): void {
    this.#ended = ended
    this.#firstEndedOffset = Infinity
    for (const { firstOffset } of ended) this.#firstEndedOffset = Math.min(this.#firstEndedOffset, firstOffset)
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
    this.#setEnded([])
  }

  /** Everything as bytes. */
  encode(): Buffer {
    return encodeProducers(this.#entries, this.#ended)
  }

  /** Replaces everything by what `encode` made. Throws StorageError for a version that this broker does not know. */
  load(value: Buffer): void {
    const { entries, ended } = decodeProducers(value)
    this.clear()
    const open: ProducerEntry[] = []
    for (const entry of entries) {
      this.#entries.set(entry.producerId, entry)
      if (entry.currentTransactionStartOffset >= 0) open.push(entry)
    }
    open.sort((a, b) => a.currentTransactionStartOffset - b.currentTransactionStartOffset)
    for (const entry of open) this.#open.set(entry.producerId, entry.currentTransactionStartOffset)
    this.#setEnded(ended)
  }
}

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

/**
 * ProducerAppendInfo.checkProducerEpoch (KIP-890, KIP-1228). With transaction.version 2 the coordinator raises the epoch before it writes a
 * marker, so one that is not above the batches' is late: it would end the transaction that came after its own. The same marker once
 * more, when nothing is open, is a retry and harmless.
 */
function staleMarker(init: MarkerInit, entry: ProducerEntry): ProducerVerdict | null {
  const { producerId, producerEpoch, transactionVersion } = init
  if (producerEpoch > entry.producerEpoch) return null
  if (producerEpoch === entry.producerEpoch) {
    if (transactionVersion < 2 || entry.currentTransactionStartOffset < 0) return null
  }
  return {
    kind: 'error',
    errorCode: ErrorCode.INVALID_PRODUCER_EPOCH,
    message:
      `A marker of producer ${producerId} has epoch ${producerEpoch} (transaction version ${transactionVersion}); ` +
      `the last seen epoch is ${entry.producerEpoch}`,
  }
}

function staleCoordinator({ producerId, coordinatorEpoch }: MarkerInit, entry: ProducerEntry): ProducerVerdict | null {
  if (coordinatorEpoch >= entry.coordinatorEpoch) return null
  return {
    kind: 'error',
    errorCode: ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    message: `Invalid coordinator epoch for producer ${producerId}: ${coordinatorEpoch} (zombie), ${entry.coordinatorEpoch} (current)`,
  }
}
