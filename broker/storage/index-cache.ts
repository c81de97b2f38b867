// Sparse indexes that were read from the store, a bounded number of bytes of them; at the bound the one unused longest goes.
import { StorageError } from './storage-error.ts'
import type { LogKeys } from './keys.ts'
import type { Segment } from './segment.ts'
import { SparseIndex } from './sparse-index.ts'
import type { Store } from './store.ts'

export class IndexCache {
  readonly #store: Store
  readonly #limitBytes: number
  // By file id, in the order of their last use.
  readonly #indexes = new Map<number, SparseIndex>()
  #sizeBytes = 0

  constructor(store: Store, limitBytes: number) {
    this.#store = store
    this.#limitBytes = limitBytes
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The index of a segment; null when the store has none (the segment is gone). Rejects with StorageError. */
  async get(keys: LogKeys, segment: Segment): Promise<SparseIndex | null> {
    const known = this.#indexes.get(segment.fileId)
    if (known !== undefined) {
      this.#indexes.delete(segment.fileId)
      this.#indexes.set(segment.fileId, known)
      return known
    }
    const value = await this.#store.get(keys.segmentIndex(segment.baseOffset))
    if (value === null) return null
    const index = new SparseIndex(value, segment.baseOffset, segment.sizeBytes)
    if (index.length === 0)
      throw new StorageError(`the index of segment ${segment.baseOffset} (file ${segment.fileId}) is empty`)
    this.#add(segment.fileId, index)
    return index
  }

  #add(fileId: number, index: SparseIndex): void {
    if (this.#indexes.has(fileId)) return
    this.#indexes.set(fileId, index)
    this.#sizeBytes += index.sizeBytes
    for (const [oldest, unused] of this.#indexes) {
      if (this.#sizeBytes <= this.#limitBytes || oldest === fileId) return
      this.#indexes.delete(oldest)
      this.#sizeBytes -= unused.sizeBytes
    }
  }

  /** The segment is gone, or was cut. */
  forget(fileId: number): void {
    const index = this.#indexes.get(fileId)
    if (index === undefined) return
    this.#indexes.delete(fileId)
    this.#sizeBytes -= index.sizeBytes
  }
}
