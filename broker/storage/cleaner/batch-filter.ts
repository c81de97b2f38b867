// What stays of a batch when its log is cleaned. Pure; semantics of Kafka's Cleaner.cleanInto and MemoryRecords.filterTo:
//
//   record      stays if it is the newest of its key. Without a key: never
//   tombstone   the same, until its delete horizon has passed (KIP-534): the first cleaning that meets it sets it, to its own time
//               plus delete.retention.ms, as base timestamp of the batch (attribute bit 6)
//   aborted     records of aborted transactions go
//   marker      stays while a batch of its transaction is there; then it gets a horizon as a tombstone does, and goes behind it
//   batch       goes with its last record, but stays as a header if its producer's sequence or epoch is remembered by it, or if it is the last one
//               of the part that is cleaned
//
// What lies above the part that the map knows stays as it is. (Kafka sets horizons there too; then a tombstone and the value that it
// deletes may go in one cleaning, and a reader in between misses both.)
//
// What changes keeps base offset, last offset delta, leader epoch, sequences and compression. A batch that loses nothing is
// returned as it is. `filter` is a generator: it yields every few hundred records, so that a large batch does not hold anybody up.
import {
  baseOffset,
  deleteHorizonMs,
  baseTimestamp,
  isControl,
  isTransactional,
  lastOffset,
  NO_PRODUCER_ID,
  producerEpoch,
  producerId,
  recordCount,
  withKeptRecords,
  withoutRecords,
} from '../../records/batch.ts'
import { readEndTransactionMarker } from '../../records/control.ts'
import { plainRecords, RecordCursor } from '../../records/record-cursor.ts'
import { sizeOfVarlong, writeVarint, writeVarlong } from '../../records/varint.ts'
import type { CleanedTransactions } from './transactions.ts'

/** What is remembered of a producer: the last offset of its newest batch, -1 when its newest is a marker. */
export type LastOfProducer = { readonly lastOffset: number; readonly producerEpoch: number }

export type CleaningRules = {
  /** The newest offset of a key, -1 when the map does not know it. */
  readonly newest: { get(bytes: Buffer, at: number, size: number): number }
  /** Exclusive: below it the map knows all. A batch ends there. */
  readonly mappedEnd: number
  /** Exclusive: the cleaning goes no further than here, and the batch that ends here stays. */
  readonly roundEnd: number
  readonly nowMs: number
  readonly deleteRetentionMs: number
  readonly producers: ReadonlyMap<number, LastOfProducer>
  readonly transactions: CleanedTransactions
}

/** Counts of one cleaning. */
export type FilterCounts = {
  batchesRead: number
  recordsRead: number
  recordsKept: number
  /** Records without a key, which a compacted topic cannot keep. */
  invalidRecords: number
}

/** How many records are looked at between two yields. */
const RECORDS_PER_TURN = 256

export class BatchFilter {
  readonly counts: FilterCounts = { batchesRead: 0, recordsRead: 0, recordsKept: 0, invalidRecords: 0 }
  readonly #rules: CleaningRules

  constructor(rules: CleaningRules) {
    this.#rules = rules
  }

  /** What stays of the one batch that `batch` is; null when nothing does. Batches come in the order of the log. Throws when it is malformed. */
  *filter(batch: Buffer): Generator<void, Buffer | null, void> {
    this.counts.batchesRead++
    this.counts.recordsRead += recordCount(batch, 0)
    if (baseOffset(batch, 0) >= this.#rules.mappedEnd) return this.#pass(batch)
    const kept = isControl(batch, 0) ? this.#marker(batch) : yield* this.#data(batch)
    if (kept !== null) this.counts.recordsKept += recordCount(kept, 0)
    else if (this.#mustStay(batch)) return recordCount(batch, 0) === 0 ? batch : withoutRecords(batch)
    return kept
  }

  // Only what it means for transactions counts.
  #pass(batch: Buffer): Buffer {
    const { transactions } = this.#rules
    const marker = readEndTransactionMarker(batch)
    if (marker !== null) transactions.onMarker(producerId(batch, 0), lastOffset(batch, 0), marker.result)
    else if (isTransactional(batch, 0) && !isControl(batch, 0)) {
      transactions.onBatch(producerId(batch, 0), lastOffset(batch, 0))
    }
    this.counts.recordsKept += recordCount(batch, 0)
    return batch
  }

  #marker(batch: Buffer): Buffer | null {
    if (recordCount(batch, 0) === 0) return null
    const { transactions, nowMs, deleteRetentionMs } = this.#rules
    const marker = readEndTransactionMarker(batch)
    // Of another kind of control record nobody here knows when it may go.
    if (marker === null) return batch
    if (!transactions.onMarker(producerId(batch, 0), lastOffset(batch, 0), marker.result)) return batch
    const horizonMs = deleteHorizonMs(batch, 0)
    if (horizonMs !== null) return horizonMs <= nowMs ? null : batch
    const { bytes, at } = plainRecords(batch)
    return withHorizon(batch, bytes, [at, bytes.length], nowMs + deleteRetentionMs)
  }

  *#data(batch: Buffer): Generator<void, Buffer | null, void> {
    const { transactions } = this.#rules
    if (isTransactional(batch, 0) && transactions.onBatch(producerId(batch, 0), lastOffset(batch, 0))) return null
    const count = recordCount(batch, 0)
    if (count === 0) return null
    const { bytes, at } = plainRecords(batch)
    const cursor = new RecordCursor(bytes, at)
    const first = baseOffset(batch, 0)
    const horizonMs = deleteHorizonMs(batch, 0)
    // Runs of records that stay: begin and end of each, one behind the other.
    const runs: number[] = []
    let keptCount = 0
    let latestDelta = -Infinity
    let hasTombstone = false
    for (let index = 0; index < count; index++) {
      if (index % RECORDS_PER_TURN === RECORDS_PER_TURN - 1) yield
      cursor.next()
      if (!this.#stays(cursor, first + cursor.offsetDelta, horizonMs)) continue
      keptCount++
      if (!cursor.hasValue) hasTombstone = true
      if (cursor.timestampDelta > latestDelta) latestDelta = cursor.timestampDelta
      if (runs.at(-1) === cursor.at) runs[runs.length - 1] = cursor.end
      else runs.push(cursor.at, cursor.end)
    }
    if (keptCount === 0) return null
    const mustSetHorizon = hasTombstone && horizonMs === null
    if (keptCount === count && !mustSetHorizon) return batch
    if (mustSetHorizon) return withHorizon(batch, bytes, runs, this.#rules.nowMs + this.#rules.deleteRetentionMs)
    const maxTimestamp = baseTimestamp(batch, 0) + latestDelta
    return withKeptRecords(batch, { bytes: join(bytes, runs), count: keptCount, maxTimestamp, deleteHorizonMs: null })
  }

  #stays(cursor: RecordCursor, offset: number, horizonMs: number | null): boolean {
    const { newest, nowMs } = this.#rules
    if (cursor.keySize < 0) {
      this.counts.invalidRecords++
      return false
    }
    if (!cursor.hasValue && horizonMs !== null && horizonMs <= nowMs) return false
    return offset >= newest.get(cursor.bytes, cursor.keyAt, cursor.keySize)
  }

  // A batch without records that stays for what its header says.
  #mustStay(batch: Buffer): boolean {
    if (lastOffset(batch, 0) + 1 === this.#rules.roundEnd) return true
    const id = producerId(batch, 0)
    const last = id === NO_PRODUCER_ID ? undefined : this.#rules.producers.get(id)
    if (last === undefined) return false
    if (last.lastOffset >= 0) return lastOffset(batch, 0) === last.lastOffset
    // The newest thing that the producer left is a marker, with the epoch that fences its predecessors.
    return isControl(batch, 0) && producerEpoch(batch, 0) === last.producerEpoch
  }
}

function join(bytes: Buffer, runs: readonly number[]): Buffer {
  if (runs.length === 2) return bytes.subarray(runs[0], runs[1])
  const pieces: Buffer[] = []
  for (let at = 0; at < runs.length; at += 2) pieces.push(bytes.subarray(runs[at], runs[at + 1]))
  return Buffer.concat(pieces)
}

/** What a record's timestamp delta and its length may take at most. */
const MAX_NUMBERS = 15

// The records in `runs` of `bytes` with timestamps that count from the horizon.
function withHorizon(batch: Buffer, bytes: Buffer, runs: readonly number[], horizonMs: number): Buffer {
  const shiftMs = baseTimestamp(batch, 0) - horizonMs
  let sizeBytes = 0
  for (let at = 0; at < runs.length; at += 2) sizeBytes += runs[at + 1]! - runs[at]!
  const out = Buffer.allocUnsafe(sizeBytes + MAX_NUMBERS * recordCount(batch, 0))
  let end = 0
  let count = 0
  let latestDelta = -Infinity
  for (let run = 0; run < runs.length; run += 2) {
    const cursor = new RecordCursor(bytes, runs[run]!)
    while (cursor.end < runs[run + 1]!) {
      cursor.next()
      end = writeShifted(out, end, cursor, cursor.timestampDelta + shiftMs)
      if (cursor.timestampDelta > latestDelta) latestDelta = cursor.timestampDelta
      count++
    }
  }
  const maxTimestamp = baseTimestamp(batch, 0) + latestDelta
  return withKeptRecords(batch, { bytes: out.subarray(0, end), count, maxTimestamp, deleteHorizonMs: horizonMs })
}

function writeShifted(out: Buffer, at: number, cursor: RecordCursor, timestampDelta: number): number {
  const rest = cursor.end - cursor.afterTimestamp
  const size = 1 + sizeOfVarlong(timestampDelta) + rest
  at = writeVarint(out, at, size)
  out[at++] = cursor.bytes[cursor.timestampAt - 1]!
  at = writeVarlong(out, at, timestampDelta)
  cursor.bytes.copy(out, at, cursor.afterTimestamp, cursor.end)
  return at + rest
}
