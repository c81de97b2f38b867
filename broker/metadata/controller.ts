// The one broker that decides about the cluster's metadata: ties the decide functions of this folder to the metadata journal, and
// hands every committed change to subscribers. Not here: the rules (topics.ts, configs.ts, brokers.ts) and who is the controller (election/).
import type { MetadataImage, Listener, TopicImage } from './image.ts'
import type { MetadataRecord } from './records.ts'
import type { Uuid } from '../base/uuid.ts'
import type { ErrorCode } from '../protocol/errors.ts'

/** What changed between the image published before and this one; the first one a subscriber gets says that everything is new. */
export type MetadataDelta = {
  /** Topics created or changed (partitions, leaders, ISRs, configs), by id: look them up in the image. */
  readonly changedTopics: ReadonlySet<Uuid>
  /** Topics that are gone, as they were last. */
  readonly deletedTopics: ReadonlyMap<Uuid, TopicImage>
  readonly changedBrokers: ReadonlySet<number>
  /** Keys of `image.brokerConfigs` ('' = all brokers). */
  readonly changedBrokerConfigs: ReadonlySet<string>
}
export type Publisher = (delta: MetadataDelta, image: MetadataImage) => void

export type TopicToCreate = {
  readonly name: string
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly assignments: readonly { readonly partitionIndex: number; readonly brokerIds: readonly number[] }[]
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}
export type CreateTopicResult = {
  readonly name: string
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
  readonly topicId: Uuid
  readonly numPartitions: number
  readonly replicationFactor: number
}
export type Registration = {
  readonly brokerId: number
  readonly incarnation: Uuid
  readonly directoryId: Uuid
  readonly rack: string | null
  readonly listeners: readonly Listener[]
}

export declare class Controller {
  /** Reads the journal, takes office in `epoch`, resolves when that is committed. */
  static open(options: unknown): Promise<Controller>
  /** The newest committed image. */
  readonly image: MetadataImage
  /** Calls `publisher` at once with everything, then after each commit that changed something, in order. Returns how to stop. */
  subscribe(publisher: Publisher): () => void
  createTopics(topics: readonly TopicToCreate[], options?: { validateOnly?: boolean }): Promise<readonly CreateTopicResult[]>
  registerBroker(registration: Registration): Promise<{ brokerEpoch: number }>
  allocateProducerIds(brokerId: number): Promise<{ first: number; count: number }>
  append(records: readonly MetadataRecord[]): Promise<void>
}
