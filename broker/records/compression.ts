// The compressions of a record batch by Kafka's names. Compression and decompression are synchronous: a batch is small, and what
// a caller stamps before its first `await` must not depend on the codec.
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** The bound for batches that were validated before they were stored. */
export const MAX_DECOMPRESSED_BYTES = 1 << 30

/** Compresses; `level` is the codec's own, absent for its default. */
export function compress(compression: Compression, bytes: Buffer, level?: number): Buffer {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes, level === undefined ? {} : { level })
    case 'zstd':
      return zstdCompressSync(
        bytes,
        level === undefined ? {} : { params: { [constants.ZSTD_c_compressionLevel]: level } },
      )
    case 'snappy':
    case 'lz4':
      throw new Error(`${compression} is not there yet`)
  }
}

/** Decompresses to at most `maxSizeBytes`. Throws when it would be more, or when `bytes` is corrupt. */
export function decompress(compression: Compression, bytes: Buffer, maxSizeBytes: number): Buffer {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gunzipSync(bytes, { maxOutputLength: maxSizeBytes })
    case 'zstd':
      return zstdDecompressSync(bytes, { maxOutputLength: maxSizeBytes })
    case 'snappy':
    case 'lz4':
      throw new Error(`${compression} is not there yet`)
  }
}
