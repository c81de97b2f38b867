// The transactional ids of one partition of `__transaction_state`, rebuilt from its records. A record is all that is known of one id, so
// replaying it replaces what was known before; see transaction.ts for what the values mean and codec.ts for their bytes.
import { isPrepared, type Transaction } from './transaction.ts'

/** Null forgets the id. */
export type TransactionRecord = { readonly transactionalId: string; readonly transaction: Transaction | null }

export type TransactionsState = {
  readonly transactions: Map<string, Transaction>
  /** Ids whose transaction is ongoing, the one that began first at the front: what may time out. */
  readonly ongoing: Set<string>
  /** Ids whose end is decided and not complete: what markers are written for. */
  readonly prepared: Set<string>
}

export type Emit = (record: TransactionRecord) => void

export function createState(): TransactionsState {
  return { transactions: new Map(), ongoing: new Set(), prepared: new Set() }
}

export function replay(state: TransactionsState, { transactionalId, transaction }: TransactionRecord): void {
  if (transaction === null) state.transactions.delete(transactionalId)
  else state.transactions.set(transactionalId, transaction)
  keep(state.ongoing, transactionalId, transaction?.state === 'Ongoing')
  keep(state.prepared, transactionalId, transaction !== null && isPrepared(transaction))
}

function keep(ids: Set<string>, transactionalId: string, isMember: boolean): void {
  if (isMember) ids.add(transactionalId)
  else ids.delete(transactionalId)
}

export function emitTransaction(emit: Emit, transaction: Transaction): void {
  emit({ transactionalId: transaction.transactionalId, transaction })
}
