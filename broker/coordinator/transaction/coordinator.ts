// The transaction coordinator (KIP-98, KIP-360, KIP-890): transactional ids in the partitions of `__transaction_state` that this broker
// leads. What requests lead to is decided by the pure functions beside this file; here decisions meet their partition, their producer
// ids and the time, and what is committed gets its markers. How an end survives a crash at any step:
//   1. EndTxn decides Prepare*. It is answered, and the first marker is written, only once that record is committed.
//   2. Markers go to the partitions. Whoever loads the record again sends all of them again; a second marker ends nothing.
//   3. When all are written, Complete* is. Only then may the producer begin anew, so no marker can hit its next transaction.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { BrokerConfig } from '../../config/broker-config.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { AdmissionRequest, TransactionGate } from '../../replication/transactions.ts'
import type { Answered } from '../shard.ts'
import { NEEDS_PRODUCER_ID, refusedIdentity, type Circumstances, type IdentityResult } from './decision.ts'
import { endTransaction, type EndRequest } from './end.ts'
import { abortTimedOut, forgetUnused, timedOut } from './expiry.ts'
import { initProducerId, type InitRequest } from './init-producer-id.ts'
import { listTransactions, type ListFilter, type ListedTransaction } from './list.ts'
import { addPartitions, verifyPartitions, type PartitionsRequest } from './partitions.ts'
import type { LoadedShard } from './shard.ts'
import type { TransactionShards } from './shards.ts'
import type { Emit, TransactionsState } from './state.ts'
import { TRANSACTIONS_V2, type Transaction } from './transaction.ts'

export type TransactionSettings = {
  readonly idExpirationMs: number
  readonly abortIntervalMs: number
  readonly forgetIntervalMs: number
  /** How long a partition that comes while the last end is being written waits for it. */
  readonly addRetryMaxMs: number
  readonly commitTimeoutMs: number
}

export function transactionSettings(config: BrokerConfig): TransactionSettings {
  return {
    idExpirationMs: config.transactionalIdExpirationMs,
    abortIntervalMs: config.transactionAbortIntervalMs,
    forgetIntervalMs: config.transactionForgetIntervalMs,
    addRetryMaxMs: config.addPartitionsToTxnRetryMaxMs,
    commitTimeoutMs: config.requestTimeoutMs,
  }
}

export type TransactionCoordinatorOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly settings: TransactionSettings
  /** The partitions that this broker leads. */
  readonly shards: Pick<TransactionShards, 'find' | 'all' | 'idle'>
  /** A producer id that nobody has had, or why there is none. */
  readonly nextProducerId: () => Promise<{ readonly producerId: number } | { readonly errorCode: ErrorCode }>
}

/** Ids that a sweep deals with at a time. */
const SWEEP_LIMIT = 100

export class TransactionCoordinator implements TransactionGate {
  readonly #options: TransactionCoordinatorOptions
  readonly #timers = new Map<string, Timer>()

  constructor(options: TransactionCoordinatorOptions) {
    this.#options = options
    const { abortIntervalMs, forgetIntervalMs } = options.settings
    this.#every('abort', abortIntervalMs, () => this.abortTimedOut())
    this.#every('forget', forgetIntervalMs, () => this.forgetUnused())
  }

  /** Resolves when no partition is being read from the log. */
  loaded(): Promise<void> {
    return this.#options.shards.idle()
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
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

  /**
   * AddPartitionsToTxn, AddOffsetsToTxn and leaders that add: one code for all partitions. While the end of the last transaction is being
   * written this waits for it, for a moment: a producer is told of an end before its markers are there, and would have to pause.
   */
  async addPartitions(request: PartitionsRequest & { readonly clientVersion: number }): Promise<ErrorCode> {
    const errorCode = await this.#addPartitions(request)
    if (errorCode !== ErrorCode.CONCURRENT_TRANSACTIONS) return errorCode
    const { shards, settings } = this.#options
    const shard = shards.find(request.transactionalId)
    if (typeof shard === 'number') return shard
    await shard.machine.completion(request.transactionalId, settings.addRetryMaxMs)
    return this.#addPartitions(request)
  }

  async #addPartitions(request: PartitionsRequest & { readonly clientVersion: number }): Promise<ErrorCode> {
    const answered = await this.#decide(request.transactionalId, (state, { nowMs }, emit) =>
      addPartitions(state, request, nowMs, emit),
    )
    return 'response' in answered ? answered.response : answered.errorCode
  }

  /** One code for each partition; nothing is added. */
  async verifyPartitions(request: PartitionsRequest): Promise<readonly ErrorCode[]> {
    const shard = this.#options.shards.find(request.transactionalId)
    const answered =
      typeof shard === 'number' ? { errorCode: shard } : await shard.read(state => verifyPartitions(state, request))
    if ('response' in answered) return answered.response
    const { errorCode } = answered
    return request.partitions.map(() => errorCode)
  }

  /** What leaders ask. */
  async admit({ canAdd, ...request }: AdmissionRequest): Promise<readonly ErrorCode[]> {
    if (!canAdd) return this.verifyPartitions(request)
    const errorCode = await this.addPartitions({ ...request, clientVersion: TRANSACTIONS_V2 })
    return request.partitions.map(() => errorCode)
  }

  /**
   * Whether all partitions are in the producer's transaction as of now, decided ends included: what an admission has said holds until
   * the caller's next wait, because no marker is written before its end is decided.
   */
  holds(request: PartitionsRequest): boolean {
    const shard = this.#options.shards.find(request.transactionalId)
    return typeof shard !== 'number' && shard.machine.holds(request)
  }

  /** What is known of an id; TRANSACTIONAL_ID_NOT_FOUND when nothing is. */
  async describe(transactionalId: string): Promise<Answered<Transaction>> {
    if (transactionalId === '') return { errorCode: ErrorCode.INVALID_REQUEST }
    const shard = this.#options.shards.find(transactionalId)
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
      [...this.#options.shards.all()].map(shard => shard.read(state => [...listTransactions(state, filter, nowMs)])),
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
    for (const shard of this.#options.shards.all()) {
      const late = await shard.read(state => timedOut(state, this.#options.clock.now()))
      if ('errorCode' in late) continue
      for (let from = 0; from < late.response.length; from += SWEEP_LIMIT) {
        const some = late.response.slice(from, from + SWEEP_LIMIT)
        await Promise.all(some.map(transaction => this.#abort(shard, transaction)))
      }
    }
  }

  async #abort(shard: LoadedShard, { transactionalId, producerId, producerEpoch }: Transaction): Promise<void> {
    const aborted = await this.#decideIn(shard, (state, circumstances, emit) =>
      abortTimedOut(state, transactionalId, circumstances, emit),
    )
    if (!('response' in aborted) || !aborted.response) return
    this.#options.log.info({ transactionalId, producerId, producerEpoch }, 'Aborted a transaction that took too long')
  }

  /** Forgets ids that nobody has used for long. */
  async forgetUnused(): Promise<void> {
    const { clock, settings } = this.#options
    for (const shard of this.#options.shards.all()) {
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
    const shard = this.#options.shards.find(transactionalId)
    return typeof shard === 'number' ? Promise.resolve({ errorCode: shard }) : this.#decideIn(shard, decision)
  }

  async #decideIn<T>(
    shard: LoadedShard,
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
