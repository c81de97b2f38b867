// The end of a transaction, decided: by its producer (EndTxn), by the coordinator (a time-out, a producer that starts over), and once all
// markers are written. Kafka's TransactionCoordinator.endTransaction and endTransactionWithTV1. What each request is answered, by state:
//
//                     version 0 and 1              version 2 (KIP-890)
//                     commit       abort           commit  repeated     abort   repeated      ("repeated": the epoch before the bump)
//   Ongoing           ends         ends            ends    fenced       ends    fenced
//   Empty             INVALID      INVALID         INVALID fenced       ends    fenced
//   PrepareCommit     CONCURRENT   INVALID         CONC.   CONCURRENT   CONC.   INVALID
//   PrepareAbort      INVALID      CONCURRENT      CONC.   INVALID      CONC.   CONCURRENT
//   CompleteCommit    done         INVALID         INVALID done         ends    INVALID
//   CompleteAbort     INVALID      done            INVALID INVALID      ends    done
//
// INVALID is INVALID_TXN_STATE; "ends" of nothing bumps the epoch and needs no marker. "Done" answers as the first time did.
import { ErrorCode } from '../../protocol/errors.ts'
import { NEEDS_PRODUCER_ID, refusedIdentity, type Circumstances, type IdentityResult } from './decision.ts'
import { emitTransaction, type Emit, type TransactionsState } from './state.ts'
import {
  completed,
  identityAfter,
  isExhausted,
  isPrepared,
  LAST_CLIENT_EPOCH,
  prepared,
  TRANSACTIONS_V2,
  type Identity,
  type Transaction,
} from './transaction.ts'

export type EndRequest = Identity & {
  readonly transactionalId: string
  readonly isCommit: boolean
  readonly clientVersion: number
}

/** EndTxn. Once the answer is committed the end is decided; markers follow. */
export function endTransaction(
  state: TransactionsState,
  request: EndRequest,
  circumstances: Circumstances,
  emit: Emit,
): IdentityResult | typeof NEEDS_PRODUCER_ID {
  if (request.transactionalId === '') return refusedIdentity(ErrorCode.INVALID_REQUEST)
  const known = state.transactions.get(request.transactionalId)
  if (known === undefined) return refusedIdentity(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  const verdict = request.clientVersion < TRANSACTIONS_V2 ? judge(known, request) : judgeV2(known, request)
  if (verdict === 'done') return { errorCode: ErrorCode.NONE, ...identityAfter(known) }
  if (verdict !== 'ends') return refusedIdentity(verdict)
  return end(known, request.isCommit, request.clientVersion, circumstances, emit)
}

type Verdict = ErrorCode | 'ends' | 'done'

function judge(known: Transaction, { producerId, producerEpoch, isCommit }: EndRequest): Verdict {
  if (producerId !== known.producerId) return ErrorCode.INVALID_PRODUCER_ID_MAPPING
  if (producerEpoch !== known.producerEpoch) return ErrorCode.PRODUCER_FENCED
  if (known.state === 'Ongoing') return 'ends'
  if (isCommit !== hasCommitted(known)) return ErrorCode.INVALID_TXN_STATE
  return isPrepared(known) ? ErrorCode.CONCURRENT_TRANSACTIONS : 'done'
}

function judgeV2(known: Transaction, request: EndRequest): Verdict {
  const { producerId, producerEpoch, isCommit } = request
  const after = identityAfter(known)
  const isSameProducer = producerId === known.producerId || producerId === after.producerId
  const isRepeated = repeats(known, request)
  if (!isSameProducer && !isRepeated) return ErrorCode.INVALID_PRODUCER_ID_MAPPING
  const isCurrent = producerId === after.producerId && producerEpoch === after.producerEpoch
  if (isPrepared(known)) {
    if (isCurrent) return ErrorCode.CONCURRENT_TRANSACTIONS
    if (!isRepeated) return ErrorCode.PRODUCER_FENCED
    return isCommit === hasCommitted(known) ? ErrorCode.CONCURRENT_TRANSACTIONS : ErrorCode.INVALID_TXN_STATE
  }
  if (isCurrent) return known.state === 'Ongoing' || !isCommit ? 'ends' : ErrorCode.INVALID_TXN_STATE
  if (!isRepeated || hasCommitted(known) === null) return ErrorCode.PRODUCER_FENCED
  return isCommit === hasCommitted(known) ? 'done' : ErrorCode.INVALID_TXN_STATE
}

/** Whether the request has the identity that the end which is decided or complete has replaced: its answer was lost. */
function repeats(known: Transaction, { producerId, producerEpoch }: Identity): boolean {
  if (known.clientVersion < TRANSACTIONS_V2) return false
  if (producerId === known.producerId) return producerEpoch === known.producerEpoch - 1
  return producerId === known.previousProducerId && producerEpoch === LAST_CLIENT_EPOCH && known.producerEpoch === 0
}

/** Null when no end is decided. */
function hasCommitted({ state }: Transaction): boolean | null {
  if (state === 'PrepareCommit' || state === 'CompleteCommit') return true
  return state === 'PrepareAbort' || state === 'CompleteAbort' ? false : null
}

/**
 * Aborts an ongoing transaction in the name of the coordinator. The epoch is bumped whatever the client works with, so that its producer
 * can write nothing more; it may learn the epoch by asking for it with its own (KIP-588), unless another has taken it by then.
 */
export function fence(
  known: Transaction,
  circumstances: Circumstances,
  emit: Emit,
): IdentityResult | typeof NEEDS_PRODUCER_ID {
  return end(known, false, TRANSACTIONS_V2, circumstances, emit)
}

function end(
  known: Transaction,
  isCommit: boolean,
  clientVersion: number,
  { nowMs, freshProducerId }: Circumstances,
  emit: Emit,
): IdentityResult | typeof NEEDS_PRODUCER_ID {
  const takesProducerId = clientVersion >= TRANSACTIONS_V2 && isExhausted(known.producerEpoch)
  if (takesProducerId && freshProducerId === null) return NEEDS_PRODUCER_ID
  const ended = prepared(known, isCommit, clientVersion, takesProducerId ? freshProducerId! : -1, nowMs)
  emitTransaction(emit, ended)
  if (ended.partitions.size === 0) emitTransaction(emit, completed(ended, nowMs))
  return { errorCode: ErrorCode.NONE, ...identityAfter(ended) }
}

/** All markers of `prepared` are written. False when that is not the transaction of the id any more, and nothing changes. */
export function complete(state: TransactionsState, prepared: Transaction, nowMs: number, emit: Emit): boolean {
  const known = state.transactions.get(prepared.transactionalId)
  const isSame =
    known !== undefined &&
    known.state === prepared.state &&
    known.producerId === prepared.producerId &&
    known.producerEpoch === prepared.producerEpoch
  if (!isSame || !isPrepared(known)) return false
  emitTransaction(emit, completed(known, nowMs))
  return true
}
