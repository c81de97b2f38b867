// The LZ4 frame format (v1.6) as Kafka uses it. Blocks are decompressed one by one by native code, into as much memory as was
// counted here: the native frame decoder grows without a bound, and is slower.
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

/** The blocks of Java and librdkafka. One that is not tiny when compressed is most likely full, and not worth counting. */
const SMALL_BLOCK_SIZE = 65_536
const LIKELY_FULL_SIZE = 4096

/** Compresses into one frame of independent blocks, which every client reads. */
export function compressLz4(bytes: Buffer): Buffer {
  return compressFrameSync(bytes)
}

/** Whether the blocks of a frame refer to the blocks before them: Java's clients cannot read such a frame. */
export function hasLinkedBlocks(frame: Buffer): boolean {
  return frame.length > 4 && (frame[4]! & INDEPENDENT_BIT) === 0
}

/** The content of the one frame that `frame` is; throws CorruptError, or TooLargeError when it is more than `maxSizeBytes`. */
export function decompressLz4(frame: Buffer, maxSizeBytes: number): Buffer {
  let at = readFrameHeader(frame)
  const flags = frame[4]!
  const maxBlockSize = 1 << (2 * (frame[5]! >> 4) + 8)
  const blocks = new BlockReader(frame, maxBlockSize)
  const chunks: Buffer[] = []
  let totalSize = 0
  for (;;) {
    if (at + 4 > frame.length) throw new CorruptError('an LZ4 frame ends without its end mark')
    const word = frame.readUInt32LE(at)
    const size = word % STORED_BIT
    const end = at + 4 + size
    at += 4
    if (size === 0) break
    if (size > maxBlockSize) throw new CorruptError(`an LZ4 block of ${size} bytes is larger than its frame allows`)
    if (end > frame.length) throw new CorruptError('an LZ4 frame is cut off')
    const chunk = word >= STORED_BIT ? frame.subarray(at, end) : blocks.read(at, end, maxSizeBytes - totalSize)
    totalSize += chunk === null ? Infinity : chunk.length
    if (chunk === null || totalSize > maxSizeBytes) throw new TooLargeError(maxSizeBytes)
    chunks.push(chunk)
    if ((flags & INDEPENDENT_BIT) === 0) blocks.remember(chunk)
    if ((flags & BLOCK_CHECKSUM_BIT) !== 0) checkBlock(frame, at, end)
    at = (flags & BLOCK_CHECKSUM_BIT) === 0 ? end : end + 4
  }
  if ((flags & CONTENT_CHECKSUM_BIT) !== 0) at += 4
  if (at !== frame.length) throw new CorruptError(`an LZ4 frame of ${at} bytes is in ${frame.length} bytes`)
  if ((flags & CONTENT_SIZE_BIT) !== 0 && frame.readBigUInt64LE(6) !== BigInt(totalSize))
    throw new CorruptError('an LZ4 frame claims another size than its blocks have')
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, totalSize)
}

/** Decompresses the blocks of one frame. */
class BlockReader {
  readonly #frame: Buffer
  readonly #maxBlockSize: number
  /** The native function wants the size of the content in front of the block, so blocks are copied here. */
  readonly #sized: Buffer
  #window: Buffer | null = null

  constructor(frame: Buffer, maxBlockSize: number) {
    this.#frame = frame
    this.#maxBlockSize = maxBlockSize
    this.#sized = Buffer.allocUnsafe(4 + Math.min(maxBlockSize, frame.length))
  }

  /** The content of the compressed block in [at, end); null when it is more than `maxSizeBytes`. */
  read(at: number, end: number, maxSizeBytes: number): Buffer | null {
    const isLikelyFull = end - at >= LIKELY_FULL_SIZE && this.#maxBlockSize <= SMALL_BLOCK_SIZE
    let size = this.#maxBlockSize
    if (!isLikelyFull) {
      size = countBlock(this.#frame, at, end)
      if (size > this.#maxBlockSize) throw new CorruptError('an LZ4 block holds more than its frame allows')
      if (size > maxSizeBytes) return null
    }
    this.#sized.writeUInt32LE(size, 0)
    this.#frame.copy(this.#sized, 4, at, end)
    const sized = this.#sized.subarray(0, 4 + end - at)
    try {
      return this.#window === null ? uncompressSync(sized) : uncompressSync(sized, this.#window)
    } catch (cause) {
      throw new CorruptError('an LZ4 block is corrupt', { cause })
    }
  }

  /** Keeps the end of the content so far for a linked block to refer to. */
  remember(chunk: Buffer): void {
    const content = this.#window === null ? chunk : Buffer.concat([this.#window, chunk])
    this.#window = content.subarray(-WINDOW_SIZE)
  }
}

function checkBlock(frame: Buffer, at: number, end: number): void {
  if (end + 4 > frame.length) throw new CorruptError('an LZ4 frame is cut off')
  if (frame.readUInt32LE(end) !== xxhash32(frame, at, end))
    throw new CorruptError('the checksum of an LZ4 block is wrong')
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
