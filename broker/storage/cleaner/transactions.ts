// What the cleaner must know of transactions while it walks a log from its start: which batches belong to aborted ones, and when
// a marker may go. Pure; semantics of Kafka's CleanedTransactionMetadata. A marker stays as long as the walk meets a batch of its
// transaction, even an empty one; without any it is no longer needed, but for readers that are in the middle (the delete horizon).

/** `lastOffset` is that of the abort marker. */
export type AbortedTransaction = {
  readonly producerId: number
  readonly firstOffset: number
  readonly lastOffset: number
}

export class CleanedTransactions {
  readonly #fromOffset: number
  // By first offset; those before #next have begun.
  #ahead: AbortedTransaction[] = []
  #next = 0
  // Offsets of the markers that are ahead.
  readonly #markers = new Set<number>()
  // By producer id: the transactions that the walk is in.
  readonly #inAborted = new Map<number, { readonly transaction: AbortedTransaction; hasBatch: boolean }>()
  readonly #inCommitted = new Set<number>()
  #needed: AbortedTransaction[] = []

  /** The walk begins at `fromOffset`. */
  constructor(fromOffset: number) {
    this.#fromOffset = fromOffset
  }

  /** Aborted transactions of what comes next; some of them may have been added before. */
  add(aborted: readonly AbortedTransaction[]): void {
    const ahead = this.#ahead.slice(this.#next)
    for (const transaction of aborted) {
      // One that ended before would never end in this walk, and take the producer's next ones with it.
      if (transaction.lastOffset < this.#fromOffset || this.#markers.has(transaction.lastOffset)) continue
      this.#markers.add(transaction.lastOffset)
      ahead.push(transaction)
    }
    this.#ahead = ahead.sort((a, b) => a.firstOffset - b.firstOffset)
    this.#next = 0
  }

  /** The walk is at a transactional batch that is no marker. Returns whether it is of an aborted transaction. */
  onBatch(producerId: number, lastOffset: number): boolean {
    this.#beginUpTo(lastOffset)
    const aborted = this.#inAborted.get(producerId)
    if (aborted === undefined) {
      this.#inCommitted.add(producerId)
      return false
    }
    aborted.hasBatch = true
    return true
  }

  /** The walk is at a marker. Returns whether nothing is left of its transaction. */
  onMarker(producerId: number, lastOffset: number, result: 'commit' | 'abort'): boolean {
    this.#beginUpTo(lastOffset)
    this.#markers.delete(lastOffset)
    if (result === 'commit') return !this.#inCommitted.delete(producerId)
    const aborted = this.#inAborted.get(producerId)
    this.#inAborted.delete(producerId)
    // Records of it that are gone leave no entry behind; what is left of an empty batch does no harm.
    if (aborted === undefined) return !this.#inCommitted.delete(producerId)
    if (!aborted.hasBatch) return true
    this.#needed.push(aborted.transaction)
    return false
  }

  /** The aborted transactions whose markers the walk has passed since the last call and of which batches were there. */
  takeNeeded(): AbortedTransaction[] {
    const needed = this.#needed
    this.#needed = []
    return needed
  }

  #beginUpTo(offset: number): void {
    for (; this.#next < this.#ahead.length; this.#next++) {
      const transaction = this.#ahead[this.#next]!
      if (transaction.firstOffset > offset) return
      if (!this.#inAborted.has(transaction.producerId)) {
        this.#inAborted.set(transaction.producerId, { transaction, hasBatch: false })
      }
    }
  }
}
