// A process of the simulation: whatever reaches it from outside (a timer, bytes, an answer of the disk) comes through `enter`, so that it can be
// paused, when everything waits in a line, and killed, when nothing ever reaches it again. What it waits for then stays without an answer
// for ever, and the garbage collector takes it: dead code never runs, as in a process that is gone.
import type { Clock, Timer } from '../../../broker/base/clock.ts'
import type { Dice } from '../dice.ts'
import type { Scheduler } from './scheduler.ts'

/** What is put on top of the true time. */
export type WallClock = { offsetMs: number }

/** Wall time at the beginning of every world. */
export const BEGIN_MS = 1_700_000_000_000

export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock
  isAlive = true
  /** Called at its end, however it comes. */
  readonly onEnd = new Set<() => void>()
  readonly #dice: Dice
  readonly #scheduler: Scheduler
  #waiting: (() => void)[] | null = null

  constructor(name: string, scheduler: Scheduler, dice: Dice, wall: WallClock = { offsetMs: 0 }) {
    this.name = name
    this.#dice = dice
    this.#scheduler = scheduler
    const startMs = scheduler.nowMs
    this.clock = {
      now: () => Math.floor(BEGIN_MS + scheduler.nowMs + wall.offsetMs),
      monotonic: () => scheduler.nowMs - startMs,
      after: (delayMs, run) => this.#after(delayMs, run),
    }
  }

  get isPaused(): boolean {
    return this.#waiting !== null
  }

  /** Something from outside reaches the process; at once, when it is running. */
  enter(run: () => void): void {
    if (!this.isAlive) return
    if (this.#waiting !== null) {
      this.#waiting.push(run)
      return
    }
    try {
      run()
    } catch (error) {
      this.#scheduler.fail(new Error(`${this.name}: nobody caught this`, { cause: error }))
    }
  }

  /** The outcome of something outside, as the process learns of it. */
  hear<T>(outcome: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      outcome.then(
        value => this.enter(() => resolve(value)),
        (error: unknown) => this.enter(() => reject(error)),
      )
    })
  }

  pause(): void {
    this.#waiting ??= []
  }

  /** All that has waited happens, one after the other. */
  resume(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const run of waiting) this.#scheduler.after(0, () => this.enter(run))
  }

  end(): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.#waiting = null
    for (const run of [...this.onEnd]) run()
    this.onEnd.clear()
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => void this.clock.after(delayMs, resolve))
  }

  // As Node's: never sooner than a millisecond, and late by a little.
  #after(delayMs: number, run: () => void): Timer {
    if (!this.isAlive) return { cancel: () => {} }
    let isCancelled = false
    const event = this.#scheduler.after(Math.max(1, delayMs) + this.#dice.next() * 0.2, () =>
      this.enter(() => {
        if (!isCancelled) run()
      }),
    )
    return {
      cancel: () => {
        isCancelled = true
        this.#scheduler.cancel(event)
      },
    }
  }
}
