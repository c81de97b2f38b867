// What Kafka checks before it appends a produced batch, as one pure function (ProduceRequest.validateRecords,
// UnifiedLog.analyzeAndValidateRecords, LogValidator; compared with Kafka 4.4 by running both). What depends on earlier batches of
// a producer (duplicates, gaps, epochs) is storage/producer-state.ts, what depends on the request is api/produce.ts.
//
// On purpose not as Kafka:
// - What Kafka meets with UNKNOWN_SERVER_ERROR has an error that says what is wrong: an unknown compression, bytes that do not
//   decompress, a header that is cut off.
// - The decompressed records are bounded (MAX_DECOMPRESSED_BYTES), because they are in memory as a whole. Beyond it the answer is
//   MESSAGE_TOO_LARGE, which makes Java's producer split the batch.
// - Records that Kafka would store and then fail to read back are refused: lengths in a compressed record that do not add up,
//   bytes behind the end of a compressed stream. LZ4 frames with linked blocks, which Java cannot read, are rewritten.
// - A batch that claims LogAppendTime is refused everywhere; Kafka takes it where the topic has CreateTime and no client sends it.
// - Timestamps and producer ids beyond 2^53 are refused: no number here holds them. So are producer ids below -1, and transactional
//   batches without a producer id, which Kafka refuses elsewhere.
import { ErrorCode } from '../protocol/errors.ts'
import * as batches from './batch.ts'
import { HEADER_SIZE, LOG_OVERHEAD, MAGIC, NO_PRODUCER_ID, type BatchHeader, type TimestampType } from './batch.ts'
import { TooLargeError } from './compression-errors.ts'
import { compress, type Compression } from './compression.ts'
import { hasLinkedBlocks } from './lz4.ts'
import { decodeRecords, decompressRecords } from './record.ts'
import { encodeRecords } from './record-writer.ts'
import { scanRecords, type RecordError, type Scan, type ScanRules } from './scan.ts'

export type { RecordError } from './scan.ts'

/** The rules of the topic. Negative limits of timestamps mean none. */
export type ProduceLimits = {
  /** max.message.bytes: of the batch as it arrives and as it is stored. */
  readonly maxMessageBytes: number
  /** segment.bytes: of the batch as it is stored. */
  readonly segmentBytes: number
  readonly isCompacted: boolean
  readonly timestampType: TimestampType
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly compressionType: Compression | 'producer'
  readonly compressionLevel?: number
}

export type ProduceRefusal = {
  readonly errorCode: Exclude<ErrorCode, 0>
  readonly message: string
  readonly recordErrors: readonly RecordError[]
}

/** `batch` is the batch to store: a slice of the input, whose header may have been patched, or a new one. */
export type ProduceVerdict =
  { readonly errorCode: 0; readonly batch: Buffer; readonly header: BatchHeader } | ProduceRefusal

/** What the records of one batch may take after decompression, or max.message.bytes if that is more. */
export const MAX_DECOMPRESSED_BYTES = 64 << 20

/** The bytes that a batch of any format has at least, behind what its length counts (LegacyRecord.RECORD_OVERHEAD_V0). */
const MIN_BATCH_LENGTH = 14

/** The bytes up to and with the magic, which come before anything that depends on it. */
const HEADER_SIZE_UP_TO_MAGIC = 17

/** Judges the records that a client sent for one partition at `nowMs`; never throws, whatever they hold. */
export function validateProduce(records: Buffer, limits: ProduceLimits, nowMs: number): ProduceVerdict {
  const refusal = checkFrame(records) ?? checkHeader(records, limits)
  if (refusal !== null) return refusal
  const batch = records.subarray(0, batches.sizeOf(records, 0))
  const compression = batches.compressionOf(batch, 0)
  let bytes = batch
  let at = HEADER_SIZE
  if (compression !== 'none') {
    try {
      bytes = decompressRecords(batch, Math.max(MAX_DECOMPRESSED_BYTES, limits.maxMessageBytes))
    } catch (error) {
      const errorCode = error instanceof TooLargeError ? ErrorCode.MESSAGE_TOO_LARGE : ErrorCode.INVALID_RECORD
      return refuse(errorCode, `The ${compression} compressed records cannot be read: ${(error as Error).message}.`)
    }
    at = 0
  }
  const rules = scanRules(batch, limits, nowMs)
  const scan = scanRecords(bytes, at, batches.recordCount(batch, 0), batches.baseTimestamp(batch, 0), rules)
  if (scan.problem !== null) return refuse(ErrorCode.INVALID_RECORD, `The batch is malformed: ${scan.problem}.`)
  if (scan.errors.length > 0) return refuseRecords(scan)
  const target = limits.compressionType === 'producer' ? compression : limits.compressionType
  const maxTimestamp = limits.timestampType === 'LogAppendTime' ? nowMs : scan.maxTimestamp
  if (mustRebuild(batch, compression, target, scan)) {
    return rebuild(batch, at === 0 ? bytes : bytes.subarray(at), target, maxTimestamp, scan, limits)
  }
  batches.setMaxTimestamp(batch, 0, limits.timestampType, maxTimestamp)
  return accept(batch, limits)
}

/** The batch, if a segment has room for it. UnifiedLog looks at this last, before the producer's sequence. */
function accept(batch: Buffer, { segmentBytes }: ProduceLimits): ProduceVerdict {
  if (batch.length > segmentBytes) {
    const message = `The record batch has ${batch.length} bytes; a segment of the topic has ${segmentBytes} at most.`
    return refuse(ErrorCode.RECORD_LIST_TOO_LARGE, message)
  }
  return { errorCode: ErrorCode.NONE, batch, header: batches.readHeader(batch, 0) }
}

/** That there is a whole batch of magic 2 at the beginning. */
function checkFrame(records: Buffer): ProduceRefusal | null {
  const { INVALID_RECORD, CORRUPT_MESSAGE } = ErrorCode
  const problem = frameProblem(records, 0)
  if (problem !== null) return refuse(CORRUPT_MESSAGE, problem)
  const size = records.length < LOG_OVERHEAD ? Infinity : batches.sizeOf(records, 0)
  if (size > records.length)
    return refuse(
      INVALID_RECORD,
      `A produce request has a whole record batch for each partition, not ${records.length} bytes.`,
    )
  const magic = batches.magic(records, 0)
  if (magic !== MAGIC)
    return refuse(INVALID_RECORD, `Clients must send record batches of magic ${MAGIC}, not ${magic}.`)
  return size < HEADER_SIZE ? refuse(CORRUPT_MESSAGE, `The record batch has ${size} bytes, less than a header.`) : null
}

/** That there is no second batch. Kafka ignores the beginning of one; so do we. */
function checkRest(records: Buffer, at: number): ProduceRefusal | null {
  const problem = frameProblem(records, at)
  if (problem !== null) return refuse(ErrorCode.CORRUPT_MESSAGE, problem)
  const rest = records.length - at
  if (rest < HEADER_SIZE_UP_TO_MAGIC || rest < batches.sizeOf(records, at)) return null
  return refuse(ErrorCode.INVALID_RECORD, 'A produce request has exactly one record batch for each partition.')
}

/** What is impossible in the beginning of a batch of any magic; null for too few bytes to say. ByteBufferLogInputStream. */
function frameProblem(records: Buffer, at: number): string | null {
  const rest = records.length - at
  if (rest < LOG_OVERHEAD) return null
  const size = batches.sizeOf(records, at)
  if (size < LOG_OVERHEAD + MIN_BATCH_LENGTH) return `A record batch claims a size of ${size} bytes.`
  if (rest < HEADER_SIZE_UP_TO_MAGIC) return null
  const magic = batches.magic(records, at)
  return magic < 0 || magic > MAGIC ? `A record batch has the unknown magic ${magic}.` : null
}

/** The header of the whole batch of magic 2 that `records` starts with. */
function checkHeader(records: Buffer, limits: ProduceLimits): ProduceRefusal | null {
  const { INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE } = ErrorCode
  const size = batches.sizeOf(records, 0)
  const refusal = checkRest(records, size)
  if (refusal !== null) return refusal
  const baseOffset = batches.baseOffset(records, 0)
  if (baseOffset !== 0) return refuse(INVALID_RECORD, `The base offset of a produced batch is 0, not ${baseOffset}.`)
  const max = limits.maxMessageBytes
  if (size > max) return refuse(MESSAGE_TOO_LARGE, `The record batch has ${size} bytes; the topic accepts ${max}.`)
  if (!batches.isCrcValid(records, 0)) return refuse(CORRUPT_MESSAGE, 'The checksum of the record batch is wrong.')
  if (!batches.isCompressionKnown(records, 0))
    return refuse(UNSUPPORTED_COMPRESSION_TYPE, 'The record batch has an unknown compression.')
  const lastOffset = batches.lastOffset(records, 0)
  const count = batches.recordCount(records, 0)
  if (count <= 0 || lastOffset + 1 !== count)
    return refuse(INVALID_RECORD, `The record batch claims ${count} records and offsets from 0 to ${lastOffset}.`)
  if (batches.isControl(records, 0)) return refuse(INVALID_RECORD, 'Clients may not write control records.')
  return checkProducer(records)
}

/** The fields of idempotent and transactional producers. */
function checkProducer(batch: Buffer): ProduceRefusal | null {
  const producerId = batches.producerId(batch, 0)
  if (producerId < NO_PRODUCER_ID || producerId > Number.MAX_SAFE_INTEGER)
    return refuse(ErrorCode.INVALID_RECORD, `The record batch has the impossible producer id ${producerId}.`)
  const baseSequence = batches.baseSequence(batch, 0)
  if (producerId !== NO_PRODUCER_ID && baseSequence < 0)
    return refuse(
      ErrorCode.INVALID_RECORD,
      `The record batch of producer ${producerId} has the sequence number ${baseSequence}.`,
    )
  if (producerId === NO_PRODUCER_ID && batches.isTransactional(batch, 0))
    return refuse(ErrorCode.INVALID_RECORD, 'The record batch is transactional and has no producer id.')
  return null
}

function scanRules(batch: Buffer, limits: ProduceLimits, nowMs: number): ScanRules {
  const isCreateTime = limits.timestampType === 'CreateTime'
  const before = limits.timestampBeforeMaxMs < 0 ? Infinity : limits.timestampBeforeMaxMs
  const after = limits.timestampAfterMaxMs < 0 ? Infinity : limits.timestampAfterMaxMs
  const isStamped = batches.timestampType(batch, 0) === 'LogAppendTime'
  return {
    isCompacted: limits.isCompacted,
    earliestTimestamp: isCreateTime ? Math.max(nowMs - before, Number.MIN_SAFE_INTEGER) : -Infinity,
    latestTimestamp: isCreateTime ? Math.min(nowMs + after, Number.MAX_SAFE_INTEGER) : Infinity,
    timestampRefusal: isStamped ? 'A producer may not set the timestamp type LogAppendTime.' : null,
    // An answer that is not much longer than the request.
    maxErrors: 100 + Math.floor(batch.length / 64),
  }
}

function mustRebuild(batch: Buffer, source: Compression, target: Compression, scan: Scan): boolean {
  if (source !== target) return true
  if (source === 'none') return false
  if (source === 'lz4' && hasLinkedBlocks(batch.subarray(HEADER_SIZE))) return true
  // As Kafka does, "some older clients" being the reason; in uncompressed batches it never looks.
  return !scan.isSequential
}

/** A batch with the same producer fields and records, in the compression of the topic and with consecutive offsets. */
function rebuild(
  batch: Buffer,
  bytes: Buffer,
  target: Compression,
  maxTimestamp: number,
  scan: Scan,
  limits: ProduceLimits,
): ProduceVerdict {
  if (!scan.isSequential) bytes = encodeRecords(decodeRecords(batch, bytes), batches.baseTimestamp(batch, 0), 0)
  const max = limits.maxMessageBytes
  const payload = compress(target, bytes, limits.compressionLevel)
  const size = HEADER_SIZE + payload.length
  if (size > max) {
    return refuse(
      ErrorCode.MESSAGE_TOO_LARGE,
      `The record batch has ${size} bytes with compression ${target}; the topic accepts ${max}.`,
    )
  }
  const rebuilt = batches.withRecords(batch, target, payload)
  batches.setMaxTimestamp(rebuilt, 0, limits.timestampType, maxTimestamp)
  return accept(rebuilt, limits)
}

function refuse(errorCode: ProduceRefusal['errorCode'], message: string): ProduceRefusal {
  return { errorCode, message, recordErrors: [] }
}

function refuseRecords(scan: Scan): ProduceRefusal {
  const errorCode = scan.hasTimestampError ? ErrorCode.INVALID_TIMESTAMP : ErrorCode.INVALID_RECORD
  const first = scan.errors[0]!
  const message = `The record batch is refused because of ${scan.errors.length} of its records. Record ${first.batchIndex}: ${first.message}`
  return { errorCode, message, recordErrors: scan.errors }
}
