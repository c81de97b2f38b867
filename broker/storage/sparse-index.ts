// The sparse index of a sealed segment: one entry for each extent that went into it, so a lookup by offset or time reads one extent
// (256 KiB at most, unless a single batch is larger) in vain. One store value per segment:
//
//    0 version u8 (1) | 1 entries u32 | then each: offset - base u32, position u48, max timestamp int64
import { assert } from '../base/assert.ts'
import { readI64, writeI64 } from './log-state.ts'
import { StorageError } from './storage-error.ts'

const VERSION = 1
const HEADER_SIZE = 5
const ENTRY_SIZE = 18

/** Where an indexed stretch of a segment begins and ends, in bytes, and its first offset. */
export type Stretch = { readonly offset: number; readonly position: number; readonly endPosition: number }

export class SparseIndex {
  readonly #value: Buffer
  readonly #baseOffset: number
  readonly #segmentSizeBytes: number

  /** Throws StorageError for a version that this broker does not know. */
  constructor(value: Buffer, baseOffset: number, segmentSizeBytes: number) {
    if (value[0] !== VERSION)
      throw new StorageError(`a sparse index of version ${value[0]} was written by a newer broker`)
    this.#value = value
    this.#baseOffset = baseOffset
    this.#segmentSizeBytes = segmentSizeBytes
  }

  get length(): number {
    return this.#value.readUInt32BE(1)
  }

  get sizeBytes(): number {
    return this.#value.length
  }

  stretch(index: number): Stretch {
    const at = HEADER_SIZE + index * ENTRY_SIZE
    const isLast = index + 1 === this.length
    return {
      offset: this.#baseOffset + this.#value.readUInt32BE(at),
      position: this.#value.readUIntBE(at + 4, 6),
      endPosition: isLast ? this.#segmentSizeBytes : this.#value.readUIntBE(at + 4 + ENTRY_SIZE, 6),
    }
  }

  maxTimestamp(index: number): number {
    return readI64(this.#value, HEADER_SIZE + index * ENTRY_SIZE + 10)
  }

  /** The last stretch that begins at or before `offset`; the first one for an offset before all. */
  indexOf(offset: number): number {
    const relative = offset - this.#baseOffset
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#value.readUInt32BE(HEADER_SIZE + middle * ENTRY_SIZE) <= relative) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }
}

/** Collects the entries of an index, in offset order. */
export class SparseIndexBuilder {
  readonly #baseOffset: number
  readonly #entries: Buffer[] = []
  #positionAfter = 0

  constructor(baseOffset: number) {
    this.#baseOffset = baseOffset
  }

  add(offset: number, position: number, sizeBytes: number, maxTimestamp: number): void {
    assert(position === this.#positionAfter, 'the stretches of a segment lie one behind the other')
    this.#positionAfter = position + sizeBytes
    const entry = Buffer.allocUnsafe(ENTRY_SIZE)
    entry.writeUInt32BE(offset - this.#baseOffset, 0)
    entry.writeUIntBE(position, 4, 6)
    writeI64(entry, 10, maxTimestamp)
    this.#entries.push(entry)
  }

  /** Bytes of the segment that the index covers. */
  get segmentSizeBytes(): number {
    return this.#positionAfter
  }

  build(): Buffer {
    const header = Buffer.alloc(HEADER_SIZE)
    header[0] = VERSION
    header.writeUInt32BE(this.#entries.length, 1)
    return Buffer.concat([header, ...this.#entries])
  }
}
