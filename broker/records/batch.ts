// Record batch v2 (KIP-98): the unit that producers send, partitions keep and consumers receive. This file reads and patches
// the header in place and builds batches; records inside are record.ts, the rules for produced batches validate.ts.
//
//    0 baseOffset int64          | 27 baseTimestamp int64
//    8 batchLength int32 (of     | 35 maxTimestamp int64
//      all that follows)         | 43 producerId int64 (-1: none)
//   12 leaderEpoch int32         | 51 producerEpoch int16
//   16 magic int8 (2)            | 53 baseSequence int32
//   17 crc uint32 (CRC-32C of    | 57 record count int32
//      21 to the end)            | 61 records, compressed as one piece
//   21 attributes int16: bits 0-2 compression, 3 LogAppendTime, 4 transactional, 5 control, 6 delete horizon
//   23 lastOffsetDelta int32
//
// The accessors trust that a whole header is there (at + HEADER_SIZE <= buffer.length); they never look at records.
import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { compress, type Compression } from './compression.ts'
import { encodeRecords, type RecordInit } from './record-writer.ts'

export const HEADER_SIZE = 61
export const MAGIC = 2
/** Bytes in front of what `batchLength` counts: base offset and the length itself. */
export const LOG_OVERHEAD = 12
export const NO_PRODUCER_ID = -1

const BATCH_LENGTH_AT = 8
const LEADER_EPOCH_AT = 12
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const PRODUCER_EPOCH_AT = 51
const BASE_SEQUENCE_AT = 53
const RECORD_COUNT_AT = 57

const COMPRESSION_MASK = 0x07
const LOG_APPEND_TIME_BIT = 0x08
const TRANSACTIONAL_BIT = 0x10
const CONTROL_BIT = 0x20
const DELETE_HORIZON_BIT = 0x40

export type TimestampType = 'CreateTime' | 'LogAppendTime'

/** By the number in the attributes. */
const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Everything a header says. Offsets and sequences: `lastOffset` and `lastSequence` are inclusive; -1 stands for none. */
export type BatchHeader = {
  baseOffset: number
  lastOffset: number
  /** The whole batch, with its header. */
  sizeBytes: number
  leaderEpoch: number
  magic: number
  crc: number
  attributes: number
  compression: Compression
  timestampType: TimestampType
  isTransactional: boolean
  isControl: boolean
  baseTimestamp: number
  maxTimestamp: number
  producerId: number
  producerEpoch: number
  baseSequence: number
  lastSequence: number
  recordCount: number
}

function int64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4)
}

function setInt64(buffer: Buffer, at: number, value: number): void {
  assert(Number.isSafeInteger(value), `an int64 of a batch header is a safe integer, not ${value}`)
  buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}

/** Bytes of the whole batch as its header claims; a whole batch has at least HEADER_SIZE. */
export function sizeOf(buffer: Buffer, at: number): number {
  return LOG_OVERHEAD + buffer.readInt32BE(at + BATCH_LENGTH_AT)
}

export function baseOffset(buffer: Buffer, at: number): number {
  return int64(buffer, at)
}

/** Inclusive. */
export function lastOffset(buffer: Buffer, at: number): number {
  return int64(buffer, at) + buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT)
}

export function lastOffsetDelta(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT)
}

export function leaderEpoch(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + LEADER_EPOCH_AT)
}

export function magic(buffer: Buffer, at: number): number {
  return buffer.readInt8(at + MAGIC_AT)
}

export function crcOf(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at + CRC_AT)
}

export function attributes(buffer: Buffer, at: number): number {
  return buffer.readInt16BE(at + ATTRIBUTES_AT)
}

/** Whether the attributes name one of the compressions that exist (0 to 4). */
export function isCompressionKnown(buffer: Buffer, at: number): boolean {
  return (buffer[at + ATTRIBUTES_AT + 1]! & COMPRESSION_MASK) < COMPRESSIONS.length
}

/** Throws when the attributes name no compression that exists. */
export function compressionOf(buffer: Buffer, at: number): Compression {
  const id = buffer[at + ATTRIBUTES_AT + 1]! & COMPRESSION_MASK
  const compression = COMPRESSIONS[id]
  if (compression === undefined) throw new Error(`Unknown compression type id: ${id}`)
  return compression
}

export function timestampType(buffer: Buffer, at: number): TimestampType {
  return (buffer[at + ATTRIBUTES_AT + 1]! & LOG_APPEND_TIME_BIT) === 0 ? 'CreateTime' : 'LogAppendTime'
}

export function isTransactional(buffer: Buffer, at: number): boolean {
  return (buffer[at + ATTRIBUTES_AT + 1]! & TRANSACTIONAL_BIT) !== 0
}

export function isControl(buffer: Buffer, at: number): boolean {
  return (buffer[at + ATTRIBUTES_AT + 1]! & CONTROL_BIT) !== 0
}

/** What the records' timestamp deltas count from; in a compacted batch with bit 6 it is the delete horizon. */
export function baseTimestamp(buffer: Buffer, at: number): number {
  return int64(buffer, at + BASE_TIMESTAMP_AT)
}

/** From when on tombstones and markers of the batch may go (KIP-534); null when the cleaner has not said so yet. */
export function deleteHorizonMs(buffer: Buffer, at: number): number | null {
  return (buffer[at + ATTRIBUTES_AT + 1]! & DELETE_HORIZON_BIT) === 0 ? null : baseTimestamp(buffer, at)
}

/** The largest timestamp of the batch, or the time of the append when the type is LogAppendTime. */
export function maxTimestamp(buffer: Buffer, at: number): number {
  return int64(buffer, at + MAX_TIMESTAMP_AT)
}

export function producerId(buffer: Buffer, at: number): number {
  return int64(buffer, at + PRODUCER_ID_AT)
}

export function producerEpoch(buffer: Buffer, at: number): number {
  return buffer.readInt16BE(at + PRODUCER_EPOCH_AT)
}

export function baseSequence(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + BASE_SEQUENCE_AT)
}

/** Inclusive. Sequences wrap from 2^31 - 1 to 0; -1 when the batch has none. */
export function lastSequence(buffer: Buffer, at: number): number {
  const first = buffer.readInt32BE(at + BASE_SEQUENCE_AT)
  if (first === -1) return -1
  return (first + buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT)) & 0x7fff_ffff
}

export function recordCount(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + RECORD_COUNT_AT)
}

/** The header as an object. Throws when the compression is unknown. */
export function readHeader(buffer: Buffer, at = 0): BatchHeader {
  return {
    baseOffset: baseOffset(buffer, at),
    lastOffset: lastOffset(buffer, at),
    sizeBytes: sizeOf(buffer, at),
    leaderEpoch: leaderEpoch(buffer, at),
    magic: magic(buffer, at),
    crc: crcOf(buffer, at),
    attributes: attributes(buffer, at),
    compression: compressionOf(buffer, at),
    timestampType: timestampType(buffer, at),
    isTransactional: isTransactional(buffer, at),
    isControl: isControl(buffer, at),
    baseTimestamp: baseTimestamp(buffer, at),
    maxTimestamp: maxTimestamp(buffer, at),
    producerId: producerId(buffer, at),
    producerEpoch: producerEpoch(buffer, at),
    baseSequence: baseSequence(buffer, at),
    lastSequence: lastSequence(buffer, at),
    recordCount: recordCount(buffer, at),
  }
}

/** The positions of the whole batches in `buffer`, from `at` on; stops at a batch that is cut off or claims too few bytes. */
export function* eachBatch(buffer: Buffer, at = 0): Generator<number, void, void> {
  while (at + HEADER_SIZE <= buffer.length) {
    const size = sizeOf(buffer, at)
    if (size < HEADER_SIZE || at + size > buffer.length) return
    yield at
    at += size
  }
}

/** Whether the checksum of the batch at `at` is right; false when the batch is not whole. */
export function isCrcValid(buffer: Buffer, at = 0): boolean {
  if (at + HEADER_SIZE > buffer.length) return false
  const size = sizeOf(buffer, at)
  if (size < HEADER_SIZE || at + size > buffer.length) return false
  return crcOf(buffer, at) === crc32c(buffer.subarray(at + ATTRIBUTES_AT, at + size))
}

/** Moves the batch to `offset`. The checksum does not cover it. */
export function setBaseOffset(buffer: Buffer, at: number, offset: number): void {
  setInt64(buffer, at, offset)
}

/** Stamps the leader epoch. The checksum does not cover it. */
export function setLeaderEpoch(buffer: Buffer, at: number, epoch: number): void {
  buffer.writeInt32BE(epoch, at + LEADER_EPOCH_AT)
}

/** Makes `timestamp` the time of all records of the batch (LogAppendTime) and renews the checksum. */
export function setLogAppendTime(buffer: Buffer, at: number, timestamp: number): void {
  setMaxTimestamp(buffer, at, 'LogAppendTime', timestamp)
}

/** Sets the timestamp type and the largest timestamp, and renews the checksum if that changes anything. */
export function setMaxTimestamp(buffer: Buffer, at: number, type: TimestampType, timestamp: number): void {
  if (timestampType(buffer, at) === type && maxTimestamp(buffer, at) === timestamp) return
  if (type === 'LogAppendTime') buffer[at + ATTRIBUTES_AT + 1]! |= LOG_APPEND_TIME_BIT
  else buffer[at + ATTRIBUTES_AT + 1]! &= ~LOG_APPEND_TIME_BIT
  setInt64(buffer, at + MAX_TIMESTAMP_AT, timestamp)
  renewCrc(buffer, at)
}

/** A copy of the batch that `batch` starts with, with `payload` (compressed so) in place of what follows its header. */
export function withRecords(batch: Buffer, compression: Compression, payload: Buffer): Buffer {
  const copy = Buffer.concat([batch.subarray(0, HEADER_SIZE), payload])
  copy.writeInt32BE(copy.length - LOG_OVERHEAD, BATCH_LENGTH_AT)
  copy[ATTRIBUTES_AT + 1] = (copy[ATTRIBUTES_AT + 1]! & ~COMPRESSION_MASK) | COMPRESSIONS.indexOf(compression)
  renewCrc(copy, 0)
  return copy
}

/** What the cleaner keeps of a batch's records. */
export type KeptRecords = {
  /** Not compressed; their offset deltas are those they had. */
  readonly bytes: Buffer
  readonly count: number
  readonly maxTimestamp: number
  /** Set when it becomes the base timestamp, which the timestamp deltas count from; null: both are what they were. */
  readonly deleteHorizonMs: number | null
}

/** The batch that `batch` starts with, with fewer records: offsets, sequences and compression are what they were. */
export function withKeptRecords(batch: Buffer, kept: KeptRecords): Buffer {
  const compression = compressionOf(batch, 0)
  const copy = Buffer.concat([batch.subarray(0, HEADER_SIZE), compress(compression, kept.bytes)])
  copy.writeInt32BE(copy.length - LOG_OVERHEAD, BATCH_LENGTH_AT)
  copy.writeInt32BE(kept.count, RECORD_COUNT_AT)
  if (timestampType(batch, 0) === 'CreateTime') setInt64(copy, MAX_TIMESTAMP_AT, kept.maxTimestamp)
  if (kept.deleteHorizonMs !== null) {
    copy[ATTRIBUTES_AT + 1]! |= DELETE_HORIZON_BIT
    setInt64(copy, BASE_TIMESTAMP_AT, kept.deleteHorizonMs)
  }
  renewCrc(copy, 0)
  return copy
}

/** The batch that `batch` starts with, without any record: its offsets, its producer and its sequences stay (DefaultRecordBatch.writeEmptyHeader). */
export function withoutRecords(batch: Buffer): Buffer {
  const copy = Buffer.from(batch.subarray(0, HEADER_SIZE))
  copy.writeInt32BE(HEADER_SIZE - LOG_OVERHEAD, BATCH_LENGTH_AT)
  copy.writeInt32BE(0, RECORD_COUNT_AT)
  copy[ATTRIBUTES_AT + 1]! &= ~(COMPRESSION_MASK | DELETE_HORIZON_BIT)
  copy.copy(copy, BASE_TIMESTAMP_AT, MAX_TIMESTAMP_AT, MAX_TIMESTAMP_AT + 8)
  renewCrc(copy, 0)
  return copy
}

function renewCrc(buffer: Buffer, at: number): void {
  buffer.writeUInt32BE(crc32c(buffer.subarray(at + ATTRIBUTES_AT, at + sizeOf(buffer, at))), at + CRC_AT)
}

export type BatchInit = {
  readonly baseOffset?: number
  readonly leaderEpoch?: number
  readonly compression?: Compression
  /** The codec's own level; absent means its default. */
  readonly level?: number
  readonly timestampType?: TimestampType
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  readonly records: readonly RecordInit[]
}

/** Builds a batch whose records have consecutive offsets. Its timestamps are the first and the largest of the records'. */
export function buildBatch(init: BatchInit): Buffer {
  const records = init.records
  const compression = init.compression ?? 'none'
  const first = records.length === 0 ? -1 : records[0]!.timestamp
  let latest = first
  for (const record of records) if (record.timestamp > latest) latest = record.timestamp
  let batch = encodeRecords(records, first, HEADER_SIZE)
  if (compression !== 'none') {
    const compressed = compress(compression, batch.subarray(HEADER_SIZE), init.level)
    batch = Buffer.concat([batch.subarray(0, HEADER_SIZE), compressed])
  }
  setInt64(batch, 0, init.baseOffset ?? 0)
  batch.writeInt32BE(batch.length - LOG_OVERHEAD, BATCH_LENGTH_AT)
  batch.writeInt32BE(init.leaderEpoch ?? -1, LEADER_EPOCH_AT)
  batch.writeInt8(MAGIC, MAGIC_AT)
  let bits = COMPRESSIONS.indexOf(compression)
  if (init.timestampType === 'LogAppendTime') bits |= LOG_APPEND_TIME_BIT
  if (init.isTransactional === true) bits |= TRANSACTIONAL_BIT
  if (init.isControl === true) bits |= CONTROL_BIT
  batch.writeInt16BE(bits, ATTRIBUTES_AT)
  batch.writeInt32BE(Math.max(records.length - 1, 0), LAST_OFFSET_DELTA_AT)
  setInt64(batch, BASE_TIMESTAMP_AT, first)
  setInt64(batch, MAX_TIMESTAMP_AT, latest)
  setInt64(batch, PRODUCER_ID_AT, init.producerId ?? -1)
  batch.writeInt16BE(init.producerEpoch ?? -1, PRODUCER_EPOCH_AT)
  batch.writeInt32BE(init.baseSequence ?? -1, BASE_SEQUENCE_AT)
  batch.writeInt32BE(records.length, RECORD_COUNT_AT)
  renewCrc(batch, 0)
  return batch
}
