// Time that passes only when nothing else can happen: timers in the order of their time, and of their setting where that is equal.
import type { Clock, Timer } from '../../../broker/base/clock.ts'

type Entry = { readonly atMs: number; readonly order: number; readonly run: () => void; isCancelled: boolean }

export class VirtualClock implements Clock {
  nowMs = 0
  #order = 0
  #entries: Entry[] = []

  now(): number {
    return 1_700_000_000_000 + this.nowMs
  }

  monotonic(): number {
    return this.nowMs
  }

  after(delayMs: number, run: () => void): Timer {
    const entry = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run, isCancelled: false }
    let at = this.#entries.length
    while (at > 0 && this.#entries[at - 1]!.atMs > entry.atMs) at--
    this.#entries.splice(at, 0, entry)
    return {
      cancel: () => {
        entry.isCancelled = true
      },
    }
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => void this.after(delayMs, resolve))
  }

  /** Runs everything until `untilMs`, each timer after all promises that the ones before it have settled. */
  async run(untilMs: number): Promise<void> {
    await turn()
    for (let next = this.#entries[0]; next !== undefined && next.atMs <= untilMs; next = this.#entries[0]) {
      this.#entries.shift()
      if (next.isCancelled) continue
      this.nowMs = next.atMs
      next.run()
      await turn()
    }
    this.nowMs = untilMs
  }
}

/** Lets every promise that can settle do so. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
