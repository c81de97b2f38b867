// How Metadata and DescribeTopicPartitions show a partition: who leads it and who is away, as seen from the listener that the client
// came in on (org.apache.kafka.metadata.KRaftMetadataCache). Pure.
import type { BrokerImage, MetadataImage, PartitionImage } from '../metadata/image.ts'
import { NO_LEADER } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'

export type Endpoint = {
  readonly brokerId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
  readonly isFenced: boolean
}

/** The brokers as clients of this listener reach them, by id. Fenced ones are in it. */
export function endpointsOf(image: MetadataImage, listenerName: string): Map<number, Endpoint> {
  const endpoints = new Map<number, Endpoint>()
  for (const broker of image.brokers.values()) {
    const endpoint = endpointOf(broker, listenerName)
    if (endpoint !== null) endpoints.set(broker.brokerId, endpoint)
  }
  return endpoints
}

function endpointOf(broker: BrokerImage, listenerName: string): Endpoint | null {
  const listener = broker.listeners.find(candidate => candidate.name === listenerName)
  if (listener === undefined) return null
  const { brokerId, rack, isFenced } = broker
  return { brokerId, host: listener.host, port: listener.port, rack, isFenced }
}

export function isAlive(endpoints: ReadonlyMap<number, Endpoint>, brokerId: number): boolean {
  return endpoints.get(brokerId)?.isFenced === false
}

export type DescribedPartition = {
  readonly errorCode: ErrorCode
  readonly partitionIndex: number
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  readonly offlineReplicas: readonly number[]
}

/** What the client's version can be told. */
export type Telling = {
  /** LISTENER_NOT_FOUND for a leader that this listener does not reach (KIP-226); LEADER_NOT_AVAILABLE before. */
  readonly listenerNotFound: boolean
  /** Only replicas that live, and an error when some do not: what Metadata 0 did. */
  readonly onlyAlive: boolean
}

export const TELL_ALL: Telling = { listenerNotFound: true, onlyAlive: false }

export function describePartition(
  partition: PartitionImage,
  image: MetadataImage,
  endpoints: ReadonlyMap<number, Endpoint>,
  telling: Telling,
): DescribedPartition {
  const { replicas, isr } = partition
  const isReachable = isAlive(endpoints, partition.leader)
  const offlineReplicas = replicas.filter(brokerId => !isAlive(endpoints, brokerId))
  return {
    errorCode: isReachable
      ? telling.onlyAlive && offlineReplicas.length > 0
        ? ErrorCode.REPLICA_NOT_AVAILABLE
        : ErrorCode.NONE
      : whyUnreachable(partition.leader, image, telling),
    partitionIndex: partition.partition,
    leaderId: isReachable ? partition.leader : NO_LEADER,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: telling.onlyAlive ? replicas.filter(brokerId => isAlive(endpoints, brokerId)) : replicas,
    isrNodes: telling.onlyAlive ? isr.filter(brokerId => isAlive(endpoints, brokerId)) : isr,
    offlineReplicas,
  }
}

function whyUnreachable(leader: number, image: MetadataImage, telling: Telling): ErrorCode {
  const isLive = image.brokers.get(leader)?.isFenced === false
  return isLive && telling.listenerNotFound ? ErrorCode.LISTENER_NOT_FOUND : ErrorCode.LEADER_NOT_AVAILABLE
}
