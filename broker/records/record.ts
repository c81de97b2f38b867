// Reads the records of a v2 batch that was validated before (see validate.ts). Not for batches from outside: corrupt ones throw.
import { assert } from '../base/assert.ts'
import {
  HEADER_SIZE,
  baseOffset,
  baseTimestamp,
  compressionOf,
  maxTimestamp,
  recordCount,
  sizeOf,
  timestampType,
} from './batch.ts'
import { decompress, MAX_DECOMPRESSED_BYTES } from './compression.ts'

export type { RecordInit } from './record-writer.ts'

export type RecordHeader = { key: string; value: Buffer | null }

/** One record. `timestamp` in milliseconds since the epoch: the batch's when its type is LogAppendTime. */
export type Record = {
  offset: number
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: RecordHeader[]
}

/** The records of the one batch that `batch` starts with; keys and values are slices of it. Throws when it is corrupt. */
export function readRecords(batch: Buffer): Record[] {
  const bytes = recordBytes(batch)
  const count = recordCount(batch, 0)
  const firstOffset = baseOffset(batch, 0)
  const firstTimestamp = baseTimestamp(batch, 0)
  const appendTime = timestampType(batch, 0) === 'LogAppendTime' ? maxTimestamp(batch, 0) : null
  const reader = new RecordReader(bytes)
  const records: Record[] = []
  for (let index = 0; index < count; index++) records.push(reader.read(firstOffset, firstTimestamp, appendTime))
  if (reader.at !== bytes.length)
    throw new Error(`${bytes.length - reader.at} bytes follow the last record of the batch`)
  return records
}

/** The bytes behind the header of the one batch that `batch` starts with, decompressed. */
export function recordBytes(batch: Buffer): Buffer {
  const bytes = batch.subarray(HEADER_SIZE, sizeOf(batch, 0))
  return decompress(compressionOf(batch, 0), bytes, MAX_DECOMPRESSED_BYTES)
}

class RecordReader {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  read(firstOffset: number, firstTimestamp: number, appendTime: number | null): Record {
    const size = this.#varlong()
    const end = this.at + size
    if (size < 0 || end > this.#bytes.length)
      throw new Error(`a record claims ${size} bytes, which the batch does not have`)
    this.at++
    const timestampDelta = this.#varlong()
    const offset = firstOffset + this.#varlong()
    const key = this.#nullableBytes(end)
    const value = this.#nullableBytes(end)
    const headerCount = this.#varlong()
    if (headerCount < 0 || headerCount > end - this.at) throw new Error(`a record claims ${headerCount} headers`)
    const headers: RecordHeader[] = []
    for (let index = 0; index < headerCount; index++) {
      const headerKey = this.#nullableBytes(end)
      if (headerKey === null) throw new Error('a record header has a null key')
      headers.push({ key: headerKey.toString(), value: this.#nullableBytes(end) })
    }
    if (this.at !== end) throw new Error(`a record claims ${size} bytes and has ${size + this.at - end}`)
    return { offset, timestamp: appendTime ?? firstTimestamp + timestampDelta, key, value, headers }
  }

  #nullableBytes(end: number): Buffer | null {
    const size = this.#varlong()
    if (size < 0) return null
    if (size > end - this.at) throw new Error(`a field claims ${size} bytes, which its record does not have`)
    this.at += size
    return this.#bytes.subarray(this.at - size, this.at)
  }

  #varlong(): number {
    let half = 0
    let unit = 0.5
    let isNegative = false
    for (let count = 0; count < 10; count++) {
      assert(this.at <= this.#bytes.length, 'the cursor stays inside the batch')
      const byte = this.#bytes[this.at++]
      if (byte === undefined) throw new Error('a number of a record is cut off')
      if (count === 0) isNegative = (byte & 1) === 1
      half += count === 0 ? (byte & 0x7e) * unit : (byte & 0x7f) * unit
      if (byte < 0x80) return isNegative ? -half - 1 : half
      unit *= 128
    }
    throw new Error('a number of a record has more than 10 bytes')
  }
}
