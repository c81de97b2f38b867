// Snappy as Kafka's clients write it: either one raw block (librdkafka) or the framing of Java's SnappyOutputStream, which is
// what we write. The public snappy framing format ("sNaPpY") is another one and is not used in Kafka.
//
//   82 53 4e 41 50 50 59 00 | version int32 | compatible version int32 | { block size int32 | raw block }*
//
// A raw block starts with the size of its content as an unsigned varint, which is checked before native code allocates it.
import { compressSync, uncompressSync } from 'snappy'
import { CorruptError, TooLargeError } from './compression-errors.ts'

const HEADER = Buffer.from('82534e4150505900' + '00000001' + '00000001', 'hex')
const MAGIC_SIZE = 8
/** The first half of the magic; a block is never that long, so a reader knows a second stream's header from a block. */
const MAGIC_HEAD = HEADER.readInt32BE(0)

/** The block size of Java's writer. */
const BLOCK_SIZE = 32_768

/** No block can say more than this many times its own size: the densest element is 3 bytes for 64. */
const MAX_RATIO = 22

// Native memory handed to JavaScript costs more than a copy of the same bytes does, see docs/decisions/0002.
const COPY = { copyOutputData: true }

/** Compresses into Java's framing. */
export function compressSnappy(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [HEADER]
  for (let at = 0; at < bytes.length; at += BLOCK_SIZE) {
    const block = compressSync(bytes.subarray(at, at + BLOCK_SIZE), COPY)
    const size = Buffer.allocUnsafe(4)
    size.writeInt32BE(block.length)
    chunks.push(size, block)
  }
  return Buffer.concat(chunks)
}

/** The content of a raw block or of Java's framing; throws CorruptError, or TooLargeError beyond `maxSizeBytes`. */
export function decompressSnappy(bytes: Buffer, maxSizeBytes: number): Buffer {
  if (bytes.length < HEADER.length || !HEADER.subarray(0, MAGIC_SIZE).equals(bytes.subarray(0, MAGIC_SIZE))) {
    if (contentSizeOf(bytes, 0, bytes.length) > maxSizeBytes) throw new TooLargeError(maxSizeBytes)
    return decompressBlock(bytes)
  }
  const totalSize = totalContentSize(bytes, maxSizeBytes)
  const content = Buffer.allocUnsafe(totalSize)
  let filled = 0
  let at = 0
  while (at < bytes.length) {
    const size = bytes.readInt32BE(at)
    if (size === MAGIC_HEAD) {
      at += HEADER.length
      continue
    }
    at += 4
    const block = decompressBlock(bytes.subarray(at, at + size))
    if (block.length > totalSize - filled) throw new CorruptError('a snappy block holds more than it says')
    content.set(block, filled)
    filled += block.length
    at += size
  }
  return content.subarray(0, filled)
}

/** Walks the frame and adds up what its blocks say. */
function totalContentSize(bytes: Buffer, maxSizeBytes: number): number {
  let totalSize = 0
  let at = 0
  while (at < bytes.length) {
    if (at + 4 > bytes.length) throw new CorruptError('a snappy stream is cut off')
    const size = bytes.readInt32BE(at)
    if (size === MAGIC_HEAD) {
      if (at + HEADER.length > bytes.length) throw new CorruptError('a snappy stream is cut off')
      if (bytes.readInt32BE(at + MAGIC_SIZE) < 1) throw new CorruptError('a snappy stream has an unknown version')
      at += HEADER.length
      continue
    }
    at += 4
    if (size < 0 || size > bytes.length - at) throw new CorruptError(`a snappy block claims ${size} bytes`)
    totalSize += contentSizeOf(bytes, at, at + size)
    if (totalSize > maxSizeBytes) throw new TooLargeError(maxSizeBytes)
    at += size
  }
  return totalSize
}

/** What the raw block in [at, end) says its content has. */
function contentSizeOf(bytes: Buffer, at: number, end: number): number {
  let size = 0
  let unit = 1
  for (let position = at; position < end && position < at + 5; position++) {
    const byte = bytes[position]!
    size += (byte & 0x7f) * unit
    if (byte < 0x80) {
      if (size > MAX_RATIO * (end - at)) throw new CorruptError(`a snappy block of ${end - at} bytes claims ${size}`)
      return size
    }
    unit *= 128
  }
  throw new CorruptError('a snappy block does not say its size')
}

function decompressBlock(block: Buffer): Buffer {
  try {
    return uncompressSync(block, COPY) as Buffer
  } catch (cause) {
    throw new CorruptError('a snappy block is corrupt', { cause })
  }
}
