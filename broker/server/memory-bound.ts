// A bound on bytes that many connections share: requests that wait or run, and answers that wait for slow readers. It is a
// counter with a queue of those who wait for room; what to do at the bound is decided by connection.ts.

export class MemoryBound {
  readonly limitBytes: number
  #usedBytes = 0
  #waiting = new Set<() => void>()

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get isFull(): boolean {
    return this.#usedBytes >= this.limitBytes
  }

  /** Adds (or, negative, gives back) bytes; those who wait are called, in order, as long as there is room. */
  add(bytes: number): void {
    this.#usedBytes += bytes
    if (bytes >= 0 || this.#waiting.size === 0) return
    for (const run of this.#waiting) {
      if (this.isFull) return
      this.#waiting.delete(run)
      run()
    }
  }

  /** Calls `run` once, when there is room again. The same function waits only once. */
  whenRoom(run: () => void): void {
    this.#waiting.add(run)
  }

  forget(run: () => void): void {
    this.#waiting.delete(run)
  }

  /**
   * How much of `wantBytes` one taker may have, so that many takers share what is left: at most a quarter of the rest, and
   * always `leastBytes`, without which nothing would ever move.
   */
  grant(wantBytes: number, leastBytes: number): number {
    const rest = (this.limitBytes - this.#usedBytes) / 4
    return Math.max(Math.min(wantBytes, leastBytes), Math.min(wantBytes, Math.floor(rest)))
  }
}
