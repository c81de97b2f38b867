// Power that can fail. The twins of a disk (crashing-files.ts, crashing-store.ts) do whatever changes them through one Power, so
// a test can cut a scripted run at its n-th change, before or after it took effect, and look at what is left.

/** Rejects every operation between the cut and `restore`: the process that asked is gone. */
export class PowerLoss extends Error {
  constructor() {
    super('the power is off')
    this.name = 'PowerLoss'
  }
}

export class Power {
  /** What has changed something since the beginning or `restore`, in order: `write /data/x`, `commit`, ... */
  readonly operations: string[] = []
  #cutAt = Infinity
  #moment: 'before' | 'after' = 'before'
  #isOff = false

  get isOff(): boolean {
    return this.#isOff
  }

  /** Cuts the power at operation number `index` (from 0): it has no effect, or has one that nobody hears of. */
  cutAt(index: number, moment: 'before' | 'after'): void {
    this.#cutAt = index
    this.#moment = moment
  }

  cut(): void {
    this.#isOff = true
  }

  /** The power is back, for new processes. */
  restore(): void {
    this.#isOff = false
    this.#cutAt = Infinity
    this.operations.length = 0
  }

  assertOn(): void {
    if (this.#isOff) throw new PowerLoss()
  }

  /** Does `change`, unless this is where the power goes. */
  perform<T>(operation: string, change: () => T): T {
    this.assertOn()
    const isLast = this.operations.push(operation) - 1 === this.#cutAt
    if (isLast) this.#isOff = true
    if (isLast && this.#moment === 'before') throw new PowerLoss()
    const result = change()
    if (isLast) throw new PowerLoss()
    return result
  }
}
