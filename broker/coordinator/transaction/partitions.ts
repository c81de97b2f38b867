// Which partitions are in a transaction, decided: AddPartitionsToTxn and AddOffsetsToTxn put some in, and leaders ask whether one is
// (KIP-890). Kafka's handleAddPartitionsToTransaction and handleVerifyPartitionsInTransaction; the only difference is that who is fenced
// is told so even while markers are written.
import { ErrorCode } from '../../protocol/errors.ts'
import { emitTransaction, type Emit, type TransactionsState } from './state.ts'
import { has, identityAfter, isPrepared, withPartitions, type Identity, type Transaction } from './transaction.ts'

export type TopicPartition = { readonly topic: string; readonly partition: number }

export type PartitionsRequest = Identity & {
  readonly transactionalId: string
  readonly partitions: readonly TopicPartition[]
}

/** Puts partitions into the transaction, which begins with the first: NONE for all of them, or why for none. */
export function addPartitions(
  state: TransactionsState,
  request: PartitionsRequest & { readonly clientVersion: number },
  nowMs: number,
  emit: Emit,
): ErrorCode {
  const { partitions, clientVersion } = request
  const known = knownProducer(state, request)
  if (typeof known === 'number') return known
  const missing = partitions.filter(({ topic, partition }) => !has(known.partitions, topic, partition))
  if (missing.length === 0) return ErrorCode.NONE
  emitTransaction(
    emit,
    withPartitions(
      known,
      missing.map(({ topic, partition }) => [topic, partition]),
      clientVersion,
      nowMs,
    ),
  )
  return ErrorCode.NONE
}

/** Looks only; one code for each partition, TRANSACTION_ABORTABLE for one that is not in the transaction. */
export function verifyPartitions(state: TransactionsState, request: PartitionsRequest): readonly ErrorCode[] {
  const known = knownProducer(state, request)
  if (typeof known === 'number') return request.partitions.map(() => known)
  return request.partitions.map(({ topic, partition }) =>
    known.state === 'Ongoing' && has(known.partitions, topic, partition)
      ? ErrorCode.NONE
      : ErrorCode.TRANSACTION_ABORTABLE,
  )
}

/** The transaction of this producer, or why it has none that could take or have partitions. */
function knownProducer(state: TransactionsState, request: PartitionsRequest): Transaction | ErrorCode {
  const { transactionalId, producerId, producerEpoch } = request
  if (transactionalId === '') return ErrorCode.INVALID_REQUEST
  const known = state.transactions.get(transactionalId)
  if (known === undefined) return ErrorCode.INVALID_PRODUCER_ID_MAPPING
  const after = identityAfter(known)
  if (producerId !== known.producerId && producerId !== after.producerId) return ErrorCode.INVALID_PRODUCER_ID_MAPPING
  // The epoch of a prepared end may be the one its producer goes on with, so it is told to wait.
  const isCurrent = producerId === after.producerId && producerEpoch === after.producerEpoch
  if (!isCurrent) return ErrorCode.PRODUCER_FENCED
  return isPrepared(known) ? ErrorCode.CONCURRENT_TRANSACTIONS : known
}
