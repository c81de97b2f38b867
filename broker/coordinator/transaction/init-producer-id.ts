// InitProducerId for a transactional id, decided: a producer starts, or goes on after an error (KIP-360), and everybody who had the id
// before it is fenced by a higher epoch. Kafka's TransactionCoordinator.handleInitProducerId, with one difference: while a transaction is
// ongoing, a producer that names an epoch which is not the current one is fenced, where Kafka lets it abort what its successor does.
import { ErrorCode } from '../../protocol/errors.ts'
import { NEEDS_PRODUCER_ID, refusedIdentity, type Circumstances, type IdentityResult } from './decision.ts'
import { fence } from './end.ts'
import { emitTransaction, type Emit, type TransactionsState } from './state.ts'
import {
  identityAfter,
  isExhausted,
  isPrepared,
  newTransaction,
  unchangedFor,
  withNextEpoch,
  withProducerId,
  type Identity,
  type Transaction,
} from './transaction.ts'

export type InitRequest = {
  readonly transactionalId: string
  readonly timeoutMs: number
  /** Who the producer was; null when it just starts. */
  readonly expected: Identity | null
}

export function initProducerId(
  state: TransactionsState,
  { transactionalId, timeoutMs, expected }: InitRequest,
  { nowMs, freshProducerId }: Circumstances,
  emit: Emit,
): IdentityResult | typeof NEEDS_PRODUCER_ID {
  if (transactionalId === '') return refusedIdentity(ErrorCode.INVALID_REQUEST)
  const known = state.transactions.get(transactionalId)
  if (known === undefined) {
    if (freshProducerId === null) return NEEDS_PRODUCER_ID
    return accept(newTransaction(transactionalId, freshProducerId, timeoutMs, nowMs), emit)
  }
  if (expected !== null && !mayBe(expected, known)) return refusedIdentity(ErrorCode.PRODUCER_FENCED)
  if (isPrepared(known)) return refusedIdentity(ErrorCode.CONCURRENT_TRANSACTIONS)
  if (known.state === 'Ongoing') {
    if (expected !== null && expected.producerEpoch !== known.producerEpoch) {
      return refusedIdentity(ErrorCode.PRODUCER_FENCED)
    }
    // The epoch of the fence is given to nobody: the producer asks again and gets the one after it.
    const isFenced = fence(known, { nowMs, freshProducerId }, emit) !== NEEDS_PRODUCER_ID
    return isFenced ? refusedIdentity(ErrorCode.CONCURRENT_TRANSACTIONS) : NEEDS_PRODUCER_ID
  }
  const isCurrent = expected === null || expected.producerEpoch === known.producerEpoch
  if (isCurrent && isExhausted(known.producerEpoch)) {
    if (freshProducerId === null) return NEEDS_PRODUCER_ID
    return accept(withProducerId(known, freshProducerId, timeoutMs, expected !== null, nowMs), emit)
  }
  if (isCurrent) return accept(withNextEpoch(known, timeoutMs, expected !== null, nowMs), emit)
  // Nobody else can have this epoch: a producer that just starts sets the last one to -1.
  if (expected.producerEpoch === known.lastProducerEpoch) return accept(unchangedFor(known, timeoutMs, nowMs), emit)
  return refusedIdentity(ErrorCode.PRODUCER_FENCED)
}

/** Whether a producer with this id can be the one we know; its epoch is another matter. */
function mayBe(expected: Identity, known: Transaction): boolean {
  return (
    expected.producerId === known.producerId ||
    expected.producerId === identityAfter(known).producerId ||
    // It may not have heard that it goes on with another id.
    (expected.producerId === known.previousProducerId && isExhausted(expected.producerEpoch))
  )
}

function accept(transaction: Transaction, emit: Emit): IdentityResult {
  emitTransaction(emit, transaction)
  const { producerId, producerEpoch } = transaction
  return { errorCode: ErrorCode.NONE, producerId, producerEpoch }
}
