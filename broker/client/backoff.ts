// How long to wait before the next attempt of something that fails: longer each time up to a bound, and never quite as long as anybody
// else (KIP-144, KIP-580). A value that its owner keeps; the waiting itself is the owner's.
import type { Random } from '../base/random.ts'

export type BackoffOptions = { readonly random: Random; readonly firstMs: number; readonly maxMs: number }

const FACTOR = 2
/** Up to so much of the delay is taken off or added. */
const JITTER = 0.2

export class Backoff {
  readonly #options: BackoffOptions
  #failures = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /** It has failed once more: how many milliseconds to wait. */
  next(): number {
    const { random, firstMs, maxMs } = this.#options
    const delayMs = Math.min(maxMs, firstMs * FACTOR ** this.#failures)
    if (firstMs * FACTOR ** this.#failures < maxMs) this.#failures++
    return delayMs * (1 + JITTER * (2 * random.next() - 1))
  }

  /** It has worked: the next failure begins anew. */
  reset(): void {
    this.#failures = 0
  }
}
