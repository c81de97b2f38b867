// TxnOffsetCommit (28), v0-6. Stores the positions of a group as part of a producer's transaction: they count once it is committed.
// - The transaction coordinator is asked first: before v5 the group must be in the transaction by AddOffsetsToTxn, from v5 on it is added
//   (KIP-890). What it refuses is told as Produce tells it, and the coordinator's own troubles as those of the group's coordinator.
// - From v3 the member is checked as in OffsetCommit (KIP-447): UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID.
// - Partitions that do not exist: UNKNOWN_TOPIC_OR_PARTITION; in v6, by id (KIP-1319), topics: UNKNOWN_TOPIC_ID.
import { ErrorCode } from '../protocol/errors.ts'
import { TxnOffsetCommit, type TxnOffsetCommitRequest } from '../protocol/messages/txn-offset-commit.ts'
import type { CommitAnswer, OffsetToCommit } from '../coordinator/group/offsets.ts'
import { admissionError, txnOffsetCommitOperation } from '../replication/transactions.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'
import { sortOutOffsets } from './offset-commit.ts'

const TOPIC = '__consumer_offsets'
const FIRST_VERSION_WITH_TOPIC_IDS = 6

export const txnOffsetCommit = handler(TxnOffsetCommit, async (request, context, { apiVersion }) => {
  const hasIds = apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS
  const { known, offsets } = sortOutOffsets(request.topics, context, hasIds)
  const committed = offsets.length === 0 ? ErrorCode.NONE : await commit(request, offsets, context, apiVersion)
  return {
    topics: request.topics.map(({ name, topicId, partitions }, topicAt) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }, at) => {
        const place = known[topicAt]![at]!
        if ('errorCode' in place) return { partitionIndex, errorCode: place.errorCode }
        return { partitionIndex, errorCode: typeof committed === 'number' ? committed : committed[place.index]! }
      }),
    })),
  }
})

async function commit(
  request: TxnOffsetCommitRequest,
  offsets: readonly OffsetToCommit[],
  { groups, transactions, transactionCoordinator }: Context,
  apiVersion: number,
): Promise<CommitAnswer> {
  const { transactionalId, groupId, producerId, producerEpoch } = request
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  const partition = groups.partitionOf(groupId)
  if (partition < 0) return ErrorCode.COORDINATOR_NOT_AVAILABLE
  const operation = txnOffsetCommitOperation(apiVersion)
  const asked = { transactionalId, producerId, producerEpoch, partitions: [{ topic: TOPIC, partition }] }
  const [answer] = await transactions.admit({ ...asked, canAdd: operation === 'add' })
  if (answer !== ErrorCode.NONE) return refusal(admissionError(answer!, operation))
  // The end may have been decided while the admission was being committed. Behind its marker the offsets would belong to the next
  // transaction of the producer; from here to their append nothing waits.
  if (!transactionCoordinator.holds(asked)) return ErrorCode.INVALID_TXN_STATE
  return groups.commitTransactionalOffsets(
    {
      groupId,
      generationId: request.generationIdOrMemberEpoch,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      offsets,
    },
    { producerId, producerEpoch },
  )
}

/** Old clients take NETWORK_EXCEPTION for fatal, and try again while a coordinator loads (Kafka's GroupCoordinatorService). */
function refusal(errorCode: ErrorCode): ErrorCode {
  return errorCode === ErrorCode.NETWORK_EXCEPTION ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : errorCode
}
