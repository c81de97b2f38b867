// How fast the cleaner may go: so many bytes per second for all its workers together (log.cleaner.io.max.bytes.per.second), and never so
// long at a stretch that a produce request or a fetch would notice.
import type { Clock } from '../../base/clock.ts'

/** Work is done in turns of about this length, with a rest as long behind each: at most half of the event loop is taken. */
const TURN_MS = 2
const REST_MS = 2
/** Bytes that were not used are kept for so long. */
const WINDOW_MS = 300

export class Throttle {
  readonly #clock: Clock
  #bytesPerSecond: number
  #allowedFromMs: number

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
    this.#allowedFromMs = clock.monotonic()
  }

  set bytesPerSecond(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Resolves when so many bytes more may be read or written. */
  async take(sizeBytes: number): Promise<void> {
    const nowMs = this.#clock.monotonic()
    const from = Math.max(this.#allowedFromMs, nowMs - WINDOW_MS)
    this.#allowedFromMs = from + (sizeBytes / this.#bytesPerSecond) * 1000
    if (from > nowMs) await rest(this.#clock, from - nowMs)
  }
}

/** The turns of one worker. */
export class Pace {
  readonly #clock: Clock
  #sinceMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonic()
  }

  /** Whether it is time for a rest. */
  get isDue(): boolean {
    return this.#clock.monotonic() - this.#sinceMs >= TURN_MS
  }

  async rest(): Promise<void> {
    await rest(this.#clock, REST_MS)
    this.#sinceMs = this.#clock.monotonic()
  }
}

function rest(clock: Clock, delayMs: number): Promise<void> {
  return new Promise(resolve => void clock.after(delayMs, resolve))
}
