// The transaction coordinator (KIP-98, KIP-360, KIP-890): transactional ids in the partitions of `__transaction_state` that this broker
// leads. What requests lead to is decided by the pure functions beside this file; here decisions meet their partition, their producer
// ids and the time, and what is committed gets its markers. How an end survives a crash at any step:
//   1. EndTxn decides Prepare*. It is answered, and the first marker is written, only once that record is committed.
//   2. Markers go to the partitions. Whoever loads the record again sends all of them again; a second marker ends nothing.
//   3. When all are written, Complete* is. Only then may the producer begin anew, so no marker can hit its next transaction.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Uuid } from '../../base/uuid.ts'
import type { MetadataDelta } from '../../metadata/controller.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { Leader } from '../../replication/leader.ts'
import type { AdmissionRequest, MarkerWriter, TransactionGate } from '../../replication/transactions.ts'
import type { Answered, Shard } from '../shard.ts'
import { Shards } from '../shards.ts'
import { transactionCodec } from './codec.ts'
import { NEEDS_PRODUCER_ID, refusedIdentity, type Circumstances, type IdentityResult } from './decision.ts'
import { endTransaction, type EndRequest } from './end.ts'
import { abortTimedOut, forgetUnused, timedOut } from './expiry.ts'
import { initProducerId, type InitRequest } from './init-producer-id.ts'
import { listTransactions, type ListFilter, type ListedTransaction } from './list.ts'
import { addPartitions, verifyPartitions, type PartitionsRequest } from './partitions.ts'
import { TransactionShard } from './shard.ts'
import type { Emit, TransactionRecord, TransactionsState } from './state.ts'
import { TRANSACTIONS_V2, type Transaction } from './transaction.ts'

export type TransactionSettings = {
  readonly maxTimeoutMs: number
  readonly idExpirationMs: number
  readonly abortIntervalMs: number
  readonly forgetIntervalMs: number
  /** How long a partition that comes while the last end is being written waits for it. */
  readonly addRetryMaxMs: number
  readonly commitTimeoutMs: number
}

export type TransactionCoordinatorOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly brokerId: number
  readonly settings: TransactionSettings
  /** `replicas.leader`. */
  readonly leader: (topicId: Uuid, partition: number) => Leader | ErrorCode
  readonly writer: MarkerWriter
  /** A producer id that nobody has had, or why there is none. */
  readonly nextProducerId: () => Promise<{ readonly producerId: number } | { readonly errorCode: ErrorCode }>
}

/** Ids that a sweep deals with at a time. */
const SWEEP_LIMIT = 100

type TransactionsShard = Shard<TransactionsState, TransactionRecord>

export class TransactionCoordinator implements TransactionGate {
  readonly shards: Shards<TransactionsState, TransactionRecord>
  readonly #options: TransactionCoordinatorOptions
  readonly #machines = new Map<number, TransactionShard>()
  readonly #timers = new Map<string, Timer>()
  #image: MetadataImage | null = null

  constructor(options: TransactionCoordinatorOptions) {
    this.#options = options
    const { clock, log, brokerId, leader, settings, writer } = options
    this.shards = new Shards({
      clock,
      log,
      brokerId,
      topicName: '__transaction_state',
      leader,
      codec: transactionCodec,
      commitTimeoutMs: settings.commitTimeoutMs,
      machine: (partition, coordinatorEpoch) => {
        const machine = new TransactionShard({
          clock,
          log,
          coordinatorEpoch,
          writer,
          exists: (topic, index) => this.#image?.topics.get(topic)?.partitions[index] !== undefined,
          shard: () => this.shards.at(partition),
        })
        this.#machines.set(partition, machine)
        return machine
      },
    })
    this.#every('abort', settings.abortIntervalMs, () => this.abortTimedOut())
    this.#every('forget', settings.forgetIntervalMs, () => this.forgetUnused())
  }

  /** The publisher's subscriber, after the replicas. */
  readonly apply = (delta: MetadataDelta, image: MetadataImage): void => {
    this.#image = image
    this.shards.apply(delta, image)
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    this.shards.close()
  }

  /** InitProducerId for a transactional id; the time-out is checked by the caller. */
  async initProducerId(request: InitRequest): Promise<IdentityResult> {
    const answered = await this.#decide(request.transactionalId, (state, circumstances, emit) =>
      initProducerId(state, request, circumstances, emit),
    )
    return 'response' in answered ? answered.response : refusedIdentity(answered.errorCode)
  }

  /** EndTxn. */
  async endTransaction(request: EndRequest): Promise<IdentityResult> {
    const answered = await this.#decide(request.transactionalId, (state, circumstances, emit) =>
      endTransaction(state, request, circumstances, emit),
    )
    return 'response' in answered ? answered.response : refusedIdentity(answered.errorCode)
  }

  /** AddPartitionsToTxn and AddOffsetsToTxn: one code for all partitions. */
  async addPartitions(request: PartitionsRequest & { readonly clientVersion: number }): Promise<ErrorCode> {
    const answered = await this.#decide(request.transactionalId, (state, { nowMs }, emit) =>
      addPartitions(state, request, nowMs, emit),
    )
    return 'response' in answered ? answered.response : answered.errorCode
  }

  /** One code for each partition; nothing is added. */
  async verifyPartitions(request: PartitionsRequest): Promise<readonly ErrorCode[]> {
    const shard = this.shards.find(request.transactionalId)
    const answered =
      typeof shard === 'number' ? { errorCode: shard } : await shard.read(state => verifyPartitions(state, request))
    if ('response' in answered) return answered.response
    const { errorCode } = answered
    return request.partitions.map(() => errorCode)
  }

  /**
   * What leaders ask. A partition that is to be added while the end of the last transaction is being written waits for that, for a
   * moment: clients of version 2 are told of an end before its markers are there (Kafka's leaders ask again every few milliseconds).
   */
  async admit({ canAdd, ...request }: AdmissionRequest): Promise<readonly ErrorCode[]> {
    if (!canAdd) return this.verifyPartitions(request)
    const adding = { ...request, clientVersion: TRANSACTIONS_V2 }
    let errorCode = await this.addPartitions(adding)
    if (errorCode === ErrorCode.CONCURRENT_TRANSACTIONS) {
      const machine = this.#machines.get(this.shards.partitionOf(request.transactionalId))
      await machine?.completion(request.transactionalId, this.#options.settings.addRetryMaxMs)
      errorCode = await this.addPartitions(adding)
    }
    return request.partitions.map(() => errorCode)
  }

  /** What is known of an id; TRANSACTIONAL_ID_NOT_FOUND when nothing is. */
  async describe(transactionalId: string): Promise<Answered<Transaction>> {
    if (transactionalId === '') return { errorCode: ErrorCode.INVALID_REQUEST }
    const shard = this.shards.find(transactionalId)
    if (typeof shard === 'number') return { errorCode: shard }
    const answered = await shard.read(state => state.transactions.get(transactionalId))
    if ('errorCode' in answered) return answered
    const { response } = answered
    return response === undefined ? { errorCode: ErrorCode.TRANSACTIONAL_ID_NOT_FOUND } : { response }
  }

  /** The ids that this broker coordinates; COORDINATOR_LOAD_IN_PROGRESS while some of them are being loaded. */
  async list(filter: ListFilter): Promise<Answered<readonly ListedTransaction[]>> {
    const nowMs = this.#options.clock.now()
    const lists = await Promise.all(
      [...this.shards.all()].map(shard => shard.read(state => [...listTransactions(state, filter, nowMs)])),
    )
    const listed: ListedTransaction[] = []
    for (const answered of lists) {
      if ('errorCode' in answered) return answered
      for (const transaction of answered.response) listed.push(transaction)
    }
    return { response: listed }
  }

  /** Aborts every transaction that takes longer than its producer has said. */
  async abortTimedOut(): Promise<void> {
    for (const shard of this.shards.all()) {
      const late = await shard.read(state => timedOut(state, this.#options.clock.now()))
      if ('errorCode' in late) continue
      for (let from = 0; from < late.response.length; from += SWEEP_LIMIT) {
        const some = late.response.slice(from, from + SWEEP_LIMIT)
        await Promise.all(some.map(transaction => this.#abort(shard, transaction)))
      }
    }
  }

  async #abort(shard: TransactionsShard, { transactionalId, producerId, producerEpoch }: Transaction): Promise<void> {
    const aborted = await this.#decideIn(shard, (state, circumstances, emit) =>
      abortTimedOut(state, transactionalId, circumstances, emit),
    )
    if (!('response' in aborted) || !aborted.response) return
    this.#options.log.info({ transactionalId, producerId, producerEpoch }, 'Aborted a transaction that took too long')
  }

  /** Forgets ids that nobody has used for long. */
  async forgetUnused(): Promise<void> {
    const { clock, settings } = this.#options
    for (const shard of this.shards.all()) {
      for (let isMore = true; isMore;) {
        const forgotten = await shard.write((state, emit) =>
          forgetUnused(state, clock.now(), settings.idExpirationMs, SWEEP_LIMIT, emit),
        )
        isMore = 'response' in forgotten && forgotten.response === SWEEP_LIMIT
      }
    }
  }

  #decide<T>(
    transactionalId: string,
    decision: (state: TransactionsState, circumstances: Circumstances, emit: Emit) => T,
  ): Promise<Answered<Exclude<T, typeof NEEDS_PRODUCER_ID>>> {
    const shard = this.shards.find(transactionalId)
    return typeof shard === 'number' ? Promise.resolve({ errorCode: shard }) : this.#decideIn(shard, decision)
  }

  async #decideIn<T>(
    shard: TransactionsShard,
    decision: (state: TransactionsState, circumstances: Circumstances, emit: Emit) => T,
  ): Promise<Answered<Exclude<T, typeof NEEDS_PRODUCER_ID>>> {
    const { clock, nextProducerId } = this.#options
    for (let freshProducerId: number | null = null; ;) {
      const circumstances: Circumstances = { nowMs: clock.now(), freshProducerId }
      const answered = await shard.write((state, emit) => decision(state, circumstances, emit))
      if ('errorCode' in answered) return answered
      const { response } = answered
      if (response !== NEEDS_PRODUCER_ID) return { response: response as Exclude<T, typeof NEEDS_PRODUCER_ID> }
      const given = await nextProducerId()
      if ('errorCode' in given) return { errorCode: given.errorCode }
      freshProducerId = given.producerId
    }
  }

  /** One sweep at a time; the next one is due `intervalMs` after the end of this one. */
  #every(name: string, intervalMs: number, sweep: () => Promise<void>): void {
    const { clock, log } = this.#options
    const arm = (): void => {
      this.#timers.set(
        name,
        clock.after(intervalMs, () => void run()),
      )
    }
    const run = async (): Promise<void> => {
      await sweep().catch((error: unknown) => log.error({ err: error }, `A sweep over transactions failed: ${name}`))
      if (this.#timers.has(name)) arm()
    }
    arm()
  }
}
