// What the metadata log consists of, and how a record is written in it: JSON with its kind and version, readable with any consumer. A
// record states a fact with explicit values and never a rule ("leader of partition 3 is 2 in epoch 7", not "elect"), so that it means
// the same to every version of the broker that replays it. See replay.ts for what each does to the image.
import type { Codec } from '../machine/journal.ts'
import type { Uuid } from '../base/uuid.ts'
import type { Listener } from './image.ts'

/** A partition as it starts: `isr` is all replicas and `leader` the first of the ISR unless said otherwise. */
export type NewPartition = { readonly replicas: readonly number[]; readonly isr?: readonly number[]; readonly leader?: number }

/** The fields of a partition that change; both epochs are the ones after the change. */
export type PartitionChange = {
  readonly partition: number
  readonly partitionEpoch: number
  readonly leaderEpoch?: number
  readonly leader?: number
  readonly isr?: readonly number[]
  readonly replicas?: readonly number[]
  readonly addingReplicas?: readonly number[]
  readonly removingReplicas?: readonly number[]
}

export type MetadataRecord =
  | { readonly kind: 'cluster-created'; readonly clusterId: string }
  | { readonly kind: 'controller-started'; readonly brokerId: number; readonly epoch: number }
  | {
      readonly kind: 'topic-created'
      readonly topicId: Uuid
      readonly name: string
      readonly partitions: readonly NewPartition[]
      readonly configs: Readonly<Record<string, string>>
    }
  | { readonly kind: 'topic-deleted'; readonly topicId: Uuid }
  | {
      readonly kind: 'partitions-created'
      readonly topicId: Uuid
      readonly firstPartition: number
      readonly partitions: readonly NewPartition[]
    }
  | { readonly kind: 'partitions-changed'; readonly topicId: Uuid; readonly changes: readonly PartitionChange[] }
  /** `resource` is a topic's name, a node id, or '' for all brokers; null removes the key. */
  | {
      readonly kind: 'config-changed'
      readonly type: 'topic' | 'broker'
      readonly resource: string
      readonly key: string
      readonly value: string | null
    }
  | {
      readonly kind: 'broker-registered'
      readonly brokerId: number
      readonly brokerEpoch: number
      readonly incarnation: Uuid
      readonly directoryId: Uuid
      readonly rack: string | null
      readonly isFenced: boolean
      readonly listeners: readonly Listener[]
    }
  | { readonly kind: 'broker-fencing-changed'; readonly brokerId: number; readonly brokerEpoch: number; readonly isFenced: boolean }
  | { readonly kind: 'broker-unregistered'; readonly brokerId: number; readonly brokerEpoch: number }
  | { readonly kind: 'feature-level-set'; readonly name: string; readonly level: number }
  | {
      readonly kind: 'producer-ids-allocated'
      readonly brokerId: number
      readonly brokerEpoch: number
      readonly nextProducerId: number
    }
  /** What follows, up to the end of its append, is the whole state as of `version`; everything before is void. */
  | { readonly kind: 'snapshot-started'; readonly version: number }

export declare const metadataCodec: Codec<MetadataRecord>
