// WriteTxnMarkers (27), v1-2. A transaction coordinator has markers written that end transactions in partitions led here (KIP-98).
// - Every partition has its own error: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER and the like are worth another try;
//   INVALID_PRODUCER_EPOCH is a late marker, TRANSACTION_COORDINATOR_FENCED one of a coordinator that was replaced.
// - A marker is answered when it is replicated, at most after request.timeout.ms (REQUEST_TIMED_OUT).
// - v2 brings the transaction version: from 2 on the epoch must be above that of the batches (KIP-1228). v1 counts as version 0.
// - The markers of a request are written in its order, those of one marker side by side.
// - No producer has an id above 2^53: such a marker is not written (INVALID_PRODUCER_ID_MAPPING), and its answer names no producer.
// - kafka-transactions.sh abort sends it to end a hanging transaction.
import { ErrorCode } from '../protocol/errors.ts'
import { WriteTxnMarkers } from '../protocol/messages/write-txn-markers.ts'
import type { EndTransaction } from '../replication/transactions.ts'
import { handler } from './handler.ts'

export const writeTxnMarkers = handler(WriteTxnMarkers, async ({ markers }, { transactionMarkers }) => ({
  markers: await Promise.all(
    markers.map(async marker => {
      const { producerId, producerEpoch, coordinatorEpoch, transactionResult: isCommit, transactionVersion } = marker
      const end: EndTransaction = { producerId, producerEpoch, coordinatorEpoch, isCommit, transactionVersion }
      const isProducer = Number.isSafeInteger(producerId)
      const topics = marker.topics.map(async ({ name, partitionIndexes }) => {
        const partitions = partitionIndexes.map(async partitionIndex => ({
          partitionIndex,
          errorCode: isProducer
            ? await transactionMarkers.write(name, partitionIndex, end)
            : ErrorCode.INVALID_PRODUCER_ID_MAPPING,
        }))
        return { name, partitions: await Promise.all(partitions) }
      })
      return { producerId: isProducer ? producerId : -1, topics: await Promise.all(topics) }
    }),
  ),
}))
