// AddOffsetsToTxn (25), v0-4. Puts the partition of `__consumer_offsets` that keeps a group's offsets into a producer's transaction;
// TxnOffsetCommit v5 and later does so by itself (KIP-890).
// - The topic is created if nobody has used groups yet; while there is none, COORDINATOR_NOT_AVAILABLE.
// - The producer is checked as by AddPartitionsToTxn; a fenced one gets INVALID_PRODUCER_EPOCH before v2.
import { partitionOfKey } from '../coordinator/partition-of-key.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { AddOffsetsToTxn } from '../protocol/messages/add-offsets-to-txn.ts'
import { ensureInternalTopic } from './find-coordinator.ts'
import { handler } from './handler.ts'
import { fencedError } from './init-producer-id.ts'

const TOPIC = '__consumer_offsets'
const FIRST_VERSION_WITH_FENCED = 2

export const addOffsetsToTxn = handler(AddOffsetsToTxn, async (request, context, { apiVersion }) => {
  const { transactionalId, producerId, producerEpoch, groupId } = request
  await ensureInternalTopic(TOPIC, context)
  const topic = context.image().topics.get(TOPIC)
  if (topic === undefined) return { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE }
  const partition = partitionOfKey(groupId, topic.partitions.length)
  const errorCode = await context.transactionCoordinator.addPartitions({
    transactionalId,
    producerId,
    producerEpoch,
    partitions: [{ topic: TOPIC, partition }],
    clientVersion: 0,
  })
  return { errorCode: fencedError(errorCode, apiVersion, FIRST_VERSION_WITH_FENCED) }
})
