// OffsetDelete (47), v0. Removes stored positions of a group (KIP-496).
// - GROUP_SUBSCRIBED_TO_TOPIC for topics that its consumers subscribe to; NON_EMPTY_GROUP when its members are no consumers.
// - A partition that does not exist: UNKNOWN_TOPIC_OR_PARTITION; one without a stored position is a success.
import { ErrorCode } from '../protocol/errors.ts'
import { OffsetDelete } from '../protocol/messages/offset-delete.ts'
import { handler } from './handler.ts'

export const offsetDelete = handler(OffsetDelete, async ({ groupId, topics }, { groups, image }) => {
  const exists = (topic: string, partition: number): boolean =>
    image().topics.get(topic)?.partitions[partition] !== undefined
  const asked = topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex: partition }) => ({ topic, partition })),
  )
  const known = asked.filter(({ topic, partition }) => exists(topic, partition))
  const deleted = await groups.deleteOffsets(groupId, known)
  if (typeof deleted === 'number') return { errorCode: deleted, topics: [] }
  let next = 0
  const results = asked.map(({ topic, partition }) => {
    const isKnown = known[next]?.topic === topic && known[next]?.partition === partition
    return isKnown ? deleted[next++]! : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  })
  let at = 0
  return {
    errorCode: ErrorCode.NONE,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: results[at++]! })),
    })),
  }
})
