// A cursor over one frame. Every read checks the bytes left first, so malformed input ends in a ProtocolError: no read
// goes past the frame, and no length that a peer sent is allocated before the frame is known to be long enough for it.
// What the bytes mean is compile.ts's business.
import { ZERO_UUID, type Uuid } from '../base/uuid.ts'

/** A frame that is not what Kafka's protocol allows. The peer is at fault; Kafka closes such a connection. */
export class ProtocolError extends Error {}

const EMPTY = Buffer.alloc(0)
const MAX_STRING_BYTES = 0x7fff

export class Reader {
  readonly frame: Buffer
  at: number
  readonly end: number

  #elementsLeft: number

  /** `maxElements` is how many array elements the frame may have in all. */
  constructor(frame: Buffer, at: number, maxElements: number) {
    this.frame = frame
    this.at = at
    this.end = frame.length
    this.#elementsLeft = maxElements
    if (at > this.end) this.#refuse(`the body starts at byte ${at}`)
  }

  /** Passes over `sizeBytes` and returns where they are; negative sizes are a caller's mistake. */
  take(sizeBytes: number): number {
    const { at } = this
    if (sizeBytes > this.end - at) this.#refuse(`${sizeBytes} more bytes are needed`)
    this.at = at + sizeBytes
    return at
  }

  uint8(): number {
    return this.frame[this.take(1)]!
  }

  int16(): number {
    const at = this.take(2)
    return (((this.frame[at]! << 8) | this.frame[at + 1]!) << 16) >> 16
  }

  int32(): number {
    const at = this.take(4)
    const { frame } = this
    return (frame[at]! << 24) | (frame[at + 1]! << 16) | (frame[at + 2]! << 8) | frame[at + 3]!
  }

  uuid(): Uuid {
    const at = this.take(16)
    const { frame } = this
    // Most ids that are sent are either set or all zero, and for the latter there is nothing to convert.
    for (let i = at; i < at + 16; i++) if (frame[i] !== 0) return frame.toString('base64url', at, at + 16)
    return ZERO_UUID
  }

  /** An unsigned number of at most 32 bits, seven bits a byte, the low ones first. */
  unsignedVarint(): number {
    let byte = this.uint8()
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.uint8()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    byte = this.uint8()
    if (byte > 0x0f) this.#refuse('a varint has more than 32 bits')
    return (value | (byte << 28)) >>> 0
  }

  string(): string {
    return this.nullableString() ?? this.#refuseNull()
  }

  nullableString(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.#text(length)
  }

  compactString(): string {
    return this.compactNullableString() ?? this.#refuseNull()
  }

  compactNullableString(): string | null {
    const length = this.unsignedVarint() - 1
    if (length > MAX_STRING_BYTES) this.#refuse(`a string has ${length} bytes`)
    return length < 0 ? null : this.#text(length)
  }

  /** A slice of the frame, not a copy. */
  bytes(): Buffer {
    return this.nullableBytes() ?? this.#refuseNull()
  }

  nullableBytes(): Buffer | null {
    const length = this.int32()
    return length < 0 ? null : this.#slice(length)
  }

  compactBytes(): Buffer {
    return this.compactNullableBytes() ?? this.#refuseNull()
  }

  compactNullableBytes(): Buffer | null {
    const length = this.unsignedVarint() - 1
    return length < 0 ? null : this.#slice(length)
  }

  /** The number of elements that follow, each of at least `minElementBytes`; an array of fewer bytes than that is refused. */
  arrayLength(minElementBytes: number): number {
    const length = this.nullableArrayLength(minElementBytes)
    return length < 0 ? this.#refuseNull() : length
  }

  /** Like `arrayLength`; negative for null. */
  nullableArrayLength(minElementBytes: number): number {
    return this.#checkLength(this.int32(), minElementBytes)
  }

  compactArrayLength(minElementBytes: number): number {
    const length = this.compactNullableArrayLength(minElementBytes)
    return length < 0 ? this.#refuseNull() : length
  }

  compactNullableArrayLength(minElementBytes: number): number {
    return this.#checkLength(this.unsignedVarint() - 1, minElementBytes)
  }

  /** Whether a nullable struct follows. */
  isPresent(): boolean {
    return this.uint8() < 0x80
  }

  /** The end of the tagged field of `sizeBytes` that starts here. */
  tagEnd(sizeBytes: number): number {
    if (sizeBytes > this.end - this.at) this.#refuse(`a tagged field has ${sizeBytes} bytes`)
    return this.at + sizeBytes
  }

  /** Checks that a tagged field took the bytes that were announced for it. */
  endTag(end: number): void {
    if (this.at !== end) this.#refuse(`a tagged field was to end at byte ${end}`)
  }

  /** Passes over a tag buffer of which no field is known. */
  skipTags(): void {
    for (let left = this.unsignedVarint(); left > 0; left--) {
      this.unsignedVarint()
      this.at = this.tagEnd(this.unsignedVarint())
    }
  }

  /** Checks that nothing is left. */
  finish(): void {
    if (this.at !== this.end) this.#refuse('bytes are left over')
  }

  #text(length: number): string {
    if (length === 0) return ''
    const at = this.take(length)
    return this.frame.toString('utf8', at, at + length)
  }

  #slice(length: number): Buffer {
    if (length === 0) return EMPTY
    const at = this.take(length)
    return this.frame.subarray(at, at + length)
  }

  #checkLength(length: number, minElementBytes: number): number {
    if (length * minElementBytes > this.end - this.at) this.#refuse(`an array has ${length} elements`)
    if (length > 0) this.#elementsLeft -= length
    if (this.#elementsLeft < 0) this.#refuse('the arrays have too many elements')
    return length
  }

  #refuseNull(): never {
    this.#refuse('a value that must not be null is null')
  }

  #refuse(why: string): never {
    throw new ProtocolError(`${why} (byte ${this.at} of ${this.end})`)
  }
}
