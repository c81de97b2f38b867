// Chance as an argument. Everything that needs random numbers takes a Random; the simulation passes a seeded one.
import { randomBytes } from 'node:crypto'

export type Random = {
  /** A number in [0, 1). */
  next(): number
  /** `size` fresh random bytes. */
  bytes(size: number): Buffer
}

/** Chance from the operating system. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: size => randomBytes(size),
}
