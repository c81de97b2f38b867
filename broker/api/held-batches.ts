// The batches of one Produce request that cannot be appended at once: each may be the first of its producer's transaction in its partition, so
// the transaction coordinator is asked whether the partition belongs there (KIP-890; Kafka's ReplicaManager.handleProduceAppend). Later
// batches of the producer wait behind them (replication/admissions.ts). One question for all partitions of the request.
import { ErrorCode } from '../protocol/errors.ts'
import { baseSequence, producerEpoch, producerId } from '../records/batch.ts'
import type { Turn } from '../replication/admissions.ts'
import type { Leader } from '../replication/leader.ts'
import {
  produceRefusal,
  type Refusal,
  type TransactionGate,
  type TransactionOperation,
} from '../replication/transactions.ts'

export type HeldBatch = {
  readonly topic: string
  readonly partition: number
  readonly leader: Leader
  readonly records: Buffer
  /** Appends it; null when there is nothing to wait for. */
  append(): Promise<void> | null
  refuse(refusal: Refusal): void
}

type Waiting = HeldBatch & {
  readonly turn: Turn
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** Whether the batch has to wait: its producer has no open transaction here, or earlier batches of it are waiting. */
export function mustWait({ admissions, log }: Leader, records: Buffer): boolean {
  const id = producerId(records, 0)
  if (id < 0) return false
  return admissions.isWaiting(id) || needsAdmission(log.producers, id, producerEpoch(records, 0))
}

function needsAdmission(producers: Leader['log']['producers'], id: number, epoch: number): boolean {
  const entry = producers.get(id)
  // An old epoch is refused by the log: nobody has to be asked.
  if (entry !== undefined && epoch < entry.producerEpoch) return false
  return !producers.hasOpenTransaction(id, epoch)
}

export class HeldBatches {
  readonly #gate: TransactionGate
  readonly #transactionalId: string
  readonly #operation: TransactionOperation
  readonly #waiting: Waiting[] = []
  readonly #turns = new Map<Leader, Turn>()

  constructor(gate: TransactionGate, transactionalId: string, operation: TransactionOperation) {
    this.#gate = gate
    this.#transactionalId = transactionalId
    this.#operation = operation
  }

  /** Takes the batch's place in the queue of its producer, so that nothing overtakes it. */
  add(batch: HeldBatch): void {
    const id = producerId(batch.records, 0)
    // A partition that is named twice has one place, or its second batch would wait for the first for ever.
    const turn = this.#turns.get(batch.leader) ?? batch.leader.admissions.enter(id)
    this.#turns.set(batch.leader, turn)
    this.#waiting.push({
      ...batch,
      turn,
      producerId: id,
      producerEpoch: producerEpoch(batch.records, 0),
      baseSequence: baseSequence(batch.records, 0),
    })
  }

  /** Resolves when every batch was refused, or appended and is stored as its request asks. */
  async run(): Promise<void> {
    const stages: Promise<void>[] = []
    try {
      // Only behind those that came before it is known what these need. They were added earlier, so nobody waits in a circle.
      for (const { previous } of this.#turns.values()) await previous
      const asked: Waiting[] = []
      for (const batch of this.#waiting) {
        if (needsAdmission(batch.leader.log.producers, batch.producerId, batch.producerEpoch)) asked.push(batch)
        else this.#append(batch, stages)
      }
      if (asked.length > 0) {
        const answers = await this.#ask(asked)
        for (const [at, batch] of asked.entries()) {
          const refusal = this.#refusal(batch, answers[at]!)
          if (refusal === null) this.#append(batch, stages)
          else batch.refuse(refusal)
        }
      }
    } finally {
      for (const [leader, turn] of this.#turns) leader.admissions.leave(turn)
    }
    await Promise.all(stages)
  }

  #ask(asked: readonly Waiting[]): Promise<readonly ErrorCode[]> {
    for (const { leader, turn, producerEpoch: epoch, baseSequence: sequence } of asked)
      leader.admissions.ask(turn, epoch, sequence)
    const { producerId: id, producerEpoch: epoch } = asked[0]!
    return this.#gate.admit({
      transactionalId: this.#transactionalId,
      producerId: id,
      producerEpoch: epoch,
      partitions: asked.map(({ topic, partition }) => ({ topic, partition })),
      canAdd: this.#operation === 'add',
    })
  }

  #refusal(batch: Waiting, answer: ErrorCode): Refusal | null {
    if (answer !== ErrorCode.NONE) return produceRefusal(answer, this.#operation)
    const { leader, turn, producerId: id, producerEpoch: epoch, baseSequence: sequence } = batch
    // The transaction that was asked about has ended in the meantime: a batch behind its marker would hang for ever.
    if (turn.isVoid)
      return { errorCode: ErrorCode.INVALID_TXN_STATE, message: 'Record was not part of an ongoing transaction' }
    const isFirstEver = this.#operation === 'add' && leader.log.producers.get(id) === undefined
    if (!leader.admissions.isOutOfOrder(id, epoch, sequence) && !(isFirstEver && sequence !== 0)) return null
    return {
      errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      message: `Out of order sequence number for producer ${id}: ${sequence} (incoming seq. number); an earlier one is missing`,
    }
  }

  #append(batch: Waiting, stages: Promise<void>[]): void {
    const { leader, producerId: id, producerEpoch: epoch } = batch
    const stage = batch.append()
    if (leader.log.producers.hasOpenTransaction(id, epoch)) leader.admissions.onAppended(id)
    if (stage === null) return
    // It may fail while the coordinator is still being asked; `run` hears of it afterwards.
    stage.catch(() => {})
    stages.push(stage)
  }
}
