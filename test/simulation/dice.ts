// Chance of one simulation: everything that may go either way asks it, and faults can be ended.
import type { Random } from '../../broker/base/random.ts'
import { seededNumbers } from '../seeded.ts'

export class Dice implements Random {
  readonly next: () => number
  /** No more faults; other chances go on. */
  isKind = false

  constructor(seed: number) {
    this.next = seededNumbers(seed)
  }

  bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.below(256)))
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** A number in [least, limit), and mostly a small one: each power of ten is as likely as the next. */
  spread(least: number, limit: number): number {
    return least * (limit / least) ** this.next()
  }

  between(least: number, limit: number): number {
    return least + this.next() * (limit - least)
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  fails(probability: number): boolean {
    return this.chance(probability) && !this.isKind
  }
}
