// The compressions of a record batch by Kafka's names. Compression and decompression are synchronous: a batch is small, and what
// a caller stamps before its first `await` must not depend on the codec. docs/decisions/0002 says which library does what, and why.
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { CorruptError, TooLargeError } from './compression-errors.ts'
import { compressLz4, decompressLz4 } from './lz4.ts'
import { compressSnappy, decompressSnappy } from './snappy.ts'

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Compresses; `level` is the codec's own, absent for its default. snappy has no levels and lz4 knows one. */
export function compress(compression: Compression, bytes: Buffer, level?: number): Buffer {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes, level === undefined ? {} : { level })
    case 'snappy':
      return compressSnappy(bytes)
    case 'lz4':
      return compressLz4(bytes)
    case 'zstd':
      return zstdCompressSync(
        bytes,
        level === undefined ? {} : { params: { [constants.ZSTD_c_compressionLevel]: level } },
      )
  }
}

/**
 * Decompresses to at most `maxSizeBytes` and allocates at most about twice that, whatever the bytes claim.
 * Throws TooLargeError beyond it and CorruptError when the bytes are not what the compression writes.
 */
export function decompress(compression: Compression, bytes: Buffer, maxSizeBytes: number): Buffer {
  switch (compression) {
    case 'none':
      if (bytes.length > maxSizeBytes) throw new TooLargeError(maxSizeBytes)
      return bytes
    case 'gzip':
      return inflate(gunzipSync, bytes, gzipContentSize(bytes), maxSizeBytes)
    case 'snappy':
      return decompressSnappy(bytes, maxSizeBytes)
    case 'lz4':
      return decompressLz4(bytes, maxSizeBytes)
    case 'zstd':
      return inflate(zstdDecompressSync, bytes, zstdContentSize(bytes), maxSizeBytes)
  }
}

type Inflate = (bytes: Buffer, options: { maxOutputLength: number; chunkSize: number; info: true }) => unknown

/** What zlib returns when asked for `info`; its types do not know the option of the synchronous functions. */
type Inflated = { buffer: Buffer; engine: { bytesWritten: number } }

const MIN_CHUNK_SIZE = 1 << 10
/** A claim beyond this is not believed: content that large comes in several pieces. */
const MAX_CHUNK_SIZE = 4 << 20

/** Runs a codec of node:zlib into one piece of `contentSize` bytes; a wrong guess costs more pieces, not correctness. */
function inflate(run: Inflate, bytes: Buffer, contentSize: number, maxSizeBytes: number): Buffer {
  // One byte more than the content: the codec ends in the piece it started in. zlib has no bound of 0.
  const chunkSize = Math.max(MIN_CHUNK_SIZE, Math.min(contentSize, maxSizeBytes, MAX_CHUNK_SIZE) + 1)
  let inflated: Inflated
  try {
    inflated = run(bytes, { maxOutputLength: Math.max(maxSizeBytes, 1), chunkSize, info: true }) as Inflated
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new TooLargeError(maxSizeBytes)
    throw new CorruptError((cause as Error).message, { cause })
  }
  // Clients would stumble over what is behind the end of the stream; zlib just leaves it.
  const unread = bytes.length - inflated.engine.bytesWritten
  if (unread > 0) throw new CorruptError(`${unread} bytes follow the end of the compressed stream`)
  if (inflated.buffer.length > maxSizeBytes) throw new TooLargeError(maxSizeBytes)
  return inflated.buffer
}

/** The last four bytes say the size modulo 2^32: a hint. */
function gzipContentSize(bytes: Buffer): number {
  return bytes.length < 18 ? 0 : bytes.readUInt32LE(bytes.length - 4)
}

/** The frame header may say the size (RFC 8878, 3.1.1.1): a hint. Streaming writers leave it out; then four times the input. */
function zstdContentSize(bytes: Buffer): number {
  const guess = 4 * bytes.length
  if (bytes.length < 18) return guess
  const descriptor = bytes[4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? bytes[at]! : guess
    case 1:
      return bytes.readUInt16LE(at) + 256
    case 2:
      return bytes.readUInt32LE(at)
    default:
      return Number(bytes.readBigUInt64LE(at))
  }
}
