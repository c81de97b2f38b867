// DescribeProducers (61), v0. The idempotent and transactional producers that a partition's leader remembers (KIP-664).
import type { TopicImage } from '../metadata/image.ts'
import { ErrorCode, errorMessage } from '../protocol/errors.ts'
import { DescribeProducers } from '../protocol/messages/describe-producers.ts'
import type { ResponseOf } from '../protocol/schema.ts'
import type { ProducerEntry } from '../storage/producer-state.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'

type PartitionResponse = ResponseOf<typeof DescribeProducers>['topics'][number]['partitions'][number]
type ActiveProducer = PartitionResponse['activeProducers'][number]

export const describeProducers = handler(DescribeProducers, (request, context) => ({
  topics: request.topics.map(({ name, partitionIndexes }) => {
    const topic = context.image().topics.get(name)
    return { name, partitions: partitionIndexes.map(partition => describe(topic, partition, context)) }
  }),
}))

function describe(topic: TopicImage | undefined, partitionIndex: number, { replicas }: Context): PartitionResponse {
  const leader =
    topic === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : replicas.leader(topic.topicId, partitionIndex)
  if (typeof leader === 'number') {
    return { partitionIndex, errorCode: leader, errorMessage: errorMessage(leader), activeProducers: [] }
  }
  const activeProducers: ActiveProducer[] = []
  for (const entry of leader.log.producers.entries()) activeProducers.push(activeProducer(entry))
  return { partitionIndex, errorCode: ErrorCode.NONE, errorMessage: null, activeProducers }
}

function activeProducer(entry: ProducerEntry): ActiveProducer {
  return {
    producerId: entry.producerId,
    producerEpoch: entry.producerEpoch,
    lastSequence: entry.batches.at(-1)?.lastSequence ?? -1,
    lastTimestamp: entry.lastTimestamp,
    coordinatorEpoch: entry.coordinatorEpoch,
    currentTxnStartOffset: entry.currentTransactionStartOffset,
  }
}
