// Key -> newest offset, in bounded memory: what the cleaner knows of the part of a log that it has not cleaned yet. Keys are kept as the
// first 16 bytes of their SHA-256, so an entry takes 24 bytes whatever the key is (Kafka's SkimpyOffsetMap does the same with
// MD5). Two keys with one hash would lose a record; nobody can find them, not even who chooses the keys.
//
// Open addressing, in up to 64 tables that grow one by one: memory follows the number of keys, and growing one table costs a small part of
// the bound for a moment. An entry is six 32-bit numbers: four of the hash, then the offset + 1 (0: the place is free).
import { hash } from 'node:crypto'

const WORDS = 6
const ENTRY_BYTES = WORDS * 4
const MAX_TABLES = 64
const BYTES_PER_TABLE = 1024 * 1024
const FIRST_ENTRIES = 64

export class OffsetMap {
  readonly #tables: Table[]

  /** Takes at most `limitBytes`, and fills at most the share `loadFactor` of it. */
  constructor(limitBytes: number, loadFactor: number) {
    const count = Math.max(1, Math.min(MAX_TABLES, Math.floor(limitBytes / BYTES_PER_TABLE)))
    // While one table is rehashed there are two of it.
    const entries = Math.max(1, Math.floor(limitBytes / (count > 1 ? count + 1 : 2) / ENTRY_BYTES))
    this.#tables = Array.from({ length: count }, () => new Table(entries, loadFactor))
  }

  /** How many keys it has. */
  get size(): number {
    return this.#tables.reduce((sum, table) => sum + table.size, 0)
  }

  /** Bytes that it takes. */
  get sizeBytes(): number {
    return this.#tables.reduce((sum, table) => sum + table.sizeBytes, 0)
  }

  /** Notes a record of the key `bytes[at, at + size)`; of a key the largest offset counts. False when there is no room for another key. */
  put(bytes: Buffer, at: number, size: number, offset: number): boolean {
    const digest = digestOf(bytes, at, size)
    return this.#tableOf(digest).put(digest, offset)
  }

  /** The largest offset noted for the key, -1 when there is none. */
  get(bytes: Buffer, at: number, size: number): number {
    const digest = digestOf(bytes, at, size)
    return this.#tableOf(digest).get(digest)
  }

  #tableOf(digest: string): Table {
    return this.#tables[digest.charCodeAt(16) % this.#tables.length]!
  }
}

// As a string of bytes: a third of the time that a buffer takes.
function digestOf(bytes: Buffer, at: number, size: number): string {
  return hash('sha256', bytes.subarray(at, at + size), 'latin1')
}

class Table {
  readonly #maxEntries: number
  readonly #loadFactor: number
  #words: Uint32Array
  #entries: number
  size = 0

  constructor(maxEntries: number, loadFactor: number) {
    this.#maxEntries = maxEntries
    this.#loadFactor = Math.min(loadFactor, 1)
    this.#entries = Math.min(FIRST_ENTRIES, maxEntries)
    this.#words = new Uint32Array(this.#entries * WORDS)
  }

  get sizeBytes(): number {
    return this.#words.byteLength
  }

  get(digest: string): number {
    const at = this.#find(word(digest, 0), word(digest, 4), word(digest, 8), word(digest, 12))
    return this.#offsetAt(at)
  }

  put(digest: string, offset: number): boolean {
    let at = this.#find(word(digest, 0), word(digest, 4), word(digest, 8), word(digest, 12))
    const known = this.#offsetAt(at)
    if (known < 0) {
      if (this.size >= Math.floor(this.#entries * this.#loadFactor)) {
        if (!this.#grow()) return false
        at = this.#find(word(digest, 0), word(digest, 4), word(digest, 8), word(digest, 12))
      }
      this.size++
      for (let index = 0; index < 4; index++) this.#words[at + index] = word(digest, index * 4)
    } else if (known >= offset) {
      return true
    }
    this.#words[at + 4] = Math.floor((offset + 1) / 0x1_0000_0000)
    this.#words[at + 5] = (offset + 1) >>> 0
    return true
  }

  // The place of the hash, or the free one where it would go. There always is one: the load factor is below 1, or the table is not full.
  #find(a: number, b: number, c: number, d: number): number {
    const words = this.#words
    const end = words.length
    let at = Math.floor((a / 0x1_0000_0000) * this.#entries) * WORDS
    for (let tried = 0; tried < this.#entries; tried++) {
      if (words[at + 4] === 0 && words[at + 5] === 0) return at
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return at
      at += WORDS
      if (at === end) at = 0
    }
    return -1
  }

  #offsetAt(at: number): number {
    return at < 0 ? -1 : this.#words[at + 4]! * 0x1_0000_0000 + this.#words[at + 5]! - 1
  }

  #grow(): boolean {
    if (this.#entries === this.#maxEntries) return false
    const old = this.#words
    this.#entries = Math.min(this.#entries * 2, this.#maxEntries)
    this.#words = new Uint32Array(this.#entries * WORDS)
    for (let at = 0; at < old.length; at += WORDS) {
      if (old[at + 4] === 0 && old[at + 5] === 0) continue
      const to = this.#find(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!)
      for (let index = 0; index < WORDS; index++) this.#words[to + index] = old[at + index]!
    }
    return true
  }
}

function word(digest: string, at: number): number {
  return (
    ((digest.charCodeAt(at) << 24) |
      (digest.charCodeAt(at + 1) << 16) |
      (digest.charCodeAt(at + 2) << 8) |
      digest.charCodeAt(at + 3)) >>>
    0
  )
}
