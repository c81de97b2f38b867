// Producers of transactions as clients are: they start, write, end, lose answers, repeat requests, pause beyond their time-out, crash,
// come back under the same id, and do not notice that they were replaced. Each remembers what it was told.
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { PARTITIONS, TOPIC, type World } from './world.ts'

/** What the producer knows of the end of a transaction. */
export type Outcome = 'committed' | 'aborted' | 'unknown'

export type Told = { readonly tags: readonly string[]; readonly outcome: Outcome }

/** From `atMs` on nobody with a lower epoch of this producer may write. */
export type Reign = { readonly producerId: number; readonly epoch: number; readonly atMs: number }

type Identity = { readonly producerId: number; readonly producerEpoch: number }

const TIMEOUT_MS = 400
const RETRIABLE = new Set<number>([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
])

export class Producers {
  readonly told: Told[] = []
  readonly reigns: Reign[] = []
  readonly #world: World
  #incarnations = 0
  #isOver = false

  constructor(world: World) {
    this.#world = world
  }

  /** No new transactions; those that are open are left to their time-out. */
  end(): void {
    this.#isOver = true
  }

  /** One incarnation after another, sometimes before the last one has ended. */
  async live(transactionalId: string): Promise<void> {
    const { clock, dice } = this.#world
    while (!this.#isOver) {
      const life = this.#incarnation(transactionalId)
      if (dice.chance(0.3)) await clock.sleep(dice.below(600))
      else await life
      await clock.sleep(dice.below(50))
    }
  }

  /** A single transaction with a record in two partitions. */
  async once(transactionalId: string, version: number, isCommit: boolean): Promise<void> {
    const identity = await this.#init(transactionalId, null)
    if (identity === null) throw new Error('nobody can start')
    const tags = ['0', '1']
    for (const [partition, tag] of tags.entries()) {
      const errorCode = await this.#produce(transactionalId, tag, version, identity, partition)
      if (errorCode !== ErrorCode.NONE) throw new Error(`cannot write: ${errorCode}`)
    }
    const { answer } = await this.#end(transactionalId, version, identity, isCommit)
    if (answer === null) throw new Error('cannot end')
    this.told.push({ tags, outcome: isCommit ? 'committed' : 'aborted' })
  }

  async #incarnation(transactionalId: string): Promise<void> {
    const { dice, clock } = this.#world
    const name = `${transactionalId}#${this.#incarnations++}`
    const version = dice.chance(0.3) ? 0 : 2
    let identity = await this.#init(transactionalId, null)
    for (let n = 0; identity !== null && !this.#isOver && !dice.chance(0.1); n++) {
      const next = await this.#transaction(transactionalId, `${name}.${n}`, version, identity)
      if (next === 'crash') return
      // After an error a client goes on with the identity it has, or gives up.
      identity = next ?? (dice.chance(0.5) ? await this.#init(transactionalId, identity) : null)
      await clock.sleep(dice.below(10))
    }
  }

  /** Null when the producer is fenced or gives up. */
  async #init(transactionalId: string, expected: Identity | null): Promise<Identity | null> {
    const { coordinator, clock, dice } = this.#world
    for (let attempt = 0; attempt < 30; attempt++) {
      const request = { transactionalId, timeoutMs: TIMEOUT_MS, expected }
      const { errorCode, producerId, producerEpoch } = await coordinator.initProducerId(request)
      const isHeard = !dice.fails(0.1)
      if (errorCode === ErrorCode.NONE && isHeard) {
        this.reigns.push({ producerId, epoch: producerEpoch, atMs: clock.nowMs })
        return { producerId, producerEpoch }
      }
      if (errorCode !== ErrorCode.NONE && !RETRIABLE.has(errorCode)) return null
      await clock.sleep(5 + dice.below(20))
    }
    return null
  }

  /** Who the producer is afterwards; null after an error; 'crash' when it is gone. */
  async #transaction(
    transactionalId: string,
    name: string,
    version: number,
    identity: Identity,
  ): Promise<Identity | null | 'crash'> {
    const { dice, clock } = this.#world
    const tags: string[] = []
    const doubts = (): null => {
      this.told.push({ tags, outcome: 'unknown' })
      return null
    }
    for (let left = 1 + dice.below(4); left > 0; left--) {
      const tag = `${name}/${tags.length}`
      tags.push(tag)
      const errorCode = await this.#produce(transactionalId, tag, version, identity, dice.below(PARTITIONS))
      if (errorCode !== ErrorCode.NONE) return doubts()
      if (dice.fails(0.05)) await clock.sleep(dice.below(3 * TIMEOUT_MS))
      if (dice.fails(0.03)) {
        doubts()
        return 'crash'
      }
    }
    const isCommit = dice.chance(0.7)
    const { answer, errorCode } = await this.#end(transactionalId, version, identity, isCommit)
    if (answer === null) {
      // A repetition that comes too late is told that the other result stands; then it was never this one.
      const isOpposite = errorCode === ErrorCode.INVALID_TXN_STATE
      this.told.push({ tags, outcome: isOpposite && isCommit && version === 2 ? 'aborted' : 'unknown' })
      return null
    }
    this.told.push({ tags, outcome: isCommit ? 'committed' : 'aborted' })
    return version === 2 ? answer : identity
  }

  async #produce(
    transactionalId: string,
    tag: string,
    version: number,
    identity: Identity,
    partition: number,
  ): Promise<ErrorCode> {
    const { coordinator, partitions, clock, dice } = this.#world
    let errorCode: ErrorCode = ErrorCode.REQUEST_TIMED_OUT
    for (let attempt = 0; attempt < 20; attempt++) {
      if (version < 2) {
        const added = await coordinator.addPartitions({
          transactionalId,
          ...identity,
          partitions: [{ topic: TOPIC, partition }],
          clientVersion: 0,
        })
        if (added !== ErrorCode.NONE) {
          if (!RETRIABLE.has(added)) return added
          await clock.sleep(5 + dice.below(20))
          continue
        }
      }
      const request = { transactionalId, ...identity, tag, canAdd: version === 2 }
      errorCode = await partitions.produce(TOPIC, partition, request, coordinator)
      if (!RETRIABLE.has(errorCode)) return errorCode
      await clock.sleep(5 + dice.below(20))
    }
    return errorCode
  }

  async #end(
    transactionalId: string,
    clientVersion: number,
    identity: Identity,
    isCommit: boolean,
  ): Promise<{ answer: Identity | null; errorCode: ErrorCode }> {
    const { coordinator, clock, dice } = this.#world
    const request = { transactionalId, ...identity, isCommit, clientVersion }
    // A copy that the network keeps for a while. Before version 2 it could end the next transaction, in Kafka too (KIP-890).
    if (clientVersion === 2 && dice.fails(0.2))
      clock.after(dice.below(1000), () => void coordinator.endTransaction(request))
    let errorCode: ErrorCode = ErrorCode.REQUEST_TIMED_OUT
    for (let attempt = 0; attempt < 30; attempt++) {
      const result = await coordinator.endTransaction(request)
      errorCode = result.errorCode
      if (errorCode === ErrorCode.NONE && !dice.fails(0.15)) return { answer: result, errorCode }
      if (errorCode !== ErrorCode.NONE && !RETRIABLE.has(errorCode)) return { answer: null, errorCode }
      await clock.sleep(5 + dice.below(20))
    }
    return { answer: null, errorCode: ErrorCode.REQUEST_TIMED_OUT }
  }
}
