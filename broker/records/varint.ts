// The zigzag variable-length integers inside a record (org.apache.kafka.common.utils.ByteUtils): 7 bits a byte, lowest first.
// Writers and sizes live here; readers are in record.ts and validate.ts, where a cursor has to move without an object per number.

/** Bytes that `writeVarint` takes for a 32-bit signed `value`. */
export function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x200000) return 3
  return zigzag < 0x10000000 ? 4 : 5
}

/** Writes a 32-bit signed `value` at `at`; returns the position behind it. */
export function writeVarint(buffer: Buffer, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  while (zigzag >= 0x80) {
    buffer[at++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  buffer[at++] = zigzag
  return at
}

/** Bytes that `writeVarlong` takes for a safe integer `value`. */
export function sizeOfVarlong(value: number): number {
  let half = value < 0 ? -(value + 1) : value
  let size = 1
  for (half = Math.floor(half / 64); half > 0; half = Math.floor(half / 128)) size++
  return size
}

/** Writes a safe integer `value` at `at`; returns the position behind it. */
export function writeVarlong(buffer: Buffer, at: number, value: number): number {
  // The zigzag form is twice as large as the value and may not be exact as a number, so its lowest byte is made by hand.
  let half = value < 0 ? -(value + 1) : value
  let low = ((half % 64) << 1) | (value < 0 ? 1 : 0)
  half = Math.floor(half / 64)
  while (half > 0) {
    buffer[at++] = low | 0x80
    low = half % 128
    half = Math.floor(half / 128)
  }
  buffer[at++] = low
  return at
}
