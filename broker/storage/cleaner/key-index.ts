// Fills the map of a cleaning: the newest offset of every key in the dirty part of a log, as far as the map reaches. Pure; as Kafka's
// Cleaner.buildOffsetMap. Keys of aborted transactions do not count: their records never were.
import { baseOffset, isControl, isTransactional, lastOffset, producerId, recordCount } from '../../records/batch.ts'
import { readEndTransactionMarker } from '../../records/control.ts'
import { plainRecords, RecordCursor } from '../../records/record-cursor.ts'
import type { OffsetMap } from './offset-map.ts'
import type { CleanedTransactions } from './transactions.ts'

const RECORDS_PER_TURN = 256

export class KeyIndex {
  readonly #map: OffsetMap
  readonly #transactions: CleanedTransactions
  readonly #firstOffset: number
  #mappedEnd: number

  /** For the log from `firstOffset` on. */
  constructor(map: OffsetMap, transactions: CleanedTransactions, firstOffset: number) {
    this.#map = map
    this.#transactions = transactions
    this.#firstOffset = firstOffset
    this.#mappedEnd = firstOffset
  }

  /** Exclusive: below it every key is in the map. */
  get mappedEnd(): number {
    return this.#mappedEnd
  }

  /** Everything below `endOffset` was added, so there is nothing more up to there. */
  reached(endOffset: number): void {
    this.#mappedEnd = Math.max(this.#mappedEnd, endOffset)
  }

  /**
   * Adds the one batch that `batch` is, in the order of the log. False when the map is full: then the mapped part ends where the batch
   * begins, and those of its keys that found a place do no harm. Throws when the batch is malformed.
   */
  *add(batch: Buffer): Generator<void, boolean, void> {
    const last = lastOffset(batch, 0)
    if (isControl(batch, 0)) {
      const marker = readEndTransactionMarker(batch)
      if (marker !== null) this.#transactions.onMarker(producerId(batch, 0), last, marker.result)
    } else if (!isTransactional(batch, 0) || !this.#transactions.onBatch(producerId(batch, 0), last)) {
      if (last >= this.#firstOffset && !(yield* this.#addKeys(batch))) return false
    }
    this.#mappedEnd = Math.max(this.#mappedEnd, last + 1)
    return true
  }

  *#addKeys(batch: Buffer): Generator<void, boolean, void> {
    const count = recordCount(batch, 0)
    if (count === 0) return true
    const { bytes, at } = plainRecords(batch)
    const cursor = new RecordCursor(bytes, at)
    const base = baseOffset(batch, 0)
    for (let index = 0; index < count; index++) {
      if (index % RECORDS_PER_TURN === RECORDS_PER_TURN - 1) yield
      cursor.next()
      const offset = base + cursor.offsetDelta
      if (cursor.keySize < 0 || offset < this.#firstOffset) continue
      if (!this.#map.put(bytes, cursor.keyAt, cursor.keySize, offset)) return false
    }
    return true
  }
}
