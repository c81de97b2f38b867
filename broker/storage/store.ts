// The ordered key-value store that a broker's disk offers: commit point, index and state store of every partition log.
// Keys are bytes, compared as unsigned bytes; a shorter key comes before the longer one that it begins. Not the place of large
// batches (those go to segment files, see files.ts), and not a cache: every call may touch the disk.
// rocks-store.ts implements it for real, memory-store.ts for tests; test/contract/store.ts says what both must do.
import type { Clock } from '../base/clock.ts'
import type { Files } from './files.ts'

export type Entry = { readonly key: Buffer; readonly value: Buffer }

export type Range = {
  /** First key that belongs to the range. */
  readonly gte: Buffer
  /** First key that does not. A range that ends at or before its start is empty. */
  readonly lt: Buffer
  /** From the end of the range towards its start. */
  readonly reverse?: boolean
  /** At most so many entries. */
  readonly limit: number
  /** false: keys only, every value is an empty buffer. */
  readonly values?: boolean
}

export type CommitOptions = {
  /** Resolve only when this commit, and every one before it, is on the disk (fsync). */
  readonly sync: boolean
}

/** Every method rejects with StorageError after `close`, and for good once the disk has failed under the store. */
export type Store = {
  /** The value of `key`, or null; reflects every commit that has resolved. */
  get(key: Buffer): Promise<Buffer | null>
  /** The values of `keys` in their order, from one moment. */
  getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]>
  /** The entries of a range from one moment: commits that run meanwhile are seen whole or not at all. */
  scan(range: Range): Promise<Entry[]>
  /** An empty batch to fill and hand to `commit`, once. */
  batch(): StoreBatch
  /**
   * Applies a batch whole or not at all. Commits apply in the order of their calls; nobody needs to wait between them. After a
   * crash of the process all that have resolved are there; after a loss of power those up to the last sync, perhaps some
   * after it, and never one without those before it. The caller may reuse its buffers once the commit has resolved.
   */
  commit(batch: StoreBatch, options: CommitOptions): Promise<void>
  /** Resolves when everything committed before the call is on the disk. */
  sync(): Promise<void>
  /** Waits for calls in flight, syncs and lets go of the files. Idempotent. */
  close(): Promise<void>
}

/** A kind of store, and where it keeps what is in it: how a broker comes to its store. */
export type Stores = {
  /** Whether a store was ever made in folder `path`; known to be so, even after a loss of power, before `open` resolves. */
  exists(path: string, files: Files): Promise<boolean>
  /** Opens the store in folder `path`, or makes it. Rejects with UserError where a person can help, with StorageError when it is damaged. */
  open(path: string, options: OpenStoreOptions): Promise<Store>
}

export type OpenStoreOptions = {
  readonly files: Files
  readonly clock: Clock
  /** Bytes of keys and values that collect in memory before they go to a table file. */
  readonly writeBufferBytes: number
}

/** Operations that apply in the order of their calls. Buffers are kept, not copied: leave them alone until the commit resolves. */
export type StoreBatch = {
  put(key: Buffer, value: Buffer): void
  delete(key: Buffer): void
  /** Deletes every key from `gte` to before `lt`, in time that does not depend on their number. */
  deleteRange(gte: Buffer, lt: Buffer): void
  /** Operations so far. */
  readonly size: number
  /** Bytes of their keys and values. */
  readonly sizeBytes: number
}
