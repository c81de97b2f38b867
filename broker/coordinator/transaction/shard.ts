// One partition of `__transaction_state` as a machine: its state by the pure functions beside this file, its markers while the state is
// loaded, and those who wait for an end to be complete.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { MarkerWriter } from '../../replication/transactions.ts'
import type { Shard, ShardMachine } from '../shard.ts'
import { complete } from './end.ts'
import { MarkerSender } from './markers.ts'
import { verifyPartitions, type PartitionsRequest } from './partitions.ts'
import { createState, replay, type TransactionRecord, type TransactionsState } from './state.ts'
import { isPrepared, type Transaction } from './transaction.ts'

/** A partition with its journal, as it runs a TransactionShard. */
export type LoadedShard = Shard<TransactionsState, TransactionRecord, TransactionShard>

export type TransactionShardOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly coordinatorEpoch: number
  readonly writer: MarkerWriter
  readonly exists: (topic: string, partition: number) => boolean
}

const FIRST_BACKOFF_MS = 20
const MAX_BACKOFF_MS = 1000

export class TransactionShard implements ShardMachine<TransactionsState, TransactionRecord> {
  readonly #options: TransactionShardOptions
  #shard: Pick<LoadedShard, 'write'> | null = null
  /** Null while no state is loaded. */
  #sender: MarkerSender | null = null
  #state: TransactionsState | null = null
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(options: TransactionShardOptions) {
    this.#options = options
  }

  attach(shard: Pick<LoadedShard, 'write'>): void {
    this.#shard = shard
  }

  create(): TransactionsState {
    return createState()
  }

  /** Who waits for an end decides on the state as it is here; its answer waits until that is committed, as every answer does. */
  replay(state: TransactionsState, record: TransactionRecord): void {
    replay(state, record)
    if (!state.prepared.has(record.transactionalId)) this.#wake(record.transactionalId)
  }

  /** Prepared transactions of the last life get their markers, once more or for the first time. */
  onLoaded(state: TransactionsState): void {
    const { clock, log, writer, exists, coordinatorEpoch } = this.#options
    const sender = new MarkerSender({
      clock,
      log,
      writer,
      exists,
      coordinatorEpoch,
      onWritten: transaction => this.#complete(sender, transaction, FIRST_BACKOFF_MS),
    })
    this.#sender = sender
    this.#state = state
    for (const transactionalId of state.prepared) sender.send(state.transactions.get(transactionalId)!)
  }

  onCommitted(records: readonly TransactionRecord[]): void {
    // An end without partitions is complete in the same batch.
    const last = new Map<string, Transaction | null>()
    for (const { transactionalId, transaction } of records) last.set(transactionalId, transaction)
    for (const transaction of last.values()) {
      if (transaction !== null && isPrepared(transaction)) this.#sender?.send(transaction)
    }
  }

  onLost(): void {
    this.#sender?.stop()
    this.#sender = null
    this.#state = null
    for (const transactionalId of [...this.#waiting.keys()]) this.#wake(transactionalId)
  }

  /** Whether all partitions are in the producer's transaction, as of the newest state. */
  holds(request: PartitionsRequest): boolean {
    const state = this.#state
    return state !== null && verifyPartitions(state, request).every(errorCode => errorCode === ErrorCode.NONE)
  }

  /** Resolves when the id has no prepared transaction any more, the state is lost, or `timeoutMs` have passed. */
  completion(transactionalId: string, timeoutMs: number): Promise<void> {
    if (this.#state?.prepared.has(transactionalId) !== true) return Promise.resolve()
    return new Promise(resolve => {
      const timer: Timer = this.#options.clock.after(timeoutMs, () => wake())
      const wake = (): void => {
        timer.cancel()
        const waiting = this.#waiting.get(transactionalId)
        waiting?.delete(wake)
        if (waiting?.size === 0) this.#waiting.delete(transactionalId)
        resolve()
      }
      const waiting = this.#waiting.get(transactionalId)
      if (waiting === undefined) this.#waiting.set(transactionalId, new Set([wake]))
      else waiting.add(wake)
    })
  }

  #wake(transactionalId: string): void {
    for (const wake of [...(this.#waiting.get(transactionalId) ?? [])]) wake()
  }

  /** Writes that all markers of a transaction are there; tries again while the partition takes no records. */
  #complete(sender: MarkerSender, transaction: Transaction, backoffMs: number): void {
    const { clock, log } = this.#options
    if (this.#sender !== sender || this.#shard === null) return
    const again = (): void => {
      clock.after(backoffMs, () => this.#complete(sender, transaction, Math.min(2 * backoffMs, MAX_BACKOFF_MS)))
    }
    this.#shard
      .write((state, emit) => complete(state, transaction, clock.now(), emit))
      .then(
        answered => {
          if ('errorCode' in answered) again()
        },
        (error: unknown) => {
          log.error({ err: error, transactionalId: transaction.transactionalId }, 'Cannot complete a transaction')
          again()
        },
      )
  }
}
