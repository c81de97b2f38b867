// OffsetCommit (8), v2-10. Stores the positions of a group (coordinator/group/offsets.ts).
// - A member of the generation may commit, and anybody (generation -1, no member id) while the group is empty. Otherwise UNKNOWN_MEMBER_ID,
//   ILLEGAL_GENERATION, FENCED_INSTANCE_ID; REBALANCE_IN_PROGRESS between the generation and its assignment.
// - Metadata above offset.metadata.max.bytes: OFFSET_METADATA_TOO_LARGE for that partition. Partitions that do not exist:
//   UNKNOWN_TOPIC_OR_PARTITION; in v10, by id (KIP-848), topics: UNKNOWN_TOPIC_ID.
// - The retention time of v2-4 is kept with the offset, which then expires by it.
import type { OffsetToCommit } from '../coordinator/group/offsets.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { OffsetCommit, type OffsetCommitRequest } from '../protocol/messages/offset-commit.ts'
import type { Context } from './context.ts'
import { findTopic } from './group-topics.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_GROUP_NOT_FOUND = 9
const FIRST_VERSION_WITH_TOPIC_IDS = 10
const LAST_VERSION_WITH_RETENTION = 4

export const offsetCommit = handler(OffsetCommit, async (request, context, { apiVersion }) => {
  const { known, offsets } = sortOutOffsets(request.topics, context, apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS)
  const committed =
    offsets.length === 0
      ? ErrorCode.NONE
      : await context.groups.commitOffsets({
          groupId: request.groupId,
          generationId: request.generationIdOrMemberEpoch,
          memberId: request.memberId,
          groupInstanceId: request.groupInstanceId,
          offsets,
          retentionMs: apiVersion <= LAST_VERSION_WITH_RETENTION ? request.retentionTimeMs : -1,
          knowsGroupNotFound: apiVersion >= FIRST_VERSION_WITH_GROUP_NOT_FOUND,
        })
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

/** Where a partition's result is: known already, or at an index of what is committed. */
type Place = { readonly errorCode: ErrorCode } | { readonly index: number }

/** Tells the partitions that exist from those that do not; TxnOffsetCommit has the same. */
export function sortOutOffsets(
  topics: OffsetCommitRequest['topics'],
  context: Context,
  hasIds: boolean,
): { known: Place[][]; offsets: OffsetToCommit[] } {
  const offsets: OffsetToCommit[] = []
  const known = topics.map(asked => {
    const topic = findTopic(asked, context.image(), hasIds)
    return asked.partitions.map(partition => {
      if (typeof topic === 'number') return { errorCode: topic }
      const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } = partition
      if (topic.partitions[partitionIndex] === undefined) return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
      offsets.push({
        topic: topic.name,
        partition: partitionIndex,
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata: committedMetadata,
      })
      return { index: offsets.length - 1 }
    })
  })
  return { known, offsets }
}
