// Reads the records of a v2 batch that was validated before (see validate.ts). Not for batches from outside: corrupt ones throw.
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
import { decompress } from './compression.ts'
import { VarintReader } from './varint.ts'

export type { RecordInit } from './record-writer.ts'

export type RecordHeader = { key: string; value: Buffer | null }

/** One record. `timestamp` in milliseconds since the epoch: the time of the append when the batch's type is LogAppendTime. */
export type Record = {
  offset: number
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: RecordHeader[]
}

/** The bound for what is in the log: it went through the bound of validate.ts, or an administrator let it grow. */
export const MAX_STORED_RECORDS_BYTES: number = 1 << 30

/** The records of the one batch that `batch` starts with; keys and values are slices. Throws when it is corrupt. */
export function readRecords(batch: Buffer): Record[] {
  return decodeRecords(batch, decompressRecords(batch, MAX_STORED_RECORDS_BYTES))
}

/** What is behind the header of the batch that `batch` starts with, decompressed to at most `maxSizeBytes`. */
export function decompressRecords(batch: Buffer, maxSizeBytes: number): Buffer {
  return decompress(compressionOf(batch, 0), batch.subarray(HEADER_SIZE, sizeOf(batch, 0)), maxSizeBytes)
}

/** The records in `bytes`, which is the decompressed part of `batch`. Throws when it is corrupt. */
export function decodeRecords(batch: Buffer, bytes: Buffer): Record[] {
  const count = recordCount(batch, 0)
  const firstOffset = baseOffset(batch, 0)
  const firstTimestamp = baseTimestamp(batch, 0)
  const appendTime = timestampType(batch, 0) === 'LogAppendTime' ? maxTimestamp(batch, 0) : null
  const reader = new VarintReader(bytes, 0, bytes.length)
  const records: Record[] = []
  for (let index = 0; index < count; index++) {
    const record = readRecord(reader, bytes.length)
    record.offset += firstOffset
    record.timestamp = appendTime ?? firstTimestamp + record.timestamp
    records.push(record)
  }
  if (reader.at !== bytes.length) throw new Error(`${bytes.length - reader.at} bytes follow the last record of a batch`)
  return records
}

/** One record whose offset and timestamp are still deltas. */
function readRecord(reader: VarintReader, end: number): Record {
  reader.end = end
  const size = reader.varint()
  if (size < 0 || size > end - reader.at)
    throw new Error(`a record claims ${size} bytes, which its batch does not have`)
  reader.end = reader.at + size
  reader.skip(1)
  const timestamp = reader.varlong()
  const offset = reader.varint()
  const key = readBytes(reader)
  const value = readBytes(reader)
  const headerCount = reader.varint()
  if (headerCount < 0 || headerCount > reader.end - reader.at) throw new Error(`a record claims ${headerCount} headers`)
  const headers: RecordHeader[] = []
  for (let index = 0; index < headerCount; index++) {
    const headerKey = readBytes(reader)
    if (headerKey === null) throw new Error('a record header has no key')
    headers.push({ key: headerKey.toString(), value: readBytes(reader) })
  }
  if (reader.isBroken || reader.at !== reader.end) throw new Error(`a record of ${size} bytes is malformed`)
  return { offset, timestamp, key, value, headers }
}

function readBytes(reader: VarintReader): Buffer | null {
  const size = reader.varint()
  if (size < 0) return null
  const at = reader.at
  reader.skip(size)
  return reader.bytes.subarray(at, reader.at)
}
