// The key layout of the store: what the partition logs keep there and where. Values are drawn in log-state.ts, extent.ts, segment.ts
// producer-snapshot.ts and aborted-transactions.ts.
//
//   kind | topic id | partition | offset    value
//   -----+----------+-----------+--------   ----------------------------------------------------------------------------
//   0x01 |          |           |           the writer's progress: format version, last group, last synced group
//   0x10 | 16 bytes | u32       |           state of one log: name, log start, active segment, leader epochs
//   0x11 | 16 bytes | u32       |           its producers, as of an offset inside the value
//   0x12 | 16 bytes | u32       | u64       its producers when the segment that starts at this offset began
//   0x20 | 16 bytes | u32       | u64       a sealed segment, by base offset: file, size, end offset, largest timestamp
//   0x21 | 16 bytes | u32       | u64       the sparse index of that segment
//   0x22 | 16 bytes | u32       | u64       an aborted transaction, by the offset of its marker: producer, first offset
//   0x30 | 16 bytes | u32       | u64       an extent of the part that is not sealed, by base offset: the batches, or where they are
//
// Numbers are big-endian, so keys sort by partition and offset. The kind comes first: all states, all producers and all segments of
// a broker are each one range, so 10,000 partitions open with three scans.
import { uuidBytes, uuidFromBytes, type Uuid } from '../base/uuid.ts'

export const PROGRESS_KEY: Buffer = Buffer.from([0x01])

const STATE = 0x10
const PRODUCERS = 0x11
const PRODUCERS_AT = 0x12
const SEGMENT = 0x20
const SEGMENT_INDEX = 0x21
const ABORTED = 0x22
const EXTENT = 0x30

const TOPIC_AT = 1
const PARTITION_AT = 17
const OFFSET_AT = 21
const LOG_KEY_SIZE = 21
const OFFSET_KEY_SIZE = 29

/** A range of keys, `lt` exclusive. */
export type KeyRange = { readonly gte: Buffer; readonly lt: Buffer }

export const ALL_STATES: KeyRange = wholeKind(STATE)
export const ALL_PRODUCERS: KeyRange = wholeKind(PRODUCERS)
export const ALL_SEGMENTS: KeyRange = wholeKind(SEGMENT)

function wholeKind(kind: number): KeyRange {
  return { gte: Buffer.from([kind]), lt: Buffer.from([kind + 1]) }
}

/** Makes the keys of one partition. Keeps the 20 bytes that they share. */
export class LogKeys {
  readonly #topicAndPartition: Buffer

  constructor(topicId: Uuid, partition: number) {
    const bytes = Buffer.alloc(20)
    uuidBytes(topicId).copy(bytes)
    bytes.writeUInt32BE(partition, 16)
    this.#topicAndPartition = bytes
  }

  state(): Buffer {
    return this.#logKey(STATE)
  }

  producers(): Buffer {
    return this.#logKey(PRODUCERS)
  }

  producersAt(offset: number): Buffer {
    return this.#offsetKey(PRODUCERS_AT, offset)
  }

  segment(baseOffset: number): Buffer {
    return this.#offsetKey(SEGMENT, baseOffset)
  }

  segmentIndex(baseOffset: number): Buffer {
    return this.#offsetKey(SEGMENT_INDEX, baseOffset)
  }

  aborted(markerOffset: number): Buffer {
    return this.#offsetKey(ABORTED, markerOffset)
  }

  /** The aborted transactions whose marker is in [from, to). */
  abortedBetween(from: number, to: number): KeyRange {
    return { gte: this.#offsetKey(ABORTED, from), lt: this.#offsetKey(ABORTED, to) }
  }

  extent(baseOffset: number): Buffer {
    return this.#offsetKey(EXTENT, baseOffset)
  }

  /** The extents that start in [from, to). */
  extents(from: number, to: number): KeyRange {
    return { gte: this.#offsetKey(EXTENT, from), lt: this.#offsetKey(EXTENT, to) }
  }

  /** Keys of `kind` with an offset in [from, to). */
  producersBetween(from: number, to: number): KeyRange {
    return { gte: this.#offsetKey(PRODUCERS_AT, from), lt: this.#offsetKey(PRODUCERS_AT, to) }
  }

  /** Everything of this log whose key has an offset. */
  everythingWithOffset(): readonly KeyRange[] {
    return [PRODUCERS_AT, SEGMENT, SEGMENT_INDEX, ABORTED, EXTENT].map(kind => ({
      gte: this.#offsetKey(kind, 0),
      lt: this.#offsetKey(kind, MAX_OFFSET),
    }))
  }

  #logKey(kind: number): Buffer {
    const key = Buffer.allocUnsafe(LOG_KEY_SIZE)
    key[0] = kind
    this.#topicAndPartition.copy(key, TOPIC_AT)
    return key
  }

  #offsetKey(kind: number, offset: number): Buffer {
    const key = Buffer.allocUnsafe(OFFSET_KEY_SIZE)
    key[0] = kind
    this.#topicAndPartition.copy(key, TOPIC_AT)
    key.writeUInt32BE(Math.floor(offset / 0x1_0000_0000), OFFSET_AT)
    key.writeUInt32BE(offset >>> 0, OFFSET_AT + 4)
    return key
  }
}

/** One beyond every offset a log can have: the end of an open range. */
export const MAX_OFFSET: number = Number.MAX_SAFE_INTEGER

export function topicIdOf(key: Buffer): Uuid {
  return uuidFromBytes(key, TOPIC_AT)
}

export function partitionOf(key: Buffer): number {
  return key.readUInt32BE(PARTITION_AT)
}

/** Topic id and partition of a key that has them, as one text that sorts as the keys do. */
export function logNameOf(key: Buffer): string {
  return key.toString('latin1', TOPIC_AT, OFFSET_AT)
}

export function offsetOf(key: Buffer): number {
  return key.readUInt32BE(OFFSET_AT) * 0x1_0000_0000 + key.readUInt32BE(OFFSET_AT + 4)
}
