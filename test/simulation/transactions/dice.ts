// Chance of one simulation: everything that may go either way asks it, and faults can be ended.
import { seededNumbers } from '../../seeded.ts'

export class Dice {
  readonly #next: () => number
  /** No more faults; other chances go on. */
  isKind = false

  constructor(seed: number) {
    this.#next = seededNumbers(seed)
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit)
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  chance(probability: number): boolean {
    return this.#next() < probability
  }

  fails(probability: number): boolean {
    return this.chance(probability) && !this.isKind
  }
}
