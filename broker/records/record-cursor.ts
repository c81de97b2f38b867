// A walk over the records of a batch that makes no object of any: where each begins and ends, its key, and whether it has a value. For whoever
// looks at all records of a log (the cleaner). What it walks was validated when it was appended; a batch that rotted since throws.
import { compressionOf, HEADER_SIZE, recordCount } from './batch.ts'
import { decompressRecords, MAX_STORED_RECORDS_BYTES } from './record.ts'
import { VarintReader } from './varint.ts'

/** The records of the one batch that `batch` is, not compressed, and where in `bytes` the first one begins; they end where `bytes` does. */
export function plainRecords(batch: Buffer): { readonly bytes: Buffer; readonly at: number } {
  if (compressionOf(batch, 0) === 'none') return { bytes: batch, at: HEADER_SIZE }
  // An empty batch has nothing that could be decompressed.
  if (recordCount(batch, 0) === 0) return { bytes: EMPTY, at: 0 }
  return { bytes: decompressRecords(batch, MAX_STORED_RECORDS_BYTES), at: 0 }
}

const EMPTY = Buffer.alloc(0)

export class RecordCursor {
  readonly bytes: Buffer
  /** The record, with its length in front: [at, end). */
  at = 0
  end = 0
  timestampDelta = 0
  offsetDelta = 0
  /** Where its timestamp delta begins (behind length and attributes), and where what follows it does. */
  timestampAt = 0
  afterTimestamp = 0
  keyAt = 0
  /** -1: no key. */
  keySize = -1
  hasValue = false
  readonly #reader: VarintReader

  /** Stands before the first record in `bytes` from `at` on. */
  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.end = at
    this.#reader = new VarintReader(bytes, at, bytes.length)
  }

  /** Moves to the record behind this one. Throws when it is not whole; how many there are the batch says. */
  next(): void {
    const reader = this.#reader
    this.at = this.end
    reader.at = this.at
    reader.end = this.bytes.length
    const size = reader.varint()
    this.end = reader.at + size
    if (reader.isBroken || size < 0 || this.end > this.bytes.length) throw malformed(this.at)
    reader.end = this.end
    reader.skip(1)
    this.timestampAt = reader.at
    this.timestampDelta = reader.varlong()
    this.afterTimestamp = reader.at
    this.offsetDelta = reader.varint()
    this.keySize = reader.varint()
    this.keyAt = reader.at
    if (this.keySize > 0) reader.skip(this.keySize)
    const valueSize = reader.varint()
    this.hasValue = valueSize >= 0
    if (valueSize > 0) reader.skip(valueSize)
    if (reader.isBroken) throw malformed(this.at)
  }
}

function malformed(at: number): Error {
  return new Error(`the record at byte ${at} of a batch is cut off or its lengths do not add up`)
}
