// An extent: consecutive batches of one leader epoch that were committed together, in the part of a log that is not sealed yet. Its
// key has the base offset (keys.ts), its value the batches themselves or the place of their bytes:
//
//    0 place u8: 0 inline, 1 staging file, 2 the log's active segment file; bit 4: synced with its group
//    1 group u48: the group commit that wrote it; 0: it was synced before it was registered
//    7 leaderEpoch int32
//   11 lastOffset - baseOffset u32
//   15 maxTimestamp int64
//   23 inline: the batches  |  fileId u48, 29 position u48, 35 length u32
//
// The last two header fields say after a crash whether the bytes may be missing (recovery.ts).
import { assert } from '../base/assert.ts'
import {
  baseOffset,
  HEADER_SIZE,
  isCrcValid,
  lastOffset,
  leaderEpoch,
  magic,
  maxTimestamp,
  sizeOf,
} from '../records/batch.ts'
import { offsetOf } from './keys.ts'
import type { Entry } from './store.ts'

export const INLINE = 0
export const STAGED = 1
export const ACTIVE = 2
export type Place = typeof INLINE | typeof STAGED | typeof ACTIVE

export type Extent = {
  readonly baseOffset: number
  /** Inclusive. */
  readonly lastOffset: number
  readonly place: Place
  readonly isSyncedWithGroup: boolean
  readonly group: number
  readonly leaderEpoch: number
  readonly maxTimestamp: number
  /** 0 when the batches are inline. */
  readonly fileId: number
  readonly position: number
  readonly sizeBytes: number
  /** The batches of an inline extent. */
  readonly bytes: Buffer | null
}

const PLACE_MASK = 0x03
const SYNCED_BIT = 0x10
const INLINE_HEADER_SIZE = 23
const FILE_VALUE_SIZE = 39

/** Above it an extent ends with the batch that crosses it: bounds what a seek reads in vain. */
export const MAX_EXTENT_BYTES: number = 256 * 1024

/** The value of an extent whose bytes are in a file. */
export function encodeFileExtent(extent: Extent): Buffer {
  const value = Buffer.allocUnsafe(FILE_VALUE_SIZE)
  encodeHeader(value, extent)
  value.writeUIntBE(extent.fileId, 23, 6)
  value.writeUIntBE(extent.position, 29, 6)
  value.writeUInt32BE(extent.sizeBytes, 35)
  return value
}

/** The value of an inline extent; copies the batches. */
export function encodeInlineExtent(extent: Extent, batches: readonly Buffer[]): Buffer {
  const value = Buffer.allocUnsafe(INLINE_HEADER_SIZE + extent.sizeBytes)
  encodeHeader(value, extent)
  let at = INLINE_HEADER_SIZE
  for (const batch of batches) {
    batch.copy(value, at)
    at += batch.length
  }
  assert(at === value.length, 'an extent is as long as its batches')
  return value
}

function encodeHeader(value: Buffer, extent: Extent): void {
  value[0] = extent.place | (extent.isSyncedWithGroup ? SYNCED_BIT : 0)
  value.writeUIntBE(extent.group, 1, 6)
  value.writeInt32BE(extent.leaderEpoch, 7)
  value.writeUInt32BE(extent.lastOffset - extent.baseOffset, 11)
  value.writeInt32BE(Math.floor(extent.maxTimestamp / 0x1_0000_0000), 15)
  value.writeUInt32BE(extent.maxTimestamp >>> 0, 19)
}

export function decodeExtent({ key, value }: Entry): Extent {
  const place = (value[0]! & PLACE_MASK) as Place
  const base = offsetOf(key)
  const isInline = place === INLINE
  return {
    baseOffset: base,
    lastOffset: base + value.readUInt32BE(11),
    place,
    isSyncedWithGroup: (value[0]! & SYNCED_BIT) !== 0,
    group: value.readUIntBE(1, 6),
    leaderEpoch: value.readInt32BE(7),
    maxTimestamp: value.readInt32BE(15) * 0x1_0000_0000 + value.readUInt32BE(19),
    fileId: isInline ? 0 : value.readUIntBE(23, 6),
    position: isInline ? 0 : value.readUIntBE(29, 6),
    sizeBytes: isInline ? value.length - INLINE_HEADER_SIZE : value.readUInt32BE(35),
    bytes: isInline ? value.subarray(INLINE_HEADER_SIZE) : null,
  }
}

/** The good beginning of an extent's bytes. */
export type GoodPart = {
  readonly sizeBytes: number
  /** Inclusive; baseOffset - 1 when not even the first batch is good. */
  readonly lastOffset: number
  readonly maxTimestamp: number
}

/**
 * How far `bytes` hold the batches that `extent` promises: offsets in order and inside the extent, its epoch, checksums. Bytes of a
 * batch that was never written, or only in part, do not pass; nor do older ones, since no place in a file is written twice.
 */
export function goodPart(extent: Extent, bytes: Buffer): GoodPart {
  let at = 0
  let next = extent.baseOffset
  let latest = -1
  while (at + HEADER_SIZE <= bytes.length && at < extent.sizeBytes) {
    const size = sizeOf(bytes, at)
    if (size < HEADER_SIZE || at + size > extent.sizeBytes || magic(bytes, at) !== 2) break
    if (at === 0 ? baseOffset(bytes, at) !== next : baseOffset(bytes, at) < next) break
    const last = lastOffset(bytes, at)
    if (last < next || last > extent.lastOffset || leaderEpoch(bytes, at) !== extent.leaderEpoch) break
    if (!isCrcValid(bytes, at)) break
    latest = Math.max(latest, maxTimestamp(bytes, at))
    next = last + 1
    at += size
  }
  return { sizeBytes: at, lastOffset: next - 1, maxTimestamp: latest }
}

export function isWholeExtentGood(extent: Extent, bytes: Buffer): boolean {
  const good = goodPart(extent, bytes)
  return good.sizeBytes === extent.sizeBytes && good.lastOffset === extent.lastOffset
}
