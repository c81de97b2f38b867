// What the metadata log consists of, and how a record is written in it: JSON with its kind and version, readable with any consumer. A
// record states a fact with explicit values and never a rule ("leader of partition 3 is 2 in epoch 7", not "elect"), so that it means
// the same to every version of the broker that replays it. See replay.ts for what each does to the image.
import { assert } from '../base/assert.ts'
import type { Uuid } from '../base/uuid.ts'
import type { Codec } from '../machine/journal.ts'
import type { Listener, QuotaEntity, ScramMechanism } from './image.ts'
import { checkFields, recordShapes } from './record-shapes.ts'

/**
 * A partition as it starts: `isr` is all replicas, `leader` the first of the ISR and both epochs 0, nothing is being added or
 * removed, unless said otherwise (a snapshot says so).
 */
export type NewPartition = {
  readonly replicas: readonly number[]
  readonly isr?: readonly number[]
  readonly leader?: number
  readonly leaderEpoch?: number
  readonly partitionEpoch?: number
  readonly addingReplicas?: readonly number[]
  readonly removingReplicas?: readonly number[]
}

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
  /** `resource` is the name of a topic, group or subscription, a node id, or '' for all brokers; null removes the key. */
  | {
      readonly kind: 'config-changed'
      readonly type: 'topic' | 'broker' | 'group' | 'client-metrics'
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
  | {
      readonly kind: 'broker-fencing-changed'
      readonly brokerId: number
      readonly brokerEpoch: number
      readonly isFenced: boolean
    }
  | { readonly kind: 'broker-stopping'; readonly brokerId: number; readonly brokerEpoch: number }
  | { readonly kind: 'broker-unregistered'; readonly brokerId: number; readonly brokerEpoch: number }
  | { readonly kind: 'feature-level-set'; readonly name: string; readonly level: number }
  | {
      readonly kind: 'producer-ids-allocated'
      readonly brokerId: number
      readonly brokerEpoch: number
      readonly nextProducerId: number
    }
  | {
      readonly kind: 'scram-credential-set'
      readonly user: string
      readonly mechanism: ScramMechanism
      /** These three in base64. */
      readonly salt: string
      readonly storedKey: string
      readonly serverKey: string
      readonly iterations: number
    }
  | { readonly kind: 'scram-credential-removed'; readonly user: string; readonly mechanism: ScramMechanism }
  /** Null removes the quota. */
  | {
      readonly kind: 'client-quota-changed'
      readonly entity: QuotaEntity
      readonly key: string
      readonly value: number | null
    }
  /** What lies between these two is the whole state, as it was after `imageVersion` records; everything before is void. */
  | { readonly kind: 'snapshot-started' }
  | { readonly kind: 'snapshot-ended'; readonly imageVersion: number }

/** The metadata log has a record that this version of the broker does not understand, or that is damaged. */
export class MetadataRecordError extends Error {}

/** A record as the value of a Kafka record without a key: JSON with `kind` and `version` first. */
export const metadataCodec: Codec<MetadataRecord> = {
  encode(record) {
    const { kind, ...fields } = record
    const problem = checkFields(kind, fields)
    assert(problem === null, `metadata records are well-formed: ${problem}`)
    return { key: null, value: Buffer.from(JSON.stringify({ kind, version: recordShapes[kind].version, ...fields })) }
  },

  decode(_key, value) {
    if (value === null) throw new MetadataRecordError('the metadata log has a record without a value')
    const { kind, version, ...fields } = parse(value)
    if (!isKnown(kind)) throw newer(`a record of the kind '${String(kind)}'`)
    if (typeof version !== 'number' || version > recordShapes[kind].version) {
      throw newer(`version ${String(version)} of the record '${kind}'`)
    }
    const problem = checkFields(kind, fields)
    if (problem !== null) throw new MetadataRecordError(`the metadata log is damaged: ${problem}`)
    return { kind, ...fields } as MetadataRecord
  },
}

function parse(value: Buffer): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(value.toString())
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>
  } catch (cause) {
    throw new MetadataRecordError('the metadata log is damaged: a record is not JSON', { cause })
  }
  throw new MetadataRecordError('the metadata log is damaged: a record is not an object')
}

function isKnown(kind: unknown): kind is MetadataRecord['kind'] {
  return typeof kind === 'string' && Object.hasOwn(recordShapes, kind)
}

function newer(what: string): MetadataRecordError {
  return new MetadataRecordError(
    `the metadata log has ${what}, which this version of Flotilla does not know: it was written by a newer one. ` +
      'Start that version, or a newer one, on this data.',
  )
}
