// The zigzag variable-length integers inside a record (org.apache.kafka.common.utils.ByteUtils): 7 bits a byte, lowest first.

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

/**
 * A cursor over [at, end) of `bytes` that survives whatever they hold: a number that is cut off or too long sets `isBroken` and
 * moves the cursor to `end`; what is returned then means nothing.
 */
export class VarintReader {
  readonly bytes: Buffer
  at: number
  end: number
  isBroken = false

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  /** A 32-bit signed number of at most 5 bytes; the bits above 32 are dropped, as Java drops them. */
  varint(): number {
    let at = this.at
    if (at >= this.end) return this.#fail()
    let byte = this.bytes[at++]!
    let zigzag = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 28 || at >= this.end) return this.#fail()
      byte = this.bytes[at++]!
      zigzag |= (byte & 0x7f) << shift
    }
    this.at = at
    return (zigzag >>> 1) ^ -(zigzag & 1)
  }

  /** A 64-bit signed number of at most 10 bytes; beyond 2^53 it loses precision. */
  varlong(): number {
    let at = this.at
    if (at >= this.end) return this.#fail()
    let byte = this.bytes[at++]!
    const isNegative = (byte & 1) === 1
    let half = (byte & 0x7f) >>> 1
    let unit = 64
    for (let size = 1; byte >= 0x80; size++) {
      if (size === 10 || at >= this.end) return this.#fail()
      byte = this.bytes[at++]!
      // Of the tenth byte one bit is left; Java drops the others.
      half += (size === 9 ? byte & 1 : byte & 0x7f) * unit
      unit *= 128
    }
    this.at = at
    return isNegative ? -half - 1 : half
  }

  /** Moves past `size` bytes. */
  skip(size: number): void {
    if (size > this.end - this.at) this.#fail()
    else this.at += size
  }

  #fail(): number {
    this.at = this.end
    this.isBroken = true
    return 0
  }
}
