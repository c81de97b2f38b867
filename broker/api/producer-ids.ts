// Producer ids for InitProducerId: the controller hands them out in blocks, so that an id is never used twice in the life of a cluster,
// and this part hands out the ids of a block one by one (KIP-730). What is left of a block is lost with the process.
import type { ErrorCode } from '../protocol/errors.ts'
import { ErrorCode as Code } from '../protocol/errors.ts'

export type ProducerIdBlock = { readonly first: number; readonly count: number }

export type ProducerIdsOptions = {
  /** A fresh block, durable before it resolves (`controller.allocateProducerIds`). */
  readonly allocate: () => Promise<ProducerIdBlock>
}

/** Asks for the next block when a tenth of this one is left, as Kafka does. */
const PREFETCH_AT = 0.9

export class ProducerIds {
  readonly #allocate: () => Promise<ProducerIdBlock>
  #block: ProducerIdBlock = { first: 0, count: 0 }
  #used = 0
  #next: ProducerIdBlock | null = null
  #pending: Promise<void> | null = null

  constructor(options: ProducerIdsOptions) {
    this.#allocate = options.allocate
  }

  /** A fresh id; or COORDINATOR_LOAD_IN_PROGRESS, which clients retry, when the controller gave no block. */
  async next(): Promise<{ readonly producerId: number } | { readonly errorCode: ErrorCode; readonly cause: unknown }> {
    // Everybody who waits for a block takes from it in turn; those for whom it was too small wait for the next one.
    while (!this.#takeBlock()) {
      try {
        await (this.#pending ??= this.#fetch())
      } catch (cause) {
        return { errorCode: Code.COORDINATOR_LOAD_IN_PROGRESS, cause }
      }
    }
    const producerId = this.#block.first + this.#used++
    if (this.#next === null && this.#pending === null && this.#used >= this.#block.count * PREFETCH_AT) {
      this.#pending = this.#fetch()
      // Whoever needs the block and finds none asks again and gets the error.
      this.#pending.catch(() => {})
    }
    return { producerId }
  }

  /** Whether there is an id left, in this block or the one that was fetched ahead. */
  #takeBlock(): boolean {
    if (this.#used < this.#block.count) return true
    if (this.#next === null) return false
    this.#block = this.#next
    this.#used = 0
    this.#next = null
    return this.#block.count > 0
  }

  async #fetch(): Promise<void> {
    try {
      this.#next = await this.#allocate()
    } finally {
      this.#pending = null
    }
  }
}
