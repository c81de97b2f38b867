// What tools ask about transactions, answered from the state: DescribeTransactions and ListTransactions (KIP-664, KIP-994, KIP-1152).
import { transactionStates, type Transaction, type TransactionState } from './transaction.ts'
import type { TransactionsState } from './state.ts'

export type ListFilter = {
  /** Empty = all. */
  readonly states: ReadonlySet<string>
  /** Empty = all. */
  readonly producerIds: ReadonlySet<number>
  /** Only those that began longer ago than this; -1 = all. */
  readonly durationMs: number
  /** Whether an id is wanted; null = all are. */
  readonly matches: ((transactionalId: string) => boolean) | null
}

export type ListedTransaction = {
  readonly transactionalId: string
  readonly producerId: number
  readonly transactionState: TransactionState
}

const known: ReadonlySet<string> = new Set(transactionStates)

/** States that there are none of, for the answer's list of them. */
export function unknownStates(states: readonly string[]): string[] {
  return states.filter(state => !known.has(state))
}

/** As Kafka's TransactionStateManager.listTransactionStates: an id without a transaction began at -1, long ago. */
export function* listTransactions(
  state: TransactionsState,
  filter: ListFilter,
  nowMs: number,
): Generator<ListedTransaction> {
  for (const transaction of state.transactions.values()) {
    if (!isWanted(transaction, filter, nowMs)) continue
    const { transactionalId, producerId } = transaction
    yield { transactionalId, producerId, transactionState: transaction.state }
  }
}

function isWanted(transaction: Transaction, filter: ListFilter, nowMs: number): boolean {
  const { states, producerIds, durationMs, matches } = filter
  if (states.size > 0 && !states.has(transaction.state)) return false
  if (producerIds.size > 0 && !producerIds.has(transaction.producerId)) return false
  if (durationMs >= 0 && nowMs - transaction.startTimeMs <= durationMs) return false
  return matches === null || matches(transaction.transactionalId)
}
