// Time as an argument. Everything that needs the time or a delay takes a Clock; the simulation passes its own.

export type Timer = { cancel(): void }

export type Clock = {
  /** Wall clock in milliseconds since the Unix epoch: for timestamps that people and clients see. May jump. */
  now(): number
  /** Milliseconds that only move forward: for durations and deadlines. */
  monotonic(): number
  /** Runs `run` once after `delayMs` milliseconds (at once when negative), unless cancelled. Does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.max(0, Math.min(delayMs, MAX_DELAY_MS)))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}

// setTimeout overflows above 2^31 - 1 and would fire at once.
const MAX_DELAY_MS = 2 ** 31 - 1
