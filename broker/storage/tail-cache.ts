// The newest batches of every partition, in memory: followers and live consumers read here and touch no disk, and so does whoever
// moves the newest batches to their segment. One bound for the whole broker; at the bound the batches that were appended longest ago
// go first, whichever partition they belong to. A batch that is not committed yet is never dropped: until then nobody else has it.
//
// A batch is a slice of the network frame it came in, and the frame stays alive with it. So the bound counts frames: one is charged
// in full with its first batch and released with its last. Frames leave in the order they came, so they leave whole.

/** One appended batch. Lives from the append until the cache drops it. */
export type TailBatch = {
  readonly bytes: Buffer
  readonly baseOffset: number
  /** Inclusive. */
  readonly lastOffset: number
  readonly maxTimestamp: number
  readonly leaderEpoch: number
}

/** The cached end of one log: every batch from `startOffset` to the log end, none missing. */
export class Tail {
  #batches: TailBatch[] = []
  #head = 0
  /** Exclusive: what the log has committed. Batches above it stay. */
  committedOffset = 0

  get isEmpty(): boolean {
    return this.#head === this.#batches.length
  }

  /** Base offset of the oldest batch here; Infinity when there is none. */
  get startOffset(): number {
    return this.#batches[this.#head]?.baseOffset ?? Infinity
  }

  push(batch: TailBatch): void {
    this.#batches.push(batch)
  }

  /** The oldest batch, if it may go. */
  dropOldest(): TailBatch | null {
    const batch = this.#batches[this.#head]
    if (batch === undefined || batch.lastOffset >= this.committedOffset) return null
    this.#head++
    // Trimmed in steps, so that a drop costs no copy of the rest.
    if (this.#head >= 32 && this.#head * 2 >= this.#batches.length) {
      this.#batches = this.#batches.slice(this.#head)
      this.#head = 0
    }
    return batch
  }

  /** Takes off the newest batch if it reaches to `endOffset` or beyond. */
  dropNewestFrom(endOffset: number): TailBatch | null {
    if (this.isEmpty || this.#batches[this.#batches.length - 1]!.lastOffset < endOffset) return null
    return this.#batches.pop()!
  }

  /** The batches that start in [from, to), or null when the cache does not go back to `from`. */
  between(from: number, to: number): TailBatch[] | null {
    if (this.startOffset > from) return null
    const found: TailBatch[] = []
    for (let at = this.#find(from); at < this.#batches.length; at++) {
      const batch = this.#batches[at]!
      if (batch.baseOffset >= to) break
      found.push(batch)
    }
    return found
  }

  /** Whole batches from the one that contains `offset`, up to exclusive `endOffset` and `maxBytes`; null when the cache does not go back so far. */
  read(offset: number, endOffset: number, maxBytes: number, minOneBatch: boolean): Buffer[] | null {
    if (offset < this.startOffset) return null
    const found: Buffer[] = []
    let left = maxBytes
    for (let at = this.#find(offset); at < this.#batches.length; at++) {
      const batch = this.#batches[at]!
      if (batch.lastOffset >= endOffset) break
      left -= batch.bytes.length
      if (left < 0 && !(minOneBatch && found.length === 0)) break
      found.push(batch.bytes)
    }
    return found
  }

  // The first batch that contains `offset` or lies above it.
  #find(offset: number): number {
    let low = this.#head
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

// One list entry per cached batch; trimmed when this many have been passed.
const TRIM_AFTER = 4096

export class TailCache {
  readonly #limitBytes: number
  // Whose batch comes next to be dropped: a partition appears once for each of its batches, in the order of the appends.
  #order: Tail[] = []
  #next = 0
  // How many cached batches each frame holds.
  readonly #frames = new Map<ArrayBufferLike, number>()
  #sizeBytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Bytes that the cache keeps alive. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  add(tail: Tail, batch: TailBatch): void {
    tail.push(batch)
    this.#order.push(tail)
    const frame = batch.bytes.buffer
    const users = this.#frames.get(frame)
    this.#frames.set(frame, (users ?? 0) + 1)
    if (users === undefined) this.#sizeBytes += frame.byteLength
    if (this.#sizeBytes > this.#limitBytes) this.#shrink()
  }

  /** The log was cut at `endOffset`. */
  truncate(tail: Tail, endOffset: number): void {
    for (;;) {
      const batch = tail.dropNewestFrom(endOffset)
      if (batch === null) return
      this.#release(batch)
    }
  }

  /** The batches below `offset`, which are committed, are not what the log has any more. */
  dropBelow(tail: Tail, offset: number): void {
    let gone = 0
    while (tail.startOffset < offset) {
      const batch = tail.dropOldest()
      if (batch === null) break
      this.#release(batch)
      gone++
    }
    if (gone === 0) return
    // Their places in the order too: a cache that never reaches its bound would keep them for ever.
    this.#order = this.#order.slice(this.#next).filter(other => other !== tail || gone-- <= 0)
    this.#next = 0
  }

  /** Commits allow to drop what they committed. */
  shrink(): void {
    if (this.#sizeBytes > this.#limitBytes) this.#shrink()
  }

  #shrink(): void {
    while (this.#sizeBytes > this.#limitBytes && this.#next < this.#order.length) {
      const tail = this.#order[this.#next]!
      const batch = tail.dropOldest()
      if (batch !== null) this.#release(batch)
      // Nothing to drop: the partition was cut (its entries here are stale), or its batch is not committed. Then those behind
      // it were appended later still.
      else if (!tail.isEmpty) return
      this.#next++
    }
    if (this.#next >= TRIM_AFTER && this.#next * 2 >= this.#order.length) {
      this.#order = this.#order.slice(this.#next)
      this.#next = 0
    }
  }

  #release(batch: TailBatch): void {
    const frame = batch.bytes.buffer
    const users = this.#frames.get(frame)! - 1
    if (users > 0) {
      this.#frames.set(frame, users)
      return
    }
    this.#frames.delete(frame)
    this.#sizeBytes -= frame.byteLength
  }
}
