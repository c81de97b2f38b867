// Record batches (v2) and Produce requests written by hand, so that they can be wrong in ways that no client allows.
import { int16, int32, int64, requestFrame, text } from './wire.ts'
import type { Wire } from './wire.ts'

/** The fields of a batch header that a test may set; the rest follows from the records. */
export type BatchInit = {
  baseOffset?: number
  /** Bytes after the length field; computed when left out. */
  batchLength?: number
  magic?: number
  attributes?: number
  lastOffsetDelta?: number
  baseTimestamp?: number
  maxTimestamp?: number
  producerId?: number
  producerEpoch?: number
  baseSequence?: number
  count?: number
  /** Added to the right checksum. */
  crcError?: number
  /** Records of the batch. */
  values?: readonly string[]
  /** Instead of the records: what follows the header. */
  payload?: Buffer
}

/** A batch that is right where `init` does not say otherwise. */
export function batchBytes(init: BatchInit = {}): Buffer {
  const values = init.values ?? ['value']
  const now = Date.now()
  const payload = init.payload ?? Buffer.concat(values.map((value, index) => recordBytes(index, value)))
  const afterCrc = Buffer.concat([
    int16(init.attributes ?? 0),
    int32(init.lastOffsetDelta ?? values.length - 1),
    int64(init.baseTimestamp ?? now),
    int64(init.maxTimestamp ?? init.baseTimestamp ?? now),
    int64(init.producerId ?? -1),
    int16(init.producerEpoch ?? -1),
    int32(init.baseSequence ?? -1),
    int32(init.count ?? values.length),
    payload,
  ])
  const crc = (crc32c(afterCrc) + (init.crcError ?? 0)) >>> 0
  const afterLength = Buffer.concat([int32(-1), Buffer.of(init.magic ?? 2), uint32(crc), afterCrc])
  return Buffer.concat([int64(init.baseOffset ?? 0), int32(init.batchLength ?? afterLength.length), afterLength])
}

/** A record without key and headers, a millisecond after the one before. */
function recordBytes(offsetDelta: number, value: string): Buffer {
  const bytes = Buffer.from(value)
  const body = Buffer.concat([
    Buffer.of(0),
    varint(0),
    varint(offsetDelta),
    varint(-1),
    varint(bytes.length),
    bytes,
    varint(0),
  ])
  return Buffer.concat([varint(body.length), body])
}

/** One message of the format before record batches (magic 1). */
export function messageSetBytes(value: string): Buffer {
  const bytes = Buffer.from(value)
  const afterCrc = Buffer.concat([Buffer.of(1, 0), int64(Date.now()), int32(-1), int32(bytes.length), bytes])
  return Buffer.concat([int64(0), int32(4 + afterCrc.length), int32(0), afterCrc])
}

export type Produced = { errorCode: number; baseOffset: number }

/** Sends a Produce request with these records for partition 0. Null when the broker closes the connection. */
export async function produceBytes(
  wire: Wire,
  topic: string,
  records: Buffer | null,
  {
    version = 8,
    acks = -1,
    partition = 0,
    transactionalId,
  }: { version?: number; acks?: number; partition?: number; transactionalId?: string } = {},
): Promise<Produced | null> {
  const bytes = records === null ? int32(-1) : Buffer.concat([int32(records.length), records])
  const partitions = Buffer.concat([int32(1), int32(partition), bytes])
  const id = transactionalId === undefined ? int16(-1) : text(transactionalId)
  const body = Buffer.concat([id, int16(acks), int32(30_000), int32(1), text(topic), partitions])
  wire.send(requestFrame(0, version, 1, body))
  const answer = await wire.frame()
  if (answer === null) return null
  // Correlation id, one topic with its name, one partition with its index, error code and base offset.
  const at = 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4
  return { errorCode: answer.readInt16BE(at), baseOffset: Number(answer.readBigInt64BE(at + 2)) }
}

/**
 * Sends InitProducerId (v1) until it succeeds: a fresh broker may not have its block of ids yet, or not have loaded the transactions. The id has
 * epoch 0 when the transactional id is new.
 */
export async function newProducerId(wire: Wire, transactionalId?: string): Promise<number> {
  const deadline = performance.now() + 60_000
  const id = transactionalId === undefined ? int16(-1) : text(transactionalId)
  for (;;) {
    wire.send(requestFrame(22, 1, 1, Buffer.concat([id, int32(60_000)])))
    const answer = (await wire.frame())!
    const errorCode = answer.readInt16BE(8)
    if (errorCode === 0) return Number(answer.readBigInt64BE(10))
    if (performance.now() > deadline) throw new Error(`InitProducerId still fails with ${errorCode}`)
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return Buffer.from([...bytes, rest])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** CRC-32C, bit by bit: slow, and independent of the broker's. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}
