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

/**
 * Checks the `count` records in `bytes` from `at` to its end. Timestamps are `baseTimestamp` plus the record's delta, or
 * `batchTimestamp` for all of them when that is not null.
 */
export function scanRecords(
  bytes: Buffer,
  at: number,
  count: number,
  baseTimestamp: number,
  batchTimestamp: number | null,
  rules: ScanRules,
): Scan {
  const scan: Scan = {
    problem: null,
    maxTimestamp: NO_TIMESTAMP,
    isSequential: true,
    errors: [],
    hasTimestampError: false,
  }
  const end = bytes.length
  const reader = new VarintReader(bytes, at, end)
  const { isCompacted, earliestTimestamp, latestTimestamp, timestampRefusal } = rules
  let maxTimestamp = NO_TIMESTAMP
  for (let index = 0; index < count; index++) {
    reader.end = end
    const size = reader.varint()
    const recordEnd = reader.at + size
    if (reader.isBroken || size < 0 || recordEnd > end) return broken(scan, index, 'is cut off or has a wrong length')
    reader.end = recordEnd
    reader.skip(1)
    const timestampDelta = reader.varlong()
    if (reader.varint() !== index) scan.isSequential = false
    const keySize = reader.varint()
    if (keySize > 0) reader.skip(keySize)
    const valueSize = reader.varint()
    if (valueSize > 0) reader.skip(valueSize)
    const headerCount = reader.varint()
    if (headerCount !== 0 && !skipHeaders(reader, headerCount)) return broken(scan, index, 'has malformed headers')
    if (reader.isBroken || reader.at !== recordEnd) return broken(scan, index, 'has fields that do not fit its length')
    const timestamp = batchTimestamp ?? baseTimestamp + timestampDelta
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    if (keySize < 0 && isCompacted) {
      addError(scan, rules, index, 'A compacted topic accepts no record without a key.')
    } else if (timestampRefusal !== null) {
      scan.hasTimestampError = true
      addError(scan, rules, index, timestampRefusal)
    } else if ((timestamp < earliestTimestamp || timestamp > latestTimestamp) && timestamp !== NO_TIMESTAMP) {
      scan.hasTimestampError = true
      addError(scan, rules, index, outOfRange(timestamp, rules))
    }
  }
  if (reader.at !== end)
    scan.problem = `${end - reader.at} bytes follow the last of the ${count} records that the batch claims`
  scan.maxTimestamp = maxTimestamp
  return scan
}

/** Moves past the headers of a record; false when they are not headers. */
function skipHeaders(reader: VarintReader, headerCount: number): boolean {
  // Each takes two bytes at least, so a hostile count ends here and not after 2^31 rounds.
  if (headerCount < 0 || headerCount > reader.end - reader.at) return false
  for (let index = 0; index < headerCount; index++) {
    const keySize = reader.varint()
    if (keySize < 0) return false
    reader.skip(keySize)
    const valueSize = reader.varint()
    if (valueSize > 0) reader.skip(valueSize)
    if (reader.isBroken) return false
  }
  return true
}

function outOfRange(timestamp: number, rules: ScanRules): string {
  return `Timestamp ${timestamp} is out of range: the topic accepts ${rules.earliestTimestamp} to ${rules.latestTimestamp}.`
}

function broken(scan: Scan, index: number, what: string): Scan {
  scan.problem = `record ${index} ${what}`
  return scan
}

function addError(scan: Scan, rules: ScanRules, batchIndex: number, message: string): void {
  if (scan.errors.length < rules.maxErrors) scan.errors.push({ batchIndex, message })
}
