// Walks the records of a produced batch and checks each, without making an object of any: this runs for every record that any
// client sends. What Kafka does in DefaultRecord.readFrom and LogValidator.validateRecord.
import { VarintReader } from './varint.ts'

/** Kafka's value for "this record has no timestamp". */
export const NO_TIMESTAMP = -1

export type RecordError = { readonly batchIndex: number; readonly message: string | null }

export type ScanRules = {
  /** Refuses records without a key. */
  readonly isCompacted: boolean
  /** The bounds of timestamps, both inclusive, in milliseconds since the epoch. */
  readonly earliestTimestamp: number
  readonly latestTimestamp: number
  /** Why every timestamp is refused; null when they are judged by the bounds. */
  readonly timestampRefusal: string | null
  /** How many record errors are reported at most. */
  readonly maxErrors: number
}

export type Scan = {
  /** What makes the bytes unreadable; null when they are records. */
  problem: string | null
  /** The largest timestamp of the records; NO_TIMESTAMP when none has one. */
  maxTimestamp: number
  /** Whether offset deltas are 0, 1, 2, ... */
  isSequential: boolean
  /** Records that break a rule, in order. */
  errors: RecordError[]
  hasTimestampError: boolean
}

/** What the scan needs of one record; one object for all of a batch. */
type Fields = { end: number; timestampDelta: number; offsetDelta: number; keySize: number }

/** Checks the `count` records in `bytes` from `at` to its end. Their timestamps count from `baseTimestamp`. */
export function scanRecords(bytes: Buffer, at: number, count: number, baseTimestamp: number, rules: ScanRules): Scan {
  const scan: Scan = {
    problem: null,
    maxTimestamp: NO_TIMESTAMP,
    isSequential: true,
    errors: [],
    hasTimestampError: false,
  }
  const end = bytes.length
  const fields: Fields = { end: at, timestampDelta: 0, offsetDelta: 0, keySize: 0 }
  const reader = new VarintReader(bytes, at, end)
  const { isCompacted, earliestTimestamp, latestTimestamp, timestampRefusal } = rules
  for (let index = 0; index < count; index++) {
    if (!readPlainRecord(bytes, fields.end, end, fields) && !readRecord(reader, fields.end, end, fields)) {
      scan.problem = `record ${index} of ${count} is cut off or its lengths do not add up`
      return scan
    }
    if (fields.offsetDelta !== index) scan.isSequential = false
    const timestamp = baseTimestamp + fields.timestampDelta
    if (timestamp > scan.maxTimestamp) scan.maxTimestamp = timestamp
    if (fields.keySize < 0 && isCompacted) {
      addError(scan, rules, index, 'A compacted topic accepts no record without a key.')
    } else if (timestampRefusal !== null) {
      scan.hasTimestampError = true
      addError(scan, rules, index, timestampRefusal)
    } else if ((timestamp < earliestTimestamp || timestamp > latestTimestamp) && timestamp !== NO_TIMESTAMP) {
      scan.hasTimestampError = true
      addError(scan, rules, index, outOfRange(timestamp, rules))
    }
  }
  if (fields.end !== end)
    scan.problem = `${end - fields.end} bytes follow the last of the ${count} records that the batch claims`
  return scan
}

/** Bytes that the numbers in front of a plain record's key take at most. */
const PLAIN_NUMBERS = 9

/**
 * Reads the record at `at` if it is one of the usual: no headers, and no number takes more than two bytes. False says nothing
 * about a record; readRecord judges it. Twice as fast as readRecord, since all it needs stays in registers.
 */
function readPlainRecord(bytes: Buffer, at: number, end: number, fields: Fields): boolean {
  if (end - at < PLAIN_NUMBERS) return false
  let size = bytes[at++]!
  if (size >= 0x80) {
    const high = bytes[at++]!
    if (high >= 0x80) return false
    size = (size & 0x7f) | (high << 7)
  }
  const recordEnd = at + (size >>> 1)
  if ((size & 1) === 1 || recordEnd > end) return false
  at++
  let timestampDelta = bytes[at++]!
  if (timestampDelta >= 0x80) {
    const high = bytes[at++]!
    if (high >= 0x80) return false
    timestampDelta = (timestampDelta & 0x7f) | (high << 7)
  }
  let offsetDelta = bytes[at++]!
  if (offsetDelta >= 0x80) {
    const high = bytes[at++]!
    if (high >= 0x80) return false
    offsetDelta = (offsetDelta & 0x7f) | (high << 7)
  }
  let keySize = bytes[at++]!
  if (keySize >= 0x80) {
    const high = bytes[at++]!
    if (high >= 0x80) return false
    keySize = (keySize & 0x7f) | (high << 7)
  }
  keySize = (keySize >>> 1) ^ -(keySize & 1)
  if (keySize > 0) at += keySize
  if (recordEnd - at < 2) return false
  let valueSize = bytes[at++]!
  if (valueSize >= 0x80) {
    const high = bytes[at++]!
    if (high >= 0x80) return false
    valueSize = (valueSize & 0x7f) | (high << 7)
  }
  if ((valueSize & 1) === 0) at += valueSize >>> 1
  if (at !== recordEnd - 1 || bytes[at] !== 0) return false
  fields.end = recordEnd
  fields.timestampDelta = (timestampDelta >>> 1) ^ -(timestampDelta & 1)
  fields.offsetDelta = (offsetDelta >>> 1) ^ -(offsetDelta & 1)
  fields.keySize = keySize
  return true
}

/** Reads any record at `at`; false when it is malformed. */
function readRecord(reader: VarintReader, at: number, end: number, fields: Fields): boolean {
  reader.at = at
  reader.end = end
  const size = reader.varint()
  const recordEnd = reader.at + size
  if (reader.isBroken || size < 0 || recordEnd > end) return false
  reader.end = recordEnd
  reader.skip(1)
  fields.end = recordEnd
  fields.timestampDelta = reader.varlong()
  fields.offsetDelta = reader.varint()
  fields.keySize = reader.varint()
  if (fields.keySize > 0) reader.skip(fields.keySize)
  const valueSize = reader.varint()
  if (valueSize > 0) reader.skip(valueSize)
  return skipHeaders(reader, reader.varint()) && !reader.isBroken && reader.at === recordEnd
}

/** Moves past the headers of a record; false when they are not headers. */
function skipHeaders(reader: VarintReader, headerCount: number): boolean {
  if (headerCount < 0) return false
  for (let index = 0; index < headerCount; index++) {
    const keySize = reader.varint()
    if (keySize < 0) return false
    reader.skip(keySize)
    const valueSize = reader.varint()
    if (valueSize > 0) reader.skip(valueSize)
    // A hostile count ends here, at the end of the record.
    if (reader.isBroken) return false
  }
  return true
}

function outOfRange(timestamp: number, rules: ScanRules): string {
  return `Timestamp ${timestamp} is out of range: the topic accepts ${rules.earliestTimestamp} to ${rules.latestTimestamp}.`
}

function addError(scan: Scan, rules: ScanRules, batchIndex: number, message: string): void {
  if (scan.errors.length < rules.maxErrors) scan.errors.push({ batchIndex, message })
}
