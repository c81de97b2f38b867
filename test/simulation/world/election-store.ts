// The place of the election record in the simulation, with its own fates: it is slow, away, answers late or not at all, and carries out a swap
// long after whoever asked for it has given up (rules A5 and A12, traps F2 and F5). What it keeps is never lost: it is another system's.
import {
  birthRecord,
  isSameRecord,
  type Election,
  type ElectionRecord,
} from '../../../broker/metadata/election/election.ts'
import type { Dice } from '../dice.ts'
import type { SimulatedProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'

const GIVES_UP_MS = 10_000
const LATEST_MS = 90_000

export class ElectionStore {
  record: ElectionRecord
  /** By how much everything takes longer than usual. */
  slowness = 1
  /** Nobody reaches it. */
  isAway = false
  /** How likely it is that a request or its answer is lost, and that a swap comes late. */
  lossProbability = 0
  readonly #scheduler: Scheduler
  readonly #dice: Dice
  readonly #watchers = new Set<() => void>()

  constructor(scheduler: Scheduler, dice: Dice, clusterId: string) {
    this.#scheduler = scheduler
    this.#dice = dice
    this.record = birthRecord(clusterId)
  }

  mend(): void {
    this.slowness = 1
    this.isAway = false
    this.lossProbability = 0
  }

  /** How a process sees it. */
  of(process: SimulatedProcess): Election {
    return {
      read: () => this.#ask(process, () => this.record, false),
      compareAndSwap: (expected, next) => this.#ask(process, () => this.#swap(expected, next), true),
      watch: (onRecord, signal) => this.#watch(process, onRecord, signal),
    }
  }

  #swap(expected: ElectionRecord, next: ElectionRecord): boolean {
    if (!isSameRecord(this.record, expected)) return false
    this.record = next
    this.#scheduler.note(next.version)
    for (const tell of this.#watchers) tell()
    return true
  }

  #takesMs(): number {
    return this.#dice.spread(1, 20) * this.slowness
  }

  #ask<T>(process: SimulatedProcess, happen: () => T, isSwap: boolean): Promise<T> {
    const scheduler = this.#scheduler
    const dice = this.#dice
    return new Promise((resolve, reject) => {
      const failure = new Error('the election store does not answer')
      scheduler.after(GIVES_UP_MS, () => process.enter(() => reject(failure)))
      const isLost = this.isAway || dice.fails(this.lossProbability)
      if (isLost && !(isSwap && dice.chance(0.5))) return
      const arrivesMs = isLost ? dice.spread(GIVES_UP_MS / 10, LATEST_MS) : this.#takesMs()
      scheduler.after(arrivesMs, () => {
        const value = happen()
        if (this.isAway || dice.fails(this.lossProbability)) return
        scheduler.after(this.#takesMs(), () => process.enter(() => resolve(value)))
      })
    })
  }

  #watch(process: SimulatedProcess, onRecord: (record: ElectionRecord) => void, signal: AbortSignal): void {
    let seenVersion = -1
    const tell = (): void => {
      if (!process.isAlive) return void this.#watchers.delete(tell)
      if (this.isAway) return void this.#scheduler.after(1000, tell)
      const { record } = this
      this.#scheduler.after(this.#takesMs(), () =>
        process.enter(() => {
          if (signal.aborted || record.version <= seenVersion) return
          seenVersion = record.version
          onRecord(record)
        }),
      )
    }
    this.#watchers.add(tell)
    signal.addEventListener('abort', () => this.#watchers.delete(tell), { once: true })
    process.onEnd.add(() => this.#watchers.delete(tell))
    tell()
  }
}
