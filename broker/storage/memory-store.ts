// The store in memory, for tests and simulations: same contract as rocks-store.ts, nothing survives the process. Entries live in
// sorted chunks, so a commit among 100,000 keys moves a few hundred references and not all of them.
import { assert } from '../base/assert.ts'
import { StorageError } from './storage-error.ts'
import type { CommitOptions, Entry, Range, Store, StoreBatch } from './store.ts'

/** An empty store. */
export function openMemoryStore(): Store {
  return new MemoryStore()
}

type Operation =
  | { readonly kind: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly kind: 'delete'; readonly key: Buffer }
  | { readonly kind: 'deleteRange'; readonly gte: Buffer; readonly lt: Buffer }

const NO_VALUE = Buffer.alloc(0)

class MemoryBatch implements StoreBatch {
  readonly operations: Operation[] = []
  sizeBytes = 0
  isCommitted = false

  get size(): number {
    return this.operations.length
  }

  put(key: Buffer, value: Buffer): void {
    this.operations.push({ kind: 'put', key, value })
    this.sizeBytes += key.length + value.length
  }

  delete(key: Buffer): void {
    this.operations.push({ kind: 'delete', key })
    this.sizeBytes += key.length
  }

  deleteRange(gte: Buffer, lt: Buffer): void {
    this.operations.push({ kind: 'deleteRange', gte, lt })
    this.sizeBytes += gte.length + lt.length
  }
}

class MemoryStore implements Store {
  readonly #entries = new SortedEntries()
  #isClosed = false

  async get(key: Buffer): Promise<Buffer | null> {
    this.#assertOpen()
    return copyOf(this.#entries.get(key))
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    this.#assertOpen()
    return keys.map(key => copyOf(this.#entries.get(key)))
  }

  async scan(range: Range): Promise<Entry[]> {
    this.#assertOpen()
    const found = range.reverse ? this.#entries.backward(range) : this.#entries.forward(range)
    return found.map(({ key, value }) => ({
      key: Buffer.from(key),
      value: range.values === false ? NO_VALUE : Buffer.from(value),
    }))
  }

  batch(): StoreBatch {
    return new MemoryBatch()
  }

  async commit(batch: StoreBatch, _options: CommitOptions): Promise<void> {
    this.#assertOpen()
    assert(batch instanceof MemoryBatch && !batch.isCommitted, 'a batch is committed once, to the store that made it')
    batch.isCommitted = true
    for (const operation of batch.operations) this.#apply(operation)
  }

  async sync(): Promise<void> {
    this.#assertOpen()
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #apply(operation: Operation): void {
    switch (operation.kind) {
      // Copies: a value cut from a network frame must not keep the frame alive, and the caller may reuse its buffer.
      case 'put':
        return this.#entries.put(Buffer.from(operation.key), Buffer.from(operation.value))
      case 'delete':
        return this.#entries.delete(operation.key)
      case 'deleteRange':
        return this.#entries.deleteRange(operation.gte, operation.lt)
      default:
        operation satisfies never
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StorageError('the store is closed')
  }
}

function copyOf(value: Buffer | undefined): Buffer | null {
  return value === undefined ? null : Buffer.from(value)
}

const MAX_CHUNK = 512

// A list of sorted chunks, none of them empty. An insert moves at most one chunk's references; a full chunk splits in two.
class SortedEntries {
  readonly #chunks: Entry[][] = []

  get(key: Buffer): Buffer | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]
    if (chunk === undefined) return undefined
    const entry = chunk[lowerBound(chunk, key)]
    return entry?.key.equals(key) ? entry.value : undefined
  }

  put(key: Buffer, value: Buffer): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push([{ key, value }])
      return
    }
    const index = Math.min(this.#chunkOf(key), this.#chunks.length - 1)
    const chunk = this.#chunks[index]!
    const at = lowerBound(chunk, key)
    if (chunk[at]?.key.equals(key)) chunk[at] = { key, value }
    else chunk.splice(at, 0, { key, value })
    if (chunk.length > MAX_CHUNK) this.#chunks.splice(index + 1, 0, chunk.splice(MAX_CHUNK / 2))
  }

  delete(key: Buffer): void {
    const index = this.#chunkOf(key)
    const chunk = this.#chunks[index]
    if (chunk === undefined) return
    const at = lowerBound(chunk, key)
    if (!chunk[at]?.key.equals(key)) return
    chunk.splice(at, 1)
    if (chunk.length === 0) this.#chunks.splice(index, 1)
  }

  deleteRange(gte: Buffer, lt: Buffer): void {
    if (gte.compare(lt) >= 0) return
    let index = this.#chunkOf(gte)
    while (index < this.#chunks.length) {
      const chunk = this.#chunks[index]!
      const start = lowerBound(chunk, gte)
      const end = lowerBound(chunk, lt)
      const isLast = end < chunk.length
      chunk.splice(start, end - start)
      if (chunk.length === 0) this.#chunks.splice(index, 1)
      else index++
      if (isLast) return
    }
  }

  forward({ gte, lt, limit }: Range): Entry[] {
    const found: Entry[] = []
    for (let index = this.#chunkOf(gte); index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index]!
      for (let at = lowerBound(chunk, gte); at < chunk.length; at++) {
        const entry = chunk[at]!
        if (found.length >= limit || entry.key.compare(lt) >= 0) return found
        found.push(entry)
      }
    }
    return found
  }

  backward({ gte, lt, limit }: Range): Entry[] {
    const found: Entry[] = []
    for (let index = Math.min(this.#chunkOf(lt), this.#chunks.length - 1); index >= 0; index--) {
      const chunk = this.#chunks[index]!
      for (let at = lowerBound(chunk, lt) - 1; at >= 0; at--) {
        const entry = chunk[at]!
        if (found.length >= limit || entry.key.compare(gte) < 0) return found
        found.push(entry)
      }
    }
    return found
  }

  // The first chunk whose last key is not below `key`: the only one that can hold it.
  #chunkOf(key: Buffer): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#chunks[middle]!.at(-1)!.key.compare(key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

// The index of the first entry whose key is not below `key`.
function lowerBound(entries: readonly Entry[], key: Buffer): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries[middle]!.key.compare(key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
