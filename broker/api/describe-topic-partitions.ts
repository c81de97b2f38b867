// DescribeTopicPartitions (75), v0. Topics page by page (KIP-966): in the order of their names, at most responsePartitionLimit
// partitions an answer (bounded by max.request.partition.size.limit), with a cursor to go on from.
// - No names: all topics, also those created while a client pages. A topic that is gone when the cursor points to it is skipped.
// - The answer has no error of its own: a bad cursor is INVALID_REQUEST for each topic asked for, as in Kafka.
// - Gap: eligible leader replicas (ELR) are not kept, so both lists are empty.
import { ZERO_UUID } from '../base/uuid.ts'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import { isInternalTopic } from '../metadata/image.ts'
import { invalidTopicName } from '../metadata/topic-names.ts'
import { ErrorCode } from '../protocol/errors.ts'
import {
  DescribeTopicPartitions,
  type DescribeTopicPartitionsRequest,
} from '../protocol/messages/describe-topic-partitions.ts'
import type { ResponseInit } from '../protocol/schema.ts'
import { OPERATIONS_NOT_REQUESTED, TOPIC_OPERATIONS } from './authorized-operations.ts'
import { handler } from './handler.ts'
import { describePartition, endpointsOf, TELL_ALL, type Endpoint } from './topic-description.ts'

type Response = ResponseInit<typeof DescribeTopicPartitions>
type DescribedTopic = Response['topics'][number]

export const describeTopicPartitions = handler(DescribeTopicPartitions, (request, context, call) => {
  const image = context.image()
  const first = request.cursor
  const asked = new Set(request.topics.map(topic => topic.name))
  if (first !== null && (first.partitionIndex < 0 || (asked.size > 0 && !asked.has(first.topicName)))) {
    return { topics: [...asked].map(name => failed(name, ErrorCode.INVALID_REQUEST, OPERATIONS_NOT_REQUESTED)) }
  }
  const limit = Math.max(1, Math.min(request.responsePartitionLimit, context.config.maxRequestPartitionSizeLimit))
  const endpoints = endpointsOf(image, call.connection.listenerName)
  return page(namesFrom(request, image), first, limit, name => image.topics.get(name), image, endpoints)
})

/** The names to describe, in order, from the cursor on. */
function namesFrom({ topics, cursor }: DescribeTopicPartitionsRequest, image: MetadataImage): string[] {
  const names = topics.length === 0 ? [...image.topics.keys()] : [...new Set(topics.map(topic => topic.name))]
  const from = cursor?.topicName ?? ''
  return names.filter(name => name >= from).sort((a, b) => (a < b ? -1 : 1))
}

function page(
  names: readonly string[],
  first: DescribeTopicPartitionsRequest['cursor'],
  limit: number,
  find: (name: string) => TopicImage | undefined,
  image: MetadataImage,
  endpoints: ReadonlyMap<number, Endpoint>,
): Response {
  const topics: DescribedTopic[] = []
  let left = limit
  for (const name of names) {
    if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } }
    const topic = find(name)
    if (topic === undefined) {
      const isNamed = invalidTopicName(name) === null
      topics.push(failed(name, isNamed ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION))
      continue
    }
    const start = first?.topicName === name ? first.partitionIndex : 0
    const shown = topic.partitions.slice(start, start + left)
    left -= shown.length
    topics.push({
      errorCode: ErrorCode.NONE,
      name,
      topicId: topic.topicId,
      isInternal: isInternalTopic(name),
      partitions: shown.map(partition => ({
        ...describePartition(partition, image, endpoints, TELL_ALL),
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
      })),
      topicAuthorizedOperations: TOPIC_OPERATIONS,
    })
    const next = start + shown.length
    if (next < topic.partitions.length) return { topics, nextCursor: { topicName: name, partitionIndex: next } }
  }
  return { topics, nextCursor: null }
}

function failed(name: string, errorCode: ErrorCode, operations = TOPIC_OPERATIONS): DescribedTopic {
  return {
    errorCode,
    name,
    topicId: ZERO_UUID,
    isInternal: isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: operations,
  }
}
