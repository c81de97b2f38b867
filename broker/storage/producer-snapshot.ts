// The producers of a log as bytes (producer-state.ts):
//
//    0 version u8 (2) | 1 producers u32 | then each:
//       0 producerId int64 | 8 epoch int16 | 10 coordinatorEpoch int32 | 14 lastTimestamp int64 | 22 transaction start int64 | 30 batches u8
//       then each batch: 0 baseSequence int32 | 4 lastSequence int32 | 8 baseOffset u64 | 16 lastOffset u64 | 24 timestamp int64
//      ended transactions u32 | then each: 0 producerId int64 | 8 firstOffset u64 | 16 lastOffset u64
//
// Version 1 ends before the ended transactions.
import { readI64, readU64, writeI64, writeU64 } from './log-state.ts'
import type { EndedTransaction, ProducerBatch, ProducerEntry } from './producer-state.ts'
import { StorageError } from './storage-error.ts'

const VERSION = 2
const HEADER_SIZE = 5
const ENTRY_SIZE = 31
const BATCH_SIZE = 32
const ENDED_SIZE = 24

export function encodeProducers(
  entries: ReadonlyMap<number, ProducerEntry>,
  ended: readonly EndedTransaction[],
): Buffer {
  let size = HEADER_SIZE + 4 + ended.length * ENDED_SIZE
  for (const entry of entries.values()) size += ENTRY_SIZE + entry.batches.length * BATCH_SIZE
  const value = Buffer.allocUnsafe(size)
  value[0] = VERSION
  value.writeUInt32BE(entries.size, 1)
  let at = HEADER_SIZE
  for (const entry of entries.values()) at = encodeEntry(value, at, entry)
  at = value.writeUInt32BE(ended.length, at)
  for (const { producerId, firstOffset, lastOffset } of ended) {
    writeI64(value, at, producerId)
    writeU64(value, at + 8, firstOffset)
    writeU64(value, at + 16, lastOffset)
    at += ENDED_SIZE
  }
  return value
}

/** Throws StorageError for a version that this broker does not know. */
export function decodeProducers(value: Buffer): { entries: ProducerEntry[]; ended: EndedTransaction[] } {
  const version = value[0]!
  if (version < 1 || version > VERSION)
    throw new StorageError(`producer state of version ${version} was written by a newer broker`)
  const entries: ProducerEntry[] = []
  let at = HEADER_SIZE
  for (let left = value.readUInt32BE(1); left > 0; left--) {
    const entry = decodeEntry(value, at)
    at += ENTRY_SIZE + entry.batches.length * BATCH_SIZE
    entries.push(entry)
  }
  const ended: EndedTransaction[] = []
  if (version === 1) return { entries, ended }
  let left = value.readUInt32BE(at)
  for (at += 4; left > 0; left--, at += ENDED_SIZE) {
    ended.push({
      producerId: readI64(value, at),
      firstOffset: readU64(value, at + 8),
      lastOffset: readU64(value, at + 16),
    })
  }
  return { entries, ended }
}

function encodeEntry(value: Buffer, at: number, entry: ProducerEntry): number {
  writeI64(value, at, entry.producerId)
  value.writeInt16BE(entry.producerEpoch, at + 8)
  value.writeInt32BE(entry.coordinatorEpoch, at + 10)
  writeI64(value, at + 14, entry.lastTimestamp)
  writeI64(value, at + 22, entry.currentTransactionStartOffset)
  value[at + 30] = entry.batches.length
  at += ENTRY_SIZE
  for (const batch of entry.batches) {
    value.writeInt32BE(batch.baseSequence, at)
    value.writeInt32BE(batch.lastSequence, at + 4)
    writeU64(value, at + 8, batch.baseOffset)
    writeU64(value, at + 16, batch.lastOffset)
    writeI64(value, at + 24, batch.timestamp)
    at += BATCH_SIZE
  }
  return at
}

function decodeEntry(value: Buffer, at: number): ProducerEntry {
  const batches: ProducerBatch[] = []
  for (let next = at + ENTRY_SIZE, left = value[at + 30]!; left > 0; left--, next += BATCH_SIZE) {
    batches.push({
      baseSequence: value.readInt32BE(next),
      lastSequence: value.readInt32BE(next + 4),
      baseOffset: readU64(value, next + 8),
      lastOffset: readU64(value, next + 16),
      timestamp: readI64(value, next + 24),
    })
  }
  return {
    producerId: readI64(value, at),
    producerEpoch: value.readInt16BE(at + 8),
    batches,
    lastTimestamp: readI64(value, at + 14),
    coordinatorEpoch: value.readInt32BE(at + 10),
    currentTransactionStartOffset: readI64(value, at + 22),
  }
}
