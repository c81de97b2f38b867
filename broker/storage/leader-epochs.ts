// The history of a partition's leader epochs: at which offset each one began. Pure; partition-log.ts persists it with its commits.
// Semantics of Kafka's LeaderEpochFileCache (KIP-101, KIP-279): followers find with it where their log and the leader's part.

export type EpochEntry = { readonly epoch: number; readonly startOffset: number }

/** What a log knows about the end of an epoch; both -1 when it knows nothing. */
export type EpochEnd = { readonly epoch: number; readonly endOffset: number }

export const UNKNOWN_EPOCH_END: EpochEnd = { epoch: -1, endOffset: -1 }

export class LeaderEpochs {
  #entries: EpochEntry[] = []

  constructor(entries: readonly EpochEntry[] = []) {
    for (const entry of entries) this.assign(entry.epoch, entry.startOffset)
  }

  /** Oldest first; epochs and start offsets grow strictly. */
  entries(): readonly EpochEntry[] {
    return this.#entries
  }

  /** The newest epoch that has a record in the log, -1 when there is none. */
  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  /**
   * Records of `epoch` begin at `startOffset`. Returns whether that was news. Entries that contradict it (a higher epoch, or the
   * same or a later start) go, as in Kafka: the bytes of the log are the truth.
   */
  assign(epoch: number, startOffset: number): boolean {
    const entries = this.#entries
    const last = entries.at(-1)
    if (last !== undefined && last.epoch === epoch && last.startOffset <= startOffset) return false
    while (entries.length > 0) {
      const entry = entries[entries.length - 1]!
      if (entry.epoch < epoch && entry.startOffset < startOffset) break
      entries.pop()
    }
    entries.push({ epoch, startOffset })
    return true
  }

  /**
   * The end of `epoch` in a log that ends at `logEndOffset`: the largest epoch known that is not above the one asked for, and where
   * the next one starts. As OffsetForLeaderEpoch answers it; UNKNOWN_EPOCH_END for an epoch above all or when nothing is known.
   */
  endOffsetFor(epoch: number, logEndOffset: number): EpochEnd {
    const entries = this.#entries
    if (epoch < 0 || entries.length === 0 || epoch > this.latest) return UNKNOWN_EPOCH_END
    if (epoch === this.latest) return { epoch, endOffset: logEndOffset }
    const next = entries.findIndex(entry => entry.epoch > epoch)
    // Below the first epoch we know: it ends where that one starts, and keeps its own number.
    if (next === 0) return { epoch, endOffset: entries[0]!.startOffset }
    return { epoch: entries[next - 1]!.epoch, endOffset: entries[next]!.startOffset }
  }

  /** The epoch of the record at `offset`, -1 when unknown. */
  epochAt(offset: number): number {
    const entries = this.#entries
    for (let at = entries.length - 1; at >= 0; at--) if (entries[at]!.startOffset <= offset) return entries[at]!.epoch
    return -1
  }

  /** The log was cut at `endOffset`: epochs that began there or later are gone. Returns whether anything changed. */
  truncateFromEnd(endOffset: number): boolean {
    const entries = this.#entries
    const before = entries.length
    while (entries.length > 0 && entries[entries.length - 1]!.startOffset >= endOffset) entries.pop()
    return entries.length !== before
  }

  /** The log starts at `startOffset`: of the epochs that began before it only the last stays, moved to it. Returns whether anything changed. */
  truncateFromStart(startOffset: number): boolean {
    const entries = this.#entries
    let kept = 0
    while (kept < entries.length && entries[kept]!.startOffset <= startOffset) kept++
    if (kept === 0) return false
    const last = entries[kept - 1]!
    if (kept === 1 && last.startOffset === startOffset) return false
    entries.splice(0, kept, { epoch: last.epoch, startOffset })
    return true
  }

  /** Forgets everything: the log was emptied and starts anew. */
  clear(): void {
    this.#entries = []
  }
}
