// What the leaders of partitions and the transaction coordinator ask of each other (KIP-98, KIP-890): before the first batch of a
// transaction a leader asks whether the partition is in it, and at its end the coordinator has markers written. Interfaces only, and
// what an answer means to a client; the coordinator implements the gate, transaction-markers.ts writes.
import { ErrorCode, errorName } from '../protocol/errors.ts'
import type { EndTransactionMarker } from '../records/control.ts'
import type { TransactionOf } from './replicated-journal.ts'

export type TopicPartition = { readonly topic: string; readonly partition: number }

/**
 * What a client can do with the answer, by the version of its request (Kafka's TransactionSupportedOperation): 'verify' knows no
 * TRANSACTION_ABORTABLE, 'verify-abortable' does, 'add' puts the partition into the transaction (transaction.version 2).
 */
export type TransactionOperation = 'verify' | 'verify-abortable' | 'add'

/** Produce: v11 brought TRANSACTION_ABORTABLE, v12 transaction.version 2. */
export function produceOperation(apiVersion: number): TransactionOperation {
  if (apiVersion > 11) return 'add'
  return apiVersion > 10 ? 'verify-abortable' : 'verify'
}

/** TxnOffsetCommit: the same in v4 and v5. */
export function txnOffsetCommitOperation(apiVersion: number): TransactionOperation {
  if (apiVersion > 4) return 'add'
  return apiVersion > 3 ? 'verify-abortable' : 'verify'
}

export type AdmissionRequest = {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
  readonly partitions: readonly TopicPartition[]
  /** True adds the partitions that are not in the transaction, and begins it if need be; false only looks. */
  readonly canAdd: boolean
}

/** Asked by leaders. Implemented by the transaction coordinator, wherever it is. */
export type TransactionGate = {
  /**
   * One code for each partition, in their order: what AddPartitionsToTxn v5 would answer for this transaction (v4 with verifyOnly). NONE
   * only when the partition is in the ongoing transaction of this producer, durably. TRANSACTION_ABORTABLE when it was to be
   * looked for and is not there; INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS, or why the coordinator cannot
   * be asked (COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, NETWORK_EXCEPTION). Never rejects.
   */
  admit(request: AdmissionRequest): Promise<readonly ErrorCode[]>
}

/** Nobody coordinates transactions. */
export const noTransactionGate: TransactionGate = {
  admit: ({ partitions }) => Promise.resolve(partitions.map(() => ErrorCode.COORDINATOR_NOT_AVAILABLE)),
}

/** The end of one producer's transaction, as the coordinator has decided it. */
export type EndTransaction = {
  readonly producerId: number
  /** With transaction.version 2 one above that of the transaction's batches. */
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
  readonly isCommit: boolean
  /** 0 and 1: markers carry the epoch of the batches. 2: a higher one (KIP-890, KIP-1228). */
  readonly transactionVersion: number
}

/** Writes end-transaction markers to the partitions that this broker leads. */
export type MarkerWriter = {
  /**
   * NONE when the marker is in the log and replicated as acks=all asks. Else the error of a WriteTxnMarkers answer: UNKNOWN_TOPIC_OR_PARTITION,
   * NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT and KAFKA_STORAGE_ERROR are worth another try,
   * INVALID_PRODUCER_EPOCH and TRANSACTION_COORDINATOR_FENCED are not. Never rejects.
   */
  write(topic: string, partition: number, end: EndTransaction): Promise<ErrorCode>
}

/**
 * Who keeps a state machine in a topic and must see its markers: the group coordinator, for `__consumer_offsets`. It appends the marker
 * itself, in the order of its machine; that it is not late has been checked.
 */
export type MarkerKeeper = {
  completeTransaction(partition: number, marker: EndTransactionMarker & TransactionOf): Promise<ErrorCode>
}

export type Refusal = { readonly errorCode: ErrorCode; readonly message: string | null }

/** What a coordinator's answer is to the client that sent the batch (Kafka's AddPartitionsToTxnManager). */
export function admissionError(errorCode: ErrorCode, operation: TransactionOperation): ErrorCode {
  // A producer that is told of the old epoch aborts and goes on, where a fenced one must give up.
  if (errorCode === ErrorCode.PRODUCER_FENCED) return ErrorCode.INVALID_PRODUCER_EPOCH
  if (errorCode === ErrorCode.TRANSACTION_ABORTABLE && operation === 'verify') return ErrorCode.INVALID_TXN_STATE
  return errorCode
}

/** The same for Produce (ReplicaManager.handleProduceAppend): what old clients cannot retry becomes something they do. */
export function produceRefusal(answer: ErrorCode, operation: TransactionOperation): Refusal {
  const errorCode = admissionError(answer, operation)
  switch (errorCode) {
    case ErrorCode.INVALID_TXN_STATE:
      return { errorCode, message: 'Partition was not added to the transaction' }
    case ErrorCode.CONCURRENT_TRANSACTIONS:
      // With transaction.version 2 it is common while a commit ends, and its clients know it.
      return operation === 'add' ? { errorCode, message: null } : notVerified(errorCode)
    case ErrorCode.NETWORK_EXCEPTION:
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.NOT_COORDINATOR:
      return notVerified(errorCode)
    default:
      return { errorCode, message: null }
  }
}

function notVerified(underlying: ErrorCode): Refusal {
  return {
    errorCode: ErrorCode.NOT_ENOUGH_REPLICAS,
    message: `Unable to verify the partition has been added to the transaction. Underlying error: ${errorName(underlying)}`,
  }
}
