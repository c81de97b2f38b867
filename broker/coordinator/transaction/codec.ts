// Transactional ids as records of `__transaction_state`, in Kafka's format (protocol/records/transaction-log.ts), so that tools that read
// the topic know it. Written as Kafka does with transaction.version 2, in version 1 of the value.
// One thing is not in the format: the epoch before the last bump. It is told from the state where an end has bumped it, and lost where a
// start has, as in Kafka: a producer that did not hear of its bump before the coordinator was loaded again is fenced.
import { decodeKey, decodeValue, encodeKey, encodeValue, typeOfKey } from '../../protocol/record-format.ts'
import { TransactionLogKey, TransactionLogValue } from '../../protocol/records/transaction-log.ts'
import type { RecordCodec } from '../../replication/replicated-journal.ts'
import type { TransactionRecord } from './state.ts'
import {
  LAST_CLIENT_EPOCH,
  TRANSACTIONS_V2,
  transactionStates,
  type Partitions,
  type Transaction,
} from './transaction.ts'

const VALUE_VERSION = 1

/** There is a record that this version of the broker does not understand, or that is damaged. */
export class TransactionRecordError extends Error {}

export const transactionCodec: RecordCodec<TransactionRecord> = {
  encode({ transactionalId, transaction }) {
    const key = encodeKey(TransactionLogKey, { transactionalId })
    return { key, value: transaction === null ? null : encodeTransaction(transaction) }
  },

  decode(key, value) {
    // Kafka skips keys of a kind that it does not know, too: they are somebody else's.
    if (typeOfKey(key) !== TransactionLogKey.type) return null
    const { transactionalId } = decodeKey(TransactionLogKey, key)
    return { transactionalId, transaction: value === null ? null : decodeTransaction(transactionalId, value) }
  },

  decodeMarker: () => null,
}

function encodeTransaction(transaction: Transaction): Buffer {
  return encodeValue(TransactionLogValue, VALUE_VERSION, {
    producerId: transaction.producerId,
    previousProducerId: transaction.previousProducerId,
    nextProducerId: transaction.nextProducerId,
    producerEpoch: transaction.producerEpoch,
    transactionTimeoutMs: transaction.timeoutMs,
    transactionStatus: transactionStates.indexOf(transaction.state),
    transactionPartitions:
      transaction.state === 'Empty'
        ? null
        : Array.from(transaction.partitions, ([topic, partitions]) => ({ topic, partitionIds: [...partitions] })),
    transactionLastUpdateTimestampMs: transaction.updateTimeMs,
    transactionStartTimestampMs: transaction.startTimeMs,
    clientTransactionVersion: transaction.clientVersion,
  })
}

function decodeTransaction(transactionalId: string, bytes: Buffer): Transaction {
  const value = decodeValue(TransactionLogValue, bytes)
  const state = transactionStates[value.transactionStatus]
  if (state === undefined || state === 'Dead' || state === 'PrepareEpochFence') {
    throw new TransactionRecordError(
      `the transactional id '${transactionalId}' is in state ${value.transactionStatus}, which nobody writes`,
    )
  }
  const transaction: Transaction = {
    transactionalId,
    producerId: value.producerId,
    previousProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    producerEpoch: value.producerEpoch,
    lastProducerEpoch: -1,
    timeoutMs: value.transactionTimeoutMs,
    state,
    partitions: partitionsOf(value.transactionPartitions ?? []),
    startTimeMs: value.transactionStartTimestampMs,
    updateTimeMs: value.transactionLastUpdateTimestampMs,
    clientVersion: value.clientTransactionVersion,
  }
  return { ...transaction, lastProducerEpoch: epochBeforeEnd(transaction) }
}

function partitionsOf(topics: readonly { readonly topic: string; readonly partitionIds: readonly number[] }[]) {
  const partitions = new Map<string, ReadonlySet<number>>()
  for (const { topic, partitionIds } of topics) partitions.set(topic, new Set(partitionIds))
  return partitions satisfies Partitions
}

/** The epoch that the end of the last transaction has bumped; -1 when none has. */
function epochBeforeEnd(transaction: Transaction): number {
  const { state, clientVersion, producerEpoch, producerId, previousProducerId } = transaction
  if (state === 'Empty' || state === 'Ongoing' || clientVersion < TRANSACTIONS_V2) return -1
  return producerEpoch === 0 && producerId !== previousProducerId ? LAST_CLIENT_EPOCH : producerEpoch - 1
}
