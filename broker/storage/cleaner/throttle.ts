// How fast the cleaner may go: so many bytes per second for all its workers together (log.cleaner.io.max.bytes.per.second), and never so
// long at a stretch that a produce request or a fetch would notice.
import type { Clock } from '../../base/clock.ts'

/** Work is done in turns of about this length, with a rest behind each: a fifth of the event loop at most. What bench/compaction.ts says of others is in docs/storage.md. */
const TURN_MS = 0.5
const REST_MS = 2
/** Bytes that were not used are kept for so long. */
const WINDOW_MS = 300

export class Throttle {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  #bytesPerSecond: number
  #allowedFromMs: number

  /** Nobody waits any more once `signal` is aborted. */
  constructor(clock: Clock, bytesPerSecond: number, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
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
    // A timer has no shorter times; what is left of it counts with the next bytes.
    if (from - nowMs >= 1) await pause(this.#clock, from - nowMs, this.#signal)
  }
}

/** The turns of one worker. */
export class Pace {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  #sinceMs: number

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
    this.#sinceMs = clock.monotonic()
  }

  /** Whether it is time for a rest. */
  get isDue(): boolean {
    return this.#clock.monotonic() - this.#sinceMs >= TURN_MS
  }

  async rest(): Promise<void> {
    await pause(this.#clock, REST_MS, this.#signal)
    this.#sinceMs = this.#clock.monotonic()
  }
}

/** Resolves after `delayMs`, or when `signal` is aborted. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const end = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.after(delayMs, end)
    signal.addEventListener('abort', end)
  })
}
