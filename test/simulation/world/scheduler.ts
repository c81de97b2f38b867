// Virtual time: events in the order of their time, and of their making where that is equal. Between two events everything that promises
// have set going runs to its end; nothing in a broker waits for anything but promises and the world (its clock, sockets, disk), so one turn
// of the event loop is enough to know that it has come to rest. A turn costs about 1.4 microseconds.
export type Event = { readonly atMs: number; readonly order: number; run: (() => void) | null }

export class Scheduler {
  nowMs = 0
  /** Events that have run. */
  count = 0
  /** Grows into a number that tells two runs apart: see `note`. */
  fingerprint = 0x811c9dc5
  #order = 0
  #heap: Event[] = []
  #cancelled = 0
  #failure: { readonly cause: unknown } | null = null

  /** Runs `run` at `atMs`, or now when that is over. */
  at(atMs: number, run: () => void): Event {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run }
    this.#push(event)
    return event
  }

  after(delayMs: number, run: () => void): Event {
    return this.at(this.nowMs + Math.max(0, delayMs), run)
  }

  cancel(event: Event): void {
    if (event.run === null) return
    event.run = null
    if (++this.#cancelled > 1000 && this.#cancelled > this.#heap.length / 2) this.#sweep()
  }

  /** Ends the run with an error: something is wrong that nobody can be told. */
  fail(cause: unknown): void {
    this.#failure ??= { cause }
  }

  /** Mixes a number into the fingerprint: two runs of one seed have the same one. */
  note(value: number): void {
    this.fingerprint = Math.imul(this.fingerprint ^ value, 0x01000193) >>> 0
  }

  /** Runs what happens until `untilMs`, or until `isDone`. Rejects with what `fail` was called with, or what nobody caught. */
  async run(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    const fail = (reason: unknown): void => this.fail(reason)
    process.on('unhandledRejection', fail)
    try {
      await turn()
      while (!this.#isOver(untilMs) && !isDone()) {
        const event = this.#pop()
        if (event.run === null) {
          this.#cancelled--
          continue
        }
        this.nowMs = event.atMs
        this.count++
        this.note(event.atMs * 1000)
        const { run } = event
        event.run = null
        run()
        await turn()
      }
      if (this.#failure !== null) throw this.#failure.cause
      if (!isDone()) this.nowMs = Math.max(this.nowMs, untilMs)
    } finally {
      process.off('unhandledRejection', fail)
    }
  }

  #isOver(untilMs: number): boolean {
    return this.#failure !== null || this.#heap.length === 0 || this.#heap[0]!.atMs > untilMs
  }

  #sweep(): void {
    const alive = this.#heap.filter(event => event.run !== null)
    this.#heap = []
    this.#cancelled = 0
    for (const event of alive) this.#push(event)
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(event, heap[parent]!); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): Event {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
