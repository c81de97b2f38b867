// The aborted transactions of a log: which batches a read_committed consumer must skip (Kafka's TransactionIndex, KIP-98). Each is one entry of
// the store, put by the group commit that writes its marker, so an entry exists exactly when its marker does; only
// compaction takes it away before, when no batch of the transaction is left. The newest are in memory too, so that who reads at the tail
// asks no disk; older ones, and all from before the start, are read when they are asked for.
//
// An entry, under the offset of its marker (keys.ts):
//    0 version u8 (1) | 1 producerId int64 | 9 firstOffset u64 | 17 lastStableOffset u64
import type { LogKeys } from './keys.ts'
import { MAX_OFFSET, offsetOf } from './keys.ts'
import { readI64, readU64, writeI64, writeU64 } from './log-state.ts'
import type { EndedTransaction } from './producer-state.ts'
import { StorageError } from './storage-error.ts'
import type { Entry, Store } from './store.ts'

/** `lastStableOffset`: once this one ended, every transaction that began below it had. */
export type AbortedTransaction = EndedTransaction & { readonly lastStableOffset: number }

const VERSION = 1
const ENTRY_SIZE = 25
/** Kept in memory for one log. A reader that is behind them asks the store. */
const MAX_RECENT = 64
const ENTRIES_PER_SCAN = 256
const NONE: readonly AbortedTransaction[] = []

export function encodeAborted({ producerId, firstOffset, lastStableOffset }: AbortedTransaction): Buffer {
  const value = Buffer.allocUnsafe(ENTRY_SIZE)
  value[0] = VERSION
  writeI64(value, 1, producerId)
  writeU64(value, 9, firstOffset)
  writeU64(value, 17, lastStableOffset)
  return value
}

/** Throws StorageError for a version that this broker does not know. */
export function decodeAborted({ key, value }: Entry): AbortedTransaction {
  if (value[0] !== VERSION)
    throw new StorageError(`an aborted transaction of version ${value[0]} was written by a newer broker`)
  return {
    producerId: readI64(value, 1),
    firstOffset: readU64(value, 9),
    lastOffset: offsetOf(key),
    lastStableOffset: readU64(value, 17),
  }
}

export class AbortedTransactions {
  /** In the order of their markers. */
  #recent: AbortedTransaction[] = []
  /** Every one whose marker is at or above this offset is in `#recent`. */
  #recentFrom = 0

  /** The log was read from the disk and ends at `endOffset`: what is below is in the store only. */
  begin(endOffset: number): void {
    this.#recent = []
    this.#recentFrom = endOffset
  }

  add(aborted: AbortedTransaction): void {
    this.#recent.push(aborted)
    if (this.#recent.length <= MAX_RECENT) return
    // Half of them at once, so that one more costs no copy of the rest. Those that go are in the store before anybody may read beyond them.
    this.#recent = this.#recent.slice(MAX_RECENT / 2)
    this.#recentFrom = this.#recent[0]!.lastOffset
  }

  /** The log was cut at `offset`. */
  truncateFrom(offset: number): void {
    this.#recent = this.#recent.filter(({ lastOffset }) => lastOffset < offset)
    this.#recentFrom = Math.min(this.#recentFrom, offset)
  }

  /** Compaction has left nothing of these. */
  forget(gone: readonly { readonly lastOffset: number }[]): void {
    if (gone.length === 0) return
    const markers = new Set(gone.map(({ lastOffset }) => lastOffset))
    this.#recent = this.#recent.filter(({ lastOffset }) => !markers.has(lastOffset))
  }

  /** The log starts at `offset`. */
  forgetBelow(offset: number): void {
    if (this.#recent.length > 0 && this.#recent[0]!.lastOffset < offset)
      this.#recent = this.#recent.filter(({ lastOffset }) => lastOffset >= offset)
  }

  /** Those with a record in [from, to), by memory alone; null when it does not go back to `from`. */
  recent(from: number, to: number): readonly AbortedTransaction[] | null {
    if (from < this.#recentFrom) return null
    if (this.#recent.length === 0) return NONE
    return this.#recent.filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < to)
  }
}

/** Those with a record in [from, to), by the store. `to` is at most the last stable offset. Rejects with StorageError. */
export async function storedAborted(
  store: Store,
  keys: LogKeys,
  from: number,
  to: number,
): Promise<AbortedTransaction[]> {
  const found: AbortedTransaction[] = []
  for (let next = from; ;) {
    const entries = await store.scan({ ...keys.abortedBetween(next, MAX_OFFSET), limit: ENTRIES_PER_SCAN })
    for (const entry of entries) {
      const aborted = decodeAborted(entry)
      if (aborted.firstOffset < to) found.push(aborted)
      // All that began before are behind us.
      if (aborted.lastStableOffset >= to) return found
      next = aborted.lastOffset + 1
    }
    if (entries.length < ENTRIES_PER_SCAN) return found
  }
}
