// What the coordinator does by itself as time goes by, decided: it aborts transactions that take longer than their producer has said, and
// forgets transactional ids that nobody uses (KIP-98). Kafka's TransactionStateManager looks every
// transaction.abort.timed.out.transaction.cleanup.interval.ms and transaction.remove.expired.transaction.cleanup.interval.ms.
import { fence } from './end.ts'
import { NEEDS_PRODUCER_ID, type Circumstances } from './decision.ts'
import type { Emit, TransactionsState } from './state.ts'
import { isIdle, type Transaction } from './transaction.ts'

/** Two-phase commit (KIP-939) has no time-out; this is how Kafka writes it. */
const NO_TIMEOUT_MS = 2 ** 31 - 1

/** Those that have taken too long. */
export function timedOut(state: TransactionsState, nowMs: number): readonly Transaction[] {
  const late: Transaction[] = []
  for (const transactionalId of state.ongoing) {
    const transaction = state.transactions.get(transactionalId)!
    if (isLate(transaction, nowMs)) late.push(transaction)
  }
  return late
}

function isLate({ state, timeoutMs, startTimeMs }: Transaction, nowMs: number): boolean {
  return state === 'Ongoing' && timeoutMs !== NO_TIMEOUT_MS && startTimeMs + timeoutMs < nowMs
}

/** Aborts a transaction and fences its producer, if it is late still. */
export function abortTimedOut(
  state: TransactionsState,
  transactionalId: string,
  circumstances: Circumstances,
  emit: Emit,
): boolean | typeof NEEDS_PRODUCER_ID {
  const known = state.transactions.get(transactionalId)
  if (known === undefined || !isLate(known, circumstances.nowMs)) return false
  return fence(known, circumstances, emit) === NEEDS_PRODUCER_ID ? NEEDS_PRODUCER_ID : true
}

/** Forgets ids without an open transaction that were last used `expirationMs` ago or longer, at most `limit`; returns how many. */
export function forgetUnused(
  state: TransactionsState,
  nowMs: number,
  expirationMs: number,
  limit: number,
  emit: Emit,
): number {
  const unused: string[] = []
  for (const transaction of state.transactions.values()) {
    if (unused.length >= limit) break
    if (isIdle(transaction) && transaction.updateTimeMs + expirationMs <= nowMs)
      unused.push(transaction.transactionalId)
  }
  for (const transactionalId of unused) emit({ transactionalId, transaction: null })
  return unused.length
}
