// OffsetFetch (9), v1-10. The positions that groups have stored: of some partitions, or of all (null, from v2). Many groups at once from v8.
// - Nothing stored, or no such group: offset -1 without an error. requireStable (v7, KIP-447): UNSTABLE_OFFSET_COMMIT while an open
//   transaction has an offset of the partition.
// - An error of the coordinator is the group's from v8, the answer's in v2-7, and each partition's in v1.
// - A group or a partition that is named again is answered with INVALID_REQUEST: an answer is never larger than what is stored. Kafka
//   answers as often as it is asked.
// - v10 has ids for names: UNKNOWN_TOPIC_ID; of all partitions those are left out whose topic is gone.
import type { FetchedOffset } from '../coordinator/group/offsets.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { OffsetFetch } from '../protocol/messages/offset-fetch.ts'
import type { ResponseInit } from '../protocol/schema.ts'
import type { Context } from './context.ts'
import { findTopic } from './group-topics.ts'
import { handler } from './handler.ts'

type GroupResponse = NonNullable<ResponseInit<typeof OffsetFetch>['groups']>[number]
type TopicResponse = GroupResponse['topics'][number]
type PartitionResponse = TopicResponse['partitions'][number]
type AskedTopic = { readonly name: string; readonly topicId: string; readonly partitionIndexes: readonly number[] }
type Asked = { readonly groupId: string; readonly topics: readonly AskedTopic[] | null }

const FIRST_VERSION_WITH_GROUPS = 8
const FIRST_VERSION_WITH_TOPIC_IDS = 10
const FIRST_VERSION_WITH_ERROR = 2
const NO_OFFSET = -1

export const offsetFetch = handler(OffsetFetch, async (request, context, { apiVersion }) => {
  const { requireStable } = request
  const hasIds = apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS
  if (apiVersion >= FIRST_VERSION_WITH_GROUPS) {
    const seen = new Set<string>()
    const groups = request.groups.map(async asked => {
      const { groupId } = asked
      if (seen.has(groupId)) return { groupId, topics: [], errorCode: ErrorCode.INVALID_REQUEST }
      seen.add(groupId)
      return fetchGroup(asked, requireStable, hasIds, context)
    })
    return { topics: [], groups: await Promise.all(groups) }
  }
  const topics = request.topics?.map(topic => ({ ...topic, topicId: '' })) ?? null
  const group = await fetchGroup({ groupId: request.groupId, topics }, requireStable, false, context)
  const errorCode = (group.errorCode ?? ErrorCode.NONE) as ErrorCode
  if (errorCode === ErrorCode.NONE || apiVersion >= FIRST_VERSION_WITH_ERROR) {
    return { errorCode, topics: group.topics.map(topic => ({ name: '', ...topic })), groups: [] }
  }
  const failed = (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map(partition => without(partition, errorCode)),
  }))
  return { topics: failed, groups: [] }
})

async function fetchGroup(
  { groupId, topics }: Asked,
  requireStable: boolean,
  hasIds: boolean,
  context: Context,
): Promise<GroupResponse> {
  if (topics === null) return fetchAll(groupId, requireStable, hasIds, context)
  const image = context.image()
  const names = topics.map(topic => {
    // By name any topic may be asked for: what was committed before it was deleted is gone, so there is nothing.
    const found = hasIds ? findTopic(topic, image, true) : topic
    return typeof found === 'number' ? null : found.name
  })
  const partitions = topics.flatMap(({ partitionIndexes }, at) => {
    const topic = names[at]!
    return topic === null ? [] : partitionIndexes.map(partition => ({ topic, partition }))
  })
  const offsets = await context.groups.fetchOffsets(groupId, partitions, requireStable)
  if (typeof offsets === 'number') return { groupId, topics: [], errorCode: offsets }
  let next = 0
  const answered = new Map<string, Set<number>>()
  return {
    groupId,
    topics: topics.map(({ name, topicId, partitionIndexes }, at) => ({
      name,
      topicId,
      partitions: partitionIndexes.map(partition => {
        const topic = names[at]!
        if (topic === null) return without(partition, ErrorCode.UNKNOWN_TOPIC_ID)
        const offset = described(offsets[next++]!)
        return isFirst(answered, topic, partition) ? offset : without(partition, ErrorCode.INVALID_REQUEST)
      }),
    })),
    errorCode: ErrorCode.NONE,
  }
}

function isFirst(answered: Map<string, Set<number>>, topic: string, partition: number): boolean {
  const partitions = answered.get(topic)
  if (partitions === undefined) answered.set(topic, new Set([partition]))
  else if (partitions.has(partition)) return false
  else partitions.add(partition)
  return true
}

async function fetchAll(
  groupId: string,
  requireStable: boolean,
  hasIds: boolean,
  { groups, image }: Context,
): Promise<GroupResponse> {
  const offsets = await groups.fetchOffsets(groupId, null, requireStable)
  if (typeof offsets === 'number') return { groupId, topics: [], errorCode: offsets }
  const byTopic = new Map<string, PartitionResponse[]>()
  for (const offset of offsets) {
    const partitions = byTopic.get(offset.topic)
    if (partitions === undefined) byTopic.set(offset.topic, [described(offset)])
    else partitions.push(described(offset))
  }
  const topics: TopicResponse[] = []
  for (const [name, partitions] of byTopic) {
    const topicId = image().topics.get(name)?.topicId
    if (!hasIds) topics.push({ name, partitions })
    else if (topicId !== undefined) topics.push({ topicId, partitions })
  }
  return { groupId, topics, errorCode: ErrorCode.NONE }
}

function described({ partition, errorCode, committed }: FetchedOffset): PartitionResponse {
  if (committed === null) return without(partition, errorCode)
  return {
    partitionIndex: partition,
    committedOffset: committed.offset,
    committedLeaderEpoch: committed.leaderEpoch,
    metadata: committed.metadata,
    errorCode,
  }
}

function without(partitionIndex: number, errorCode: ErrorCode): PartitionResponse {
  return { partitionIndex, committedOffset: NO_OFFSET, committedLeaderEpoch: -1, metadata: '', errorCode }
}
