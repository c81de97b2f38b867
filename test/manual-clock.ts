// A clock that stands still until a test moves it; timers run in the order of their time, within `advance`.
import type { Clock, Timer } from '../broker/base/clock.ts'

export type ManualClock = Clock & {
  /** Moves the time on and runs what is due, also what that sets up. */
  advance(byMs: number): void
  /** Timers that wait. */
  readonly timers: number
}

export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let nowMs = 0
  const waiting = new Set<{ atMs: number; run: () => void }>()
  return {
    now: () => startMs + nowMs,
    monotonic: () => nowMs,
    after(delayMs, run): Timer {
      const entry = { atMs: nowMs + Math.max(0, delayMs), run }
      waiting.add(entry)
      return { cancel: () => void waiting.delete(entry) }
    },
    advance(byMs) {
      const untilMs = nowMs + byMs
      for (;;) {
        const due = [...waiting].filter(entry => entry.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
        if (due.length === 0) break
        for (const entry of due) {
          if (!waiting.delete(entry)) continue
          nowMs = entry.atMs
          entry.run()
        }
      }
      nowMs = untilMs
    },
    get timers() {
      return waiting.size
    },
  }
}
