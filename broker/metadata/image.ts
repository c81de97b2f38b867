// The cluster's metadata at one moment: an immutable value that everybody may read and keep. A new image shares everything that did
// not change with the one before it. Only replay.ts makes new ones; who wants to know about changes subscribes to the loader.
import type { Uuid } from '../base/uuid.ts'
import { ShardedMap } from './sharded-map.ts'

export type Listener = {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly securityProtocol: string
}

export type BrokerImage = {
  readonly brokerId: number
  /** Grows with every registration of any broker: names one life of this one (KIP-903). */
  readonly brokerEpoch: number
  readonly incarnation: Uuid
  readonly directoryId: Uuid
  readonly rack: string | null
  readonly isFenced: boolean
  /** It stops cleanly: it leads nothing any more and shall not again in this life, but still answers. */
  readonly isStopping: boolean
  readonly listeners: readonly Listener[]
}

export type PartitionImage = {
  readonly partition: number
  /** The first one is the preferred leader. */
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** NO_LEADER when nobody may lead. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly addingReplicas: readonly number[]
  readonly removingReplicas: readonly number[]
}

export type TopicImage = {
  readonly name: string
  readonly topicId: Uuid
  /** Indexed by partition. */
  readonly partitions: readonly PartitionImage[]
  /** Only what was set for this topic. */
  readonly configs: ReadonlyMap<string, string>
}

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** What SCRAM needs to know of a password (RFC 5802); the bytes in base64. */
export type ScramCredential = {
  readonly salt: string
  readonly storedKey: string
  readonly serverKey: string
  readonly iterations: number
}

export type ScramCredentials = { readonly [Mechanism in ScramMechanism]?: ScramCredential }

/** Whose quota it is: a name, or null for everybody of that type who has no quota of their own. */
export type QuotaEntity = { readonly [Type in 'user' | 'client-id' | 'ip']?: string | null }

export type ClientQuota = { readonly entity: QuotaEntity; readonly values: ReadonlyMap<string, number> }

export type MetadataImage = {
  /** How many records made this image since the cluster was created; grows with each. */
  readonly version: number
  readonly clusterId: string
  /** The broker that decides, and the election epoch it does so in; -1 before there was one. */
  readonly controllerId: number
  readonly controllerEpoch: number
  readonly topics: ShardedMap<TopicImage>
  readonly topicNames: ShardedMap<string>
  /** Names with '.' or '_' under the form that no two topics may share (topic-names.ts). */
  readonly unifiedNames: ShardedMap<string>
  readonly brokers: ReadonlyMap<number, BrokerImage>
  /** What was set with IncrementalAlterConfigs: under '' for all brokers, under a node id for one. */
  readonly brokerConfigs: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** What was set for groups, and for subscriptions to clients' metrics, by name. */
  readonly groupConfigs: ShardedMap<ReadonlyMap<string, string>>
  readonly clientMetricsConfigs: ShardedMap<ReadonlyMap<string, string>>
  readonly features: ReadonlyMap<string, number>
  /** By the name of the user. */
  readonly scramCredentials: ShardedMap<ScramCredentials>
  /** By `quotaKey` of the entity. */
  readonly clientQuotas: ShardedMap<ClientQuota>
  readonly nextProducerId: number
  readonly partitionCount: number
}

export const NO_LEADER = -1

/** Whether a broker may lead partitions and be in their ISR. */
export function isLive(image: MetadataImage, brokerId: number): boolean {
  const broker = image.brokers.get(brokerId)
  return broker !== undefined && !broker.isFenced && !broker.isStopping
}

export const emptyImage: MetadataImage = {
  version: 0,
  clusterId: '',
  controllerId: -1,
  controllerEpoch: -1,
  topics: ShardedMap.empty<TopicImage>(),
  topicNames: ShardedMap.empty<string>(),
  unifiedNames: ShardedMap.empty<string>(),
  brokers: new Map(),
  brokerConfigs: new Map(),
  groupConfigs: ShardedMap.empty<ReadonlyMap<string, string>>(),
  clientMetricsConfigs: ShardedMap.empty<ReadonlyMap<string, string>>(),
  features: new Map(),
  scramCredentials: ShardedMap.empty<ScramCredentials>(),
  clientQuotas: ShardedMap.empty<ClientQuota>(),
  nextProducerId: 0,
  partitionCount: 0,
}

/** The topic with this id, if there is one. */
export function topicById(image: MetadataImage, topicId: Uuid): TopicImage | undefined {
  const name = image.topicNames.get(topicId)
  return name === undefined ? undefined : image.topics.get(name)
}

/** Names an entity, whatever its names look like: each part is absent, the default, or a name with its length. */
export function quotaKey(entity: QuotaEntity): string {
  return quotaPart(entity.user) + quotaPart(entity['client-id']) + quotaPart(entity.ip)
}

function quotaPart(name: string | null | undefined): string {
  if (name === undefined) return '-'
  return name === null ? '*' : `${name.length}:${name}`
}

/** Topics that the broker itself keeps state in; clients may not write to them or create them by accident (KIP-360, KIP-932). */
export function isInternalTopic(name: string): boolean {
  return name === '__consumer_offsets' || name === '__transaction_state' || name === '__share_group_state'
}
