// Writes the markers that end prepared transactions, one to each of their partitions, until every one is in its log: a partition that
// refuses is asked again, one that is deleted needs no marker. How many are in flight is bounded by the partitions of prepared
// transactions, which are in memory anyway. Kafka's TransactionMarkerChannelManager. Not here: what a marker does to a partition
// (replication/transaction-markers.ts), and when a transaction is prepared (end.ts).
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { ErrorCode, errorName } from '../../protocol/errors.ts'
import type { EndTransaction, MarkerWriter } from '../../replication/transactions.ts'
import type { Transaction } from './transaction.ts'

export type MarkerSenderOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly writer: MarkerWriter
  /** Whether the partition is in the metadata. */
  readonly exists: (topic: string, partition: number) => boolean
  /** Goes into the markers, so that a coordinator that has been succeeded is refused. */
  readonly coordinatorEpoch: number
  /** Every partition of the transaction has its marker. */
  readonly onWritten: (transaction: Transaction) => void
}

const FIRST_BACKOFF_MS = 20
const MAX_BACKOFF_MS = 1000

type Outcome = 'written' | 'again' | 'succeeded'

export class MarkerSender {
  readonly #options: MarkerSenderOptions
  /** Transactions whose markers are on their way. */
  readonly #sending = new Set<Transaction>()
  readonly #pauses = new Map<Timer, () => void>()
  #isStopped = false

  constructor(options: MarkerSenderOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#sending.size
  }

  /** Begins to write the markers of a transaction whose end is committed. */
  send(transaction: Transaction): void {
    const { log } = this.#options
    this.#sending.add(transaction)
    void this.#writeAll(transaction)
      .catch((error: unknown) => {
        log.error({ err: error, transactionalId: transaction.transactionalId }, 'The markers of a transaction failed')
        return false
      })
      .then(isWritten => {
        this.#sending.delete(transaction)
        if (isWritten && !this.#isStopped) this.#options.onWritten(transaction)
      })
  }

  /** This broker does not coordinate these transactions any more; their next coordinator writes what is missing. */
  stop(): void {
    this.#isStopped = true
    for (const [timer, resume] of this.#pauses) {
      timer.cancel()
      resume()
    }
    this.#pauses.clear()
  }

  async #writeAll(transaction: Transaction): Promise<boolean> {
    const { producerId, producerEpoch, clientVersion, state } = transaction
    const end: EndTransaction = {
      producerId,
      producerEpoch,
      coordinatorEpoch: this.#options.coordinatorEpoch,
      isCommit: state === 'PrepareCommit',
      transactionVersion: clientVersion,
    }
    const writes: Promise<boolean>[] = []
    for (const [topic, partitions] of transaction.partitions) {
      for (const partition of partitions) writes.push(this.#write(topic, partition, end))
    }
    return (await Promise.all(writes)).every(isWritten => isWritten)
  }

  /** False when it is not for this coordinator to write any more. */
  async #write(topic: string, partition: number, end: EndTransaction): Promise<boolean> {
    const { writer, exists } = this.#options
    for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS)) {
      if (this.#isStopped) return false
      if (!exists(topic, partition)) return true
      const outcome = this.#judge(topic, partition, end, await writer.write(topic, partition, end))
      if (outcome !== 'again') return outcome === 'written'
      await this.#pause(backoffMs)
    }
  }

  #judge(topic: string, partition: number, end: EndTransaction, errorCode: ErrorCode): Outcome {
    if (errorCode === ErrorCode.NONE) return 'written'
    const { log } = this.#options
    const fields = { topic, partition, ...end, error: errorName(errorCode) }
    switch (errorCode) {
      case ErrorCode.INVALID_PRODUCER_EPOCH:
        // The partition has seen a higher epoch, which the producer gets only after this transaction has ended there: nothing is open.
        log.warn(fields, 'A partition needs no marker: its producer is in a later epoch')
        return 'written'
      case ErrorCode.TRANSACTION_COORDINATOR_FENCED:
        log.warn(fields, 'A partition has a marker of a later coordinator: leaving the transaction to it')
        return 'succeeded'
      default:
        log.debug(fields, 'A partition has refused a marker: it will be asked again')
        return 'again'
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#options.clock.after(delayMs, () => {
        this.#pauses.delete(timer)
        resolve()
      })
      this.#pauses.set(timer, resolve)
    })
  }
}
