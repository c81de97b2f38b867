// The LZ4 frame format (v1.6) as Kafka uses it. Blocks are decompressed one by one by native code after their size was counted
// here, because the native frame decoder trusts what a frame claims and grows without a bound.
//
//   magic 04 22 4d 18 | FLG | BD | [content size int64] | header checksum
//   { block size int32 LE (bit 31: stored as it is) | block | [block checksum] }* | 0 int32 | [content checksum]
//
// Java's reader (org.apache.kafka.common.compress.Lz4BlockInputStream) is the measure: what it refuses is refused here, except
// linked blocks, which are read. Like it, nobody verifies the checksum of the whole content: the batch has its own.
import { compressFrameSync, uncompressSync } from 'lz4-napi'
import { CorruptError, TooLargeError } from './compression-errors.ts'

const MAGIC = 0x184d2204
const MIN_FRAME_SIZE = 11

const VERSION_MASK = 0xc0
const VERSION_1 = 0x40
const INDEPENDENT_BIT = 0x20
const BLOCK_CHECKSUM_BIT = 0x10
const CONTENT_SIZE_BIT = 0x08
const CONTENT_CHECKSUM_BIT = 0x04
const RESERVED_FLAGS = 0x03

const STORED_BIT = 0x8000_0000
/** How far back a linked block may refer. */
const WINDOW_SIZE = 65_536

/** Compresses into one frame of independent blocks, which every client reads. */
export function compressLz4(bytes: Buffer): Buffer {
  return compressFrameSync(bytes)
}

/** Whether the blocks of a frame refer to the blocks before them: Java's clients cannot read such a frame. */
export function hasLinkedBlocks(frame: Buffer): boolean {
  return frame.length > 4 && (frame[4]! & INDEPENDENT_BIT) === 0
}

type Block = { at: number; sizeBytes: number; isStored: boolean; contentSize: number }

/** The content of the one frame that `frame` is; throws CorruptError, or TooLargeError when it is more than `maxSizeBytes`. */
export function decompressLz4(frame: Buffer, maxSizeBytes: number): Buffer {
  const blocks = readBlocks(frame, maxSizeBytes)
  const isLinked = hasLinkedBlocks(frame)
  if (blocks.length === 1) return decompressBlock(frame, blocks[0]!, null)
  let totalSize = 0
  for (const block of blocks) totalSize += block.contentSize
  const content = Buffer.allocUnsafe(totalSize)
  let at = 0
  for (const block of blocks) {
    const window = isLinked && at > 0 ? content.subarray(Math.max(0, at - WINDOW_SIZE), at) : null
    content.set(decompressBlock(frame, block, window), at)
    at += block.contentSize
  }
  return content
}

function decompressBlock(frame: Buffer, block: Block, window: Buffer | null): Buffer {
  const bytes = frame.subarray(block.at, block.at + block.sizeBytes)
  if (block.isStored) return bytes
  // The native function wants the size of the content in front of the block.
  const sized = Buffer.allocUnsafe(4 + block.sizeBytes)
  sized.writeUInt32LE(block.contentSize, 0)
  sized.set(bytes, 4)
  let content
  try {
    content = window === null ? uncompressSync(sized) : uncompressSync(sized, window)
  } catch (cause) {
    throw new CorruptError('an LZ4 block is corrupt', { cause })
  }
  if (content.length !== block.contentSize) throw new CorruptError('an LZ4 block has not the size that was counted')
  return content
}

function readBlocks(frame: Buffer, maxSizeBytes: number): Block[] {
  let at = readFrameHeader(frame)
  const flags = frame[4]!
  const maxBlockSize = 1 << (2 * (frame[5]! >> 4) + 8)
  const blocks: Block[] = []
  let totalSize = 0
  for (;;) {
    if (at + 4 > frame.length) throw new CorruptError('an LZ4 frame ends without its end mark')
    const word = frame.readUInt32LE(at)
    at += 4
    const sizeBytes = word % STORED_BIT
    if (sizeBytes === 0) break
    if (sizeBytes > maxBlockSize)
      throw new CorruptError(`an LZ4 block of ${sizeBytes} bytes is larger than its frame allows`)
    if (at + sizeBytes > frame.length) throw new CorruptError('an LZ4 frame is cut off')
    const isStored = word >= STORED_BIT
    const contentSize = isStored ? sizeBytes : countBlock(frame, at, at + sizeBytes)
    if (contentSize > maxBlockSize)
      throw new CorruptError(`an LZ4 block holds more than the ${maxBlockSize} bytes of its frame`)
    totalSize += contentSize
    if (totalSize > maxSizeBytes) throw new TooLargeError(maxSizeBytes)
    blocks.push({ at, sizeBytes, isStored, contentSize })
    at += sizeBytes
    if ((flags & BLOCK_CHECKSUM_BIT) !== 0) {
      if (at + 4 > frame.length) throw new CorruptError('an LZ4 frame is cut off')
      if (frame.readUInt32LE(at) !== xxhash32(frame, at - sizeBytes, at))
        throw new CorruptError('the checksum of an LZ4 block is wrong')
      at += 4
    }
  }
  if ((flags & CONTENT_CHECKSUM_BIT) !== 0) at += 4
  if (at !== frame.length) throw new CorruptError(`an LZ4 frame of ${at} bytes is in ${frame.length} bytes`)
  if ((flags & CONTENT_SIZE_BIT) !== 0 && frame.readBigUInt64LE(6) !== BigInt(totalSize))
    throw new CorruptError('an LZ4 frame claims another size than its blocks have')
  return blocks
}

/** Checks the header; returns the position of the first block. */
function readFrameHeader(frame: Buffer): number {
  if (frame.length < MIN_FRAME_SIZE) throw new CorruptError('an LZ4 frame is cut off')
  if (frame.readUInt32LE(0) !== MAGIC) throw new CorruptError('an LZ4 frame does not start with its magic number')
  const flags = frame[4]!
  const descriptor = frame[5]!
  if ((flags & VERSION_MASK) !== VERSION_1) throw new CorruptError('an LZ4 frame has an unknown version')
  if ((flags & RESERVED_FLAGS) !== 0) throw new CorruptError('an LZ4 frame needs a dictionary or uses reserved bits')
  if ((descriptor & 0x8f) !== 0 || descriptor >> 4 < 4) throw new CorruptError('an LZ4 frame has an unknown block size')
  const checksumAt = (flags & CONTENT_SIZE_BIT) !== 0 ? 14 : 6
  if (checksumAt >= frame.length) throw new CorruptError('an LZ4 frame is cut off')
  if (frame[checksumAt] !== ((xxhash32(frame, 4, checksumAt) >>> 8) & 0xff))
    throw new CorruptError('the header checksum of an LZ4 frame is wrong')
  return checksumAt + 1
}

/**
 * How many bytes the block in [at, end) decompresses to: adds up its literals and matches without copying any.
 * A block is { token: literals << 4 | match - 4 | more literals 255* | literals | match offset uint16 | more match 255* }*.
 */
function countBlock(bytes: Buffer, at: number, end: number): number {
  let size = 0
  while (at < end) {
    const token = bytes[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      while (more === 255 && at < end) {
        more = bytes[at++]!
        literals += more
      }
    }
    at += literals
    size += literals
    // The last sequence has no match.
    if (at === end) return size
    at += 2
    let match = (token & 15) + 4
    if (match === 19) {
      let more = 255
      while (more === 255 && at < end) {
        more = bytes[at++]!
        match += more
      }
    }
    size += match
  }
  throw new CorruptError('an LZ4 block is cut off')
}

const PRIME_1 = 0x9e3779b1 | 0
const PRIME_2 = 0x85ebca77 | 0
const PRIME_3 = 0xc2b2ae3d | 0
const PRIME_4 = 0x27d4eb2f | 0
const PRIME_5 = 0x165667b1 | 0

/** XXH32 with seed 0 of the bytes in [at, end), as an unsigned number. */
function xxhash32(bytes: Buffer, at: number, end: number): number {
  const size = end - at
  let hash = PRIME_5
  if (size >= 16) {
    let a = (PRIME_1 + PRIME_2) | 0
    let b = PRIME_2
    let c = 0
    let d = -PRIME_1 | 0
    for (; at + 16 <= end; at += 16) {
      a = round(a, bytes.readInt32LE(at))
      b = round(b, bytes.readInt32LE(at + 4))
      c = round(c, bytes.readInt32LE(at + 8))
      d = round(d, bytes.readInt32LE(at + 12))
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
  }
  hash = (hash + size) | 0
  for (; at + 4 <= end; at += 4)
    hash = Math.imul(rotate((hash + Math.imul(bytes.readInt32LE(at), PRIME_3)) | 0, 17), PRIME_4)
  for (; at < end; at++) hash = Math.imul(rotate((hash + Math.imul(bytes[at]!, PRIME_5)) | 0, 11), PRIME_1)
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2)
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3)
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(lane: number, input: number): number {
  return Math.imul(rotate((lane + Math.imul(input, PRIME_2)) | 0, 13), PRIME_1)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
