// The deadlines of one coordinator partition: sessions, rebalances, expiry. There may be hundreds of thousands, and most are moved
// further away before they come, so a move costs nothing: a binary heap holds each deadline where it was once put, and looks again
// when that time has come. One timer of the clock serves all. Not here: what happens at a deadline.
import type { Clock, Timer } from '../base/clock.ts'

class Deadline {
  readonly key: string
  atMs: number
  /** Where it stands in the heap; may be earlier than `atMs`, never later. */
  heapMs: number
  run: (() => void) | null

  constructor(key: string, atMs: number, run: () => void) {
    this.key = key
    this.atMs = atMs
    this.heapMs = atMs
    this.run = run
  }
}

export class Timers {
  readonly #clock: Clock
  readonly #byKey = new Map<string, Deadline>()
  readonly #heap: Deadline[] = []
  #timer: Timer | null = null
  #timerMs = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#byKey.size
  }

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  /** Runs `run` once in `delayMs`, in place of what the key stood for before. */
  set(key: string, delayMs: number, run: () => void): void {
    const atMs = this.#clock.monotonic() + Math.max(0, delayMs)
    const known = this.#byKey.get(key)
    if (known !== undefined && atMs >= known.heapMs) {
      known.atMs = atMs
      known.run = run
      return
    }
    if (known !== undefined) known.run = null
    const deadline = new Deadline(key, atMs, run)
    this.#byKey.set(key, deadline)
    this.#push(deadline)
    this.#arm()
  }

  cancel(key: string): void {
    const known = this.#byKey.get(key)
    if (known === undefined) return
    known.run = null
    this.#byKey.delete(key)
    // What was cancelled must not fill the memory until its time has come.
    if (this.#heap.length > 64 && this.#heap.length > 2 * this.#byKey.size) this.#compact()
  }

  clear(): void {
    this.#byKey.clear()
    this.#heap.length = 0
    this.#timer?.cancel()
    this.#timer = null
    this.#timerMs = Infinity
  }

  #arm(): void {
    const first = this.#heap[0]
    if (first === undefined || first.heapMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = first.heapMs
    this.#timer = this.#clock.after(first.heapMs - this.#clock.monotonic(), () => this.#fire())
  }

  #fire(): void {
    this.#timer = null
    this.#timerMs = Infinity
    const nowMs = this.#clock.monotonic()
    for (let first = this.#heap[0]; first !== undefined && first.heapMs <= nowMs; first = this.#heap[0]) {
      this.#pop()
      if (first.run === null) continue
      if (first.atMs > nowMs) {
        first.heapMs = first.atMs
        this.#push(first)
        continue
      }
      this.#byKey.delete(first.key)
      first.run()
    }
    this.#arm()
  }

  #compact(): void {
    const left = this.#heap.filter(deadline => deadline.run !== null)
    this.#heap.length = 0
    for (const deadline of left) this.#push(deadline)
  }

  #push(deadline: Deadline): void {
    const heap = this.#heap
    let at = heap.push(deadline) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.heapMs <= deadline.heapMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = deadline
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.heapMs < heap[child]!.heapMs) child++
      if (heap[child]!.heapMs >= last.heapMs) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
