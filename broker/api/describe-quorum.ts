// DescribeQuorum (55), v0-2. Who leads the metadata log, in which epoch, and how far it is (KIP-595, KIP-836, KIP-853).
// - Only the partition 0 of __cluster_metadata is a quorum; a request for anything else, or for more, is UNKNOWN_TOPIC_OR_PARTITION for each.
// - The epoch is that of the election record, the voter is this broker: one broker is its own quorum.
import type { MetadataImage } from '../metadata/image.ts'
import { DONE, refuse, type Outcome } from '../metadata/refusal.ts'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from '../metadata/topic-names.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { DescribeQuorum, type DescribeQuorumRequest } from '../protocol/messages/describe-quorum.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'
import { endpointsOf } from './topic-description.ts'

const FIRST_VERSION_WITH_NODES = 2

export const describeQuorum = handler(DescribeQuorum, (request, context, { apiVersion, connection }) => {
  const log = context.logs.log(METADATA_TOPIC_ID, 0)
  if (log === undefined || !isOfMetadata(request)) return { ...DONE, topics: allUnknown(request) }
  const image = context.image()
  const nowMs = context.clock.now()
  const voter = {
    replicaId: image.controllerId,
    logEndOffset: log.endOffset,
    lastFetchTimestamp: nowMs,
    lastCaughtUpTimestamp: nowMs,
    ...(apiVersion >= FIRST_VERSION_WITH_NODES ? { replicaDirectoryId: directoryOf(image, image.controllerId) } : {}),
  }
  const partition = {
    ...DONE,
    partitionIndex: 0,
    leaderId: image.controllerId,
    leaderEpoch: image.controllerEpoch,
    highWatermark: log.flushedOffset,
    currentVoters: [voter],
    observers: [],
  }
  return {
    ...DONE,
    topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }],
    ...(apiVersion >= FIRST_VERSION_WITH_NODES ? { nodes: nodesOf(context, connection.listenerName) } : {}),
  }
})

function isOfMetadata({ topics }: DescribeQuorumRequest): boolean {
  const [topic] = topics
  if (topics.length !== 1 || topic!.topicName !== METADATA_TOPIC) return false
  return topic!.partitions.length === 1 && topic!.partitions[0]!.partitionIndex === 0
}

const UNKNOWN: Outcome = refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'This server does not host this topic-partition.')

function allUnknown({ topics }: DescribeQuorumRequest) {
  return topics.map(({ topicName, partitions }) => ({
    topicName,
    partitions: partitions.map(({ partitionIndex }) => ({
      ...UNKNOWN,
      partitionIndex,
      leaderId: 0,
      leaderEpoch: 0,
      highWatermark: 0,
      currentVoters: [],
      observers: [],
    })),
  }))
}

function directoryOf(image: MetadataImage, brokerId: number): string | undefined {
  return image.brokers.get(brokerId)?.directoryId
}

/** How this listener reaches the voters. */
function nodesOf(context: Context, listenerName: string) {
  const image = context.image()
  const endpoint = endpointsOf(image, listenerName).get(image.controllerId)
  if (endpoint === undefined) return []
  return [{ nodeId: endpoint.brokerId, listeners: [{ name: listenerName, host: endpoint.host, port: endpoint.port }] }]
}
