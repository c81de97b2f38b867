// Partitions as the coordinator's counterpart: what a leader does with transactional batches and with markers, and nothing else of one.
// They take their time, refuse now and then, and remember everything, so that the invariants can be checked at the end.
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { EndTransaction, MarkerWriter, TransactionGate } from '../../../broker/replication/transactions.ts'
import type { Dice } from '../dice.ts'
import type { VirtualClock } from './virtual-clock.ts'

export type Written =
  | {
      readonly kind: 'data'
      readonly producerId: number
      readonly epoch: number
      readonly tag: string
      readonly atMs: number
    }
  | {
      readonly kind: 'marker'
      readonly producerId: number
      readonly epoch: number
      readonly isCommit: boolean
      readonly coordinatorEpoch: number
      /** Whether it ended something. */
      readonly ended: boolean
    }

type Known = { epoch: number; isOpen: boolean; coordinatorEpoch: number; markers: number }

export type ProduceRequest = {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
  readonly tag: string
  readonly canAdd: boolean
}

export class SimulatedPartition {
  readonly log: Written[] = []
  readonly #known = new Map<number, Known>()

  known(producerId: number): Known {
    let known = this.#known.get(producerId)
    if (known === undefined) {
      known = { epoch: -1, isOpen: false, coordinatorEpoch: -1, markers: 0 }
      this.#known.set(producerId, known)
    }
    return known
  }

  get openProducers(): number[] {
    return [...this.#known].filter(([, { isOpen }]) => isOpen).map(([producerId]) => producerId)
  }

  append({ producerId, producerEpoch, tag }: ProduceRequest, atMs: number): void {
    const known = this.known(producerId)
    known.epoch = producerEpoch
    known.isOpen = true
    this.log.push({ kind: 'data', producerId, epoch: producerEpoch, tag, atMs })
  }

  mark(end: EndTransaction): ErrorCode {
    const known = this.known(end.producerId)
    if (end.producerEpoch < known.epoch) return ErrorCode.INVALID_PRODUCER_EPOCH
    if (end.coordinatorEpoch < known.coordinatorEpoch) return ErrorCode.TRANSACTION_COORDINATOR_FENCED
    const { producerId, producerEpoch: epoch, isCommit, coordinatorEpoch } = end
    this.log.push({ kind: 'marker', producerId, epoch, isCommit, coordinatorEpoch, ended: known.isOpen })
    known.epoch = epoch
    known.isOpen = false
    known.coordinatorEpoch = coordinatorEpoch
    known.markers++
    return ErrorCode.NONE
  }
}

export class SimulatedPartitions implements MarkerWriter {
  readonly #partitions = new Map<string, SimulatedPartition>()
  readonly #clock: VirtualClock
  readonly #dice: Dice

  constructor(clock: VirtualClock, dice: Dice, names: readonly string[]) {
    this.#clock = clock
    this.#dice = dice
    for (const name of names) this.#partitions.set(name, new SimulatedPartition())
  }

  get(name: string): SimulatedPartition {
    return this.#partitions.get(name)!
  }

  entries(): Iterable<[string, SimulatedPartition]> {
    return this.#partitions
  }

  async write(topic: string, partition: number, end: EndTransaction): Promise<ErrorCode> {
    const dice = this.#dice
    await this.#clock.sleep(dice.below(4))
    if (dice.fails(0.2)) return dice.of([ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.KAFKA_STORAGE_ERROR])
    const errorCode = this.get(`${topic}-${partition}`).mark(end)
    await this.#clock.sleep(dice.below(4))
    // Written, and the answer is lost: it will be written again.
    return errorCode === ErrorCode.NONE && dice.fails(0.1) ? ErrorCode.REQUEST_TIMED_OUT : errorCode
  }

  /** As a leader: the first batch of a transaction is admitted by the coordinator, unless a marker comes between. */
  async produce(topic: string, index: number, request: ProduceRequest, gate: TransactionGate): Promise<ErrorCode> {
    const { transactionalId, producerId, producerEpoch, canAdd } = request
    const partition = this.get(`${topic}-${index}`)
    const known = partition.known(producerId)
    if (producerEpoch < known.epoch) return ErrorCode.INVALID_PRODUCER_EPOCH
    // Open in an earlier epoch is another transaction, whose marker is on its way.
    if (!known.isOpen || known.epoch !== producerEpoch) {
      const { markers } = known
      const partitions = [{ topic, partition: index }]
      const [errorCode] = await gate.admit({ transactionalId, producerId, producerEpoch, partitions, canAdd })
      if (errorCode !== ErrorCode.NONE) return errorCode!
      if (known.markers !== markers) return ErrorCode.NOT_ENOUGH_REPLICAS
      if (producerEpoch < known.epoch) return ErrorCode.INVALID_PRODUCER_EPOCH
    }
    partition.append(request, this.#clock.nowMs)
    return ErrorCode.NONE
  }
}
