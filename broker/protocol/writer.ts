// The bytes of one message in the making: a growing buffer for the small fields, and the chunks that were handed in
// (record batches), which are passed on as they are and never copied. The order of calls is compile.ts's business.
import { ZERO_UUID, type Uuid } from '../base/uuid.ts'

/** A value that the message, or this version of it, cannot carry: whoever built it is at fault, not the peer. */
export class EncodeError extends Error {}

const UUID_LENGTH = 22
const MIN_GROWTH = 512
const SHORT = 24
const MAX_STRING_BYTES = 0x7fff
const MAX_FRAME_BYTES = 0x7fffffff

export class Writer {
  /** Where the small fields go; another one after it was too small. */
  buffer: Buffer
  #at = 0
  /** Where in `buffer` the part starts that is not among the chunks yet. */
  #start = 0
  readonly #chunks: Buffer[] = []
  #chunkBytes = 0

  constructor(initialSizeBytes: number) {
    this.buffer = Buffer.allocUnsafe(initialSizeBytes)
  }

  /** All bytes written, in order. */
  finish(): Buffer[] {
    this.#flush()
    return this.#chunks
  }

  get sizeBytes(): number {
    return this.#chunkBytes + this.#at - this.#start
  }

  /** Makes room for `sizeBytes` that the caller puts into `buffer` where this returns. */
  reserve(sizeBytes: number): number {
    const at = this.#at
    if (at + sizeBytes > this.buffer.length) return this.#grow(sizeBytes)
    this.#at = at + sizeBytes
    return at
  }

  uint8(value: number): void {
    const at = this.reserve(1)
    this.buffer[at] = value
  }

  int16(value: number): void {
    const at = this.reserve(2)
    const { buffer } = this
    buffer[at] = value >>> 8
    buffer[at + 1] = value
  }

  int32(value: number): void {
    const at = this.reserve(4)
    const { buffer } = this
    buffer[at] = value >>> 24
    buffer[at + 1] = value >>> 16
    buffer[at + 2] = value >>> 8
    buffer[at + 3] = value
  }

  uuid(value: Uuid, field: string): void {
    if (typeof value !== 'string' || value.length !== UUID_LENGTH) refuse(field, value, 'a Uuid')
    const at = this.reserve(16)
    if (value === ZERO_UUID) this.buffer.fill(0, at, at + 16)
    else if (this.buffer.write(value, at, 16, 'base64url') !== 16) refuse(field, value, 'a Uuid')
  }

  unsignedVarint(value: number): void {
    while (value > 0x7f) {
      this.uint8((value & 0x7f) | 0x80)
      value >>>= 7
    }
    this.uint8(value)
  }

  string(value: string, field: string): void {
    if (typeof value !== 'string') refuse(field, value, 'a string')
    if (this.#shortAscii(value, 2, value.length)) return
    const length = stringBytes(value, field)
    this.int16(length)
    this.#text(value, length)
  }

  nullableString(value: string | null, field: string): void {
    if (value === null) this.int16(-1)
    else this.string(value, field)
  }

  compactString(value: string, field: string): void {
    if (typeof value !== 'string') refuse(field, value, 'a string')
    if (this.#shortAscii(value, 1, value.length + 1)) return
    const length = stringBytes(value, field)
    this.unsignedVarint(length + 1)
    this.#text(value, length)
  }

  compactNullableString(value: string | null, field: string): void {
    if (value === null) this.uint8(0)
    else this.compactString(value, field)
  }

  bytes(value: Uint8Array, field: string): void {
    checkBytes(value, field)
    this.int32(value.length)
    this.#copy(value)
  }

  nullableBytes(value: Uint8Array | null, field: string): void {
    if (value === null) this.int32(-1)
    else this.bytes(value, field)
  }

  compactBytes(value: Uint8Array, field: string): void {
    checkBytes(value, field)
    this.unsignedVarint(value.length + 1)
    this.#copy(value)
  }

  compactNullableBytes(value: Uint8Array | null, field: string): void {
    if (value === null) this.uint8(0)
    else this.compactBytes(value, field)
  }

  records(value: Buffer | readonly Buffer[], field: string): void {
    this.int32(recordsBytes(value, field))
    this.#pass(value)
  }

  nullableRecords(value: Buffer | readonly Buffer[] | null, field: string): void {
    if (value === null) this.int32(-1)
    else this.records(value, field)
  }

  compactRecords(value: Buffer | readonly Buffer[], field: string): void {
    this.unsignedVarint(recordsBytes(value, field) + 1)
    this.#pass(value)
  }

  compactNullableRecords(value: Buffer | readonly Buffer[] | null, field: string): void {
    if (value === null) this.uint8(0)
    else this.compactRecords(value, field)
  }

  arrayLength(value: readonly unknown[], field: string): void {
    if (!Array.isArray(value)) refuse(field, value, 'an array')
    this.int32(value.length)
  }

  /** The length of an array, or that it is null. */
  nullableArrayLength(value: readonly unknown[] | null, field: string): void {
    if (value === null) this.int32(-1)
    else this.arrayLength(value, field)
  }

  compactArrayLength(value: readonly unknown[], field: string): void {
    if (!Array.isArray(value)) refuse(field, value, 'an array')
    this.unsignedVarint(value.length + 1)
  }

  compactNullableArrayLength(value: readonly unknown[] | null, field: string): void {
    if (value === null) this.uint8(0)
    else this.compactArrayLength(value, field)
  }

  /** Starts a tagged field; `endTag` with what this returns puts its size in front. Records cannot be tagged. */
  beginTag(tag: number): number {
    this.unsignedVarint(tag)
    this.uint8(0)
    // Relative to the start of this part, as the buffer may be exchanged for a larger one before the field ends.
    return this.#at - this.#start
  }

  endTag(begin: number): void {
    const start = this.#start + begin
    const sizeBytes = this.#at - start
    if (sizeBytes < 0x80) {
      this.buffer[start - 1] = sizeBytes
      return
    }
    // The size takes more than the one byte that was left for it: move the field up.
    const more = sizeBytes < 0x4000 ? 1 : sizeBytes < 0x200000 ? 2 : sizeBytes < 0x10000000 ? 3 : 4
    this.reserve(more)
    const from = this.#start + begin
    this.buffer.copyWithin(from + more, from, from + sizeBytes)
    this.#at = from - 1
    this.unsignedVarint(sizeBytes)
    this.#at = from + more + sizeBytes
  }

  /** Whether the string is short and of ASCII, and thus written, prefix and all. Most are, and then one loop is the fastest. */
  #shortAscii(value: string, prefixBytes: number, prefix: number): boolean {
    const { length } = value
    if (length > SHORT) return false
    const at = this.reserve(prefixBytes + length)
    const { buffer } = this
    buffer[at] = 0
    buffer[at + prefixBytes - 1] = prefix
    let all = 0
    for (let i = 0, to = at + prefixBytes; i < length; i++, to++) all |= buffer[to] = value.charCodeAt(i)
    if (all > 0x7f) this.#at = at
    return all <= 0x7f
  }

  #text(value: string, length: number): void {
    const at = this.reserve(length)
    this.buffer.write(value, at, length, length === value.length ? 'latin1' : 'utf8')
  }

  #copy(value: Uint8Array): void {
    const at = this.reserve(value.length)
    this.buffer.set(value, at)
  }

  #pass(value: Buffer | readonly Buffer[]): void {
    this.#flush()
    if (!isPieces(value)) this.#add(value)
    else for (const piece of value) this.#add(piece)
  }

  #add(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#chunkBytes += chunk.length
  }

  #flush(): void {
    this.#add(this.buffer.subarray(this.#start, this.#at))
    this.#start = this.#at
  }

  #grow(sizeBytes: number): number {
    const used = this.#at - this.#start
    if (used + sizeBytes > MAX_FRAME_BYTES) throw new EncodeError('a message is larger than 2 GiB')
    const grown = Buffer.allocUnsafe(Math.max(4 * used, used + sizeBytes, MIN_GROWTH))
    this.buffer.copy(grown, 0, this.#start, this.#at)
    this.buffer = grown
    this.#start = 0
    this.#at = used + sizeBytes
    return used
  }
}

/** The length of `value` in UTF-8. */
function stringBytes(value: string, field: string): number {
  const length = Buffer.byteLength(value)
  if (length > MAX_STRING_BYTES) throw new EncodeError(`${field} has ${length} bytes, more than a string can have`)
  return length
}

function checkBytes(value: Uint8Array, field: string): void {
  if (!(value instanceof Uint8Array)) refuse(field, value, 'bytes')
}

function isPieces(value: Buffer | readonly Buffer[]): value is readonly Buffer[] {
  return Array.isArray(value)
}

function recordsBytes(value: Buffer | readonly Buffer[], field: string): number {
  if (!isPieces(value)) {
    checkBytes(value, field)
    return value.length
  }
  let sizeBytes = 0
  for (const piece of value) {
    checkBytes(piece, field)
    sizeBytes += piece.length
  }
  return sizeBytes
}

export function refuse(field: string, value: unknown, expected: string): never {
  throw new EncodeError(`${field} must be ${expected}, not ${describe(value)}`)
}

export function refuseVersion(field: string, version: number): never {
  throw new EncodeError(`${field} is not in version ${version}`)
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 40)}'`
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}
