// CRC-32C (Castagnoli): the checksum of a record batch. It runs in native code with the processor's own instructions;
// docs/decisions/0002-checksums-and-compression.md has the numbers. zlib's crc32 is another polynomial.
import { crc32c as native } from '@node-rs/crc32'

/** The CRC-32C of `bytes` as an unsigned 32-bit number, continued from the checksum `previous` of the bytes before. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  return native(bytes, previous)
}
