// What each record does to the metadata image: the only writer. Pure in what it produces: an image that was handed out before never
// changes. A record that does not fit the image means that the log and we disagree about history, which no answer can repair: an assertion.
import { assert } from '../base/assert.ts'
import { emptyImage, NO_LEADER, quotaKey } from './image.ts'
import type { BrokerImage, MetadataImage, PartitionImage, TopicImage } from './image.ts'
import type { MetadataRecord, NewPartition, PartitionChange } from './records.ts'
import type { Edit, ShardedMap } from './sharded-map.ts'
import { unifiedName } from './topic-names.ts'

/** A holder of the newest image, so that who decides sees what it has just emitted. */
export type MetadataState = {
  image: MetadataImage
  /** The maps of images since the last `seal` are built in place under this one; null copies with each record. */
  edit: Edit | null
}

/** The newest image, to be handed out: it never changes from here on. Images between two seals must not be kept. */
export function seal(state: MetadataState): MetadataImage {
  state.edit = { kind: 'edit' }
  return state.image
}

type RecordOf<Kind extends MetadataRecord['kind']> = Extract<MetadataRecord, { kind: Kind }>

export function replay(state: MetadataState, record: MetadataRecord): void {
  state.image = { ...apply(state.image, record, state.edit), version: nextVersion(state.image, record) }
}

function nextVersion(image: MetadataImage, record: MetadataRecord): number {
  return record.kind === 'snapshot-ended' ? record.imageVersion : image.version + 1
}

function apply(image: MetadataImage, record: MetadataRecord, edit: Edit | null): MetadataImage {
  switch (record.kind) {
    case 'cluster-created':
      assert(image.clusterId === '', 'a cluster is created once')
      return { ...image, clusterId: record.clusterId }
    case 'controller-started':
      return { ...image, controllerId: record.brokerId, controllerEpoch: record.epoch }
    case 'topic-created':
      return topicCreated(image, record, edit)
    case 'topic-deleted':
      return topicDeleted(image, record, edit)
    case 'partitions-created':
      return partitionsCreated(image, record, edit)
    case 'partitions-changed':
      return partitionsChanged(image, record, edit)
    case 'config-changed':
      return configChanged(image, record, edit)
    case 'broker-registered': {
      const { kind: _, ...broker } = record
      return withBroker(image, { ...broker, isStopping: false })
    }
    case 'broker-fencing-changed':
      return withBroker(image, {
        ...knownBroker(image, record.brokerId, record.brokerEpoch),
        isFenced: record.isFenced,
      })
    case 'broker-stopping':
      return withBroker(image, {
        ...knownBroker(image, record.brokerId, record.brokerEpoch),
        isStopping: true,
      })
    case 'broker-unregistered': {
      knownBroker(image, record.brokerId, record.brokerEpoch)
      const brokers = new Map(image.brokers)
      brokers.delete(record.brokerId)
      return { ...image, brokers }
    }
    case 'feature-level-set':
      return { ...image, features: withEntry(image.features, record.name, record.level === 0 ? null : record.level) }
    case 'producer-ids-allocated':
      assert(record.nextProducerId >= image.nextProducerId, 'producer ids are handed out once')
      return { ...image, nextProducerId: record.nextProducerId }
    case 'scram-credential-set': {
      const { kind: _, user, mechanism, ...credential } = record
      const before = image.scramCredentials.get(user)
      return {
        ...image,
        scramCredentials: image.scramCredentials.with(user, { ...before, [mechanism]: credential }, edit),
      }
    }
    case 'scram-credential-removed':
      return scramCredentialRemoved(image, record, edit)
    case 'client-quota-changed':
      return clientQuotaChanged(image, record, edit)
    case 'snapshot-started':
      return { ...emptyImage, version: image.version }
    case 'snapshot-ended':
      return image
  }
}

function topicCreated(image: MetadataImage, record: RecordOf<'topic-created'>, edit: Edit | null): MetadataImage {
  const { name, topicId } = record
  assert(!image.topics.has(name) && !image.topicNames.has(topicId), `the topic ${name} is created once`)
  const partitions = record.partitions.map((partition, index) => newPartition(partition, index))
  const configs = new Map(Object.entries(record.configs))
  const unified = unifiedName(name)
  return {
    ...image,
    topics: image.topics.with(name, { name, topicId, partitions, configs }, edit),
    topicNames: image.topicNames.with(topicId, name, edit),
    unifiedNames: unified === null ? image.unifiedNames : image.unifiedNames.with(unified, name, edit),
    partitionCount: image.partitionCount + partitions.length,
  }
}

function topicDeleted(image: MetadataImage, record: RecordOf<'topic-deleted'>, edit: Edit | null): MetadataImage {
  const topic = knownTopic(image, record.topicId)
  const unified = unifiedName(topic.name)
  return {
    ...image,
    topics: image.topics.without(topic.name, edit),
    topicNames: image.topicNames.without(topic.topicId, edit),
    unifiedNames: unified === null ? image.unifiedNames : image.unifiedNames.without(unified, edit),
    partitionCount: image.partitionCount - topic.partitions.length,
  }
}

function partitionsCreated(
  image: MetadataImage,
  record: RecordOf<'partitions-created'>,
  edit: Edit | null,
): MetadataImage {
  const topic = knownTopic(image, record.topicId)
  const first = record.firstPartition
  assert(first === topic.partitions.length, `new partitions of ${topic.name} follow the last one`)
  const added = record.partitions.map((partition, index) => newPartition(partition, first + index))
  return {
    ...withTopic(image, { ...topic, partitions: topic.partitions.concat(added) }, edit),
    partitionCount: image.partitionCount + added.length,
  }
}

function partitionsChanged(
  image: MetadataImage,
  record: RecordOf<'partitions-changed'>,
  edit: Edit | null,
): MetadataImage {
  const topic = knownTopic(image, record.topicId)
  const partitions = topic.partitions.slice()
  for (const change of record.changes) {
    const before = partitions[change.partition]
    assert(before !== undefined, `${topic.name} has a partition ${change.partition}`)
    partitions[change.partition] = changed(topic.name, before, change)
  }
  return withTopic(image, { ...topic, partitions }, edit)
}

function newPartition(start: NewPartition, partition: number): PartitionImage {
  const isr = start.isr ?? start.replicas
  return checked({
    partition,
    replicas: start.replicas,
    isr,
    leader: start.leader ?? isr[0] ?? NO_LEADER,
    leaderEpoch: start.leaderEpoch ?? 0,
    partitionEpoch: start.partitionEpoch ?? 0,
    addingReplicas: start.addingReplicas ?? NO_REPLICAS,
    removingReplicas: start.removingReplicas ?? NO_REPLICAS,
  })
}

const NO_REPLICAS: readonly number[] = []

function changed(name: string, before: PartitionImage, change: PartitionChange): PartitionImage {
  const leaderEpoch = change.leaderEpoch ?? before.leaderEpoch
  assert(change.partitionEpoch > before.partitionEpoch, `the partition epoch of ${name}-${before.partition} only grows`)
  assert(leaderEpoch >= before.leaderEpoch, `the leader epoch of ${name}-${before.partition} only grows`)
  return checked({
    partition: before.partition,
    replicas: change.replicas ?? before.replicas,
    isr: change.isr ?? before.isr,
    leader: change.leader ?? before.leader,
    leaderEpoch,
    partitionEpoch: change.partitionEpoch,
    addingReplicas: change.addingReplicas ?? before.addingReplicas,
    removingReplicas: change.removingReplicas ?? before.removingReplicas,
  })
}

function checked(partition: PartitionImage): PartitionImage {
  const { replicas, isr, leader } = partition
  assert(replicas.length > 0, 'a partition has replicas')
  assert(
    isr.every(id => replicas.includes(id)),
    'the ISR is a part of the replicas',
  )
  assert(leader === NO_LEADER || isr.includes(leader), 'the leader is in the ISR')
  return partition
}

function configChanged(image: MetadataImage, record: RecordOf<'config-changed'>, edit: Edit | null): MetadataImage {
  switch (record.type) {
    case 'topic':
      return topicConfigChanged(image, record, edit)
    case 'broker':
      return brokerConfigChanged(image, record)
    case 'group':
      return { ...image, groupConfigs: withConfig(image.groupConfigs, record, edit) }
    case 'client-metrics':
      return { ...image, clientMetricsConfigs: withConfig(image.clientMetricsConfigs, record, edit) }
  }
}

function withConfig(
  configs: ShardedMap<ReadonlyMap<string, string>>,
  { resource, key, value }: RecordOf<'config-changed'>,
  edit: Edit | null,
): ShardedMap<ReadonlyMap<string, string>> {
  const after = withEntry(configs.get(resource) ?? new Map<string, string>(), key, value)
  return after.size === 0 ? configs.without(resource, edit) : configs.with(resource, after, edit)
}

function topicConfigChanged(
  image: MetadataImage,
  record: RecordOf<'config-changed'>,
  edit: Edit | null,
): MetadataImage {
  const topic = image.topics.get(record.resource)
  assert(topic !== undefined, `the topic ${record.resource} exists when its configuration changes`)
  return withTopic(image, { ...topic, configs: withEntry(topic.configs, record.key, record.value) }, edit)
}

function brokerConfigChanged(image: MetadataImage, record: RecordOf<'config-changed'>): MetadataImage {
  const before = image.brokerConfigs.get(record.resource) ?? new Map<string, string>()
  const after = withEntry(before, record.key, record.value)
  return { ...image, brokerConfigs: withEntry(image.brokerConfigs, record.resource, after.size === 0 ? null : after) }
}

function scramCredentialRemoved(
  image: MetadataImage,
  { user, mechanism }: RecordOf<'scram-credential-removed'>,
  edit: Edit | null,
): MetadataImage {
  const before = image.scramCredentials.get(user)
  assert(before?.[mechanism] !== undefined, `the ${mechanism} credential of ${user} exists when it is removed`)
  const { [mechanism]: _, ...others } = before
  const isLast = Object.keys(others).length === 0
  const { scramCredentials } = image
  return {
    ...image,
    scramCredentials: isLast ? scramCredentials.without(user, edit) : scramCredentials.with(user, others, edit),
  }
}

function clientQuotaChanged(
  image: MetadataImage,
  { entity, key, value }: RecordOf<'client-quota-changed'>,
  edit: Edit | null,
): MetadataImage {
  const name = quotaKey(entity)
  const { clientQuotas } = image
  const values = withEntry(clientQuotas.get(name)?.values ?? new Map<string, number>(), key, value)
  return {
    ...image,
    clientQuotas:
      values.size === 0 ? clientQuotas.without(name, edit) : clientQuotas.with(name, { entity, values }, edit),
  }
}

function withTopic(image: MetadataImage, topic: TopicImage, edit: Edit | null): MetadataImage {
  return { ...image, topics: image.topics.with(topic.name, topic, edit) }
}

function withBroker(image: MetadataImage, broker: BrokerImage): MetadataImage {
  return { ...image, brokers: new Map(image.brokers).set(broker.brokerId, broker) }
}

function withEntry<V>(map: ReadonlyMap<string, V>, key: string, value: V | null): ReadonlyMap<string, V> {
  const copy = new Map(map)
  if (value === null) copy.delete(key)
  else copy.set(key, value)
  return copy
}

function knownTopic(image: MetadataImage, topicId: string): TopicImage {
  const name = image.topicNames.get(topicId)
  const topic = name === undefined ? undefined : image.topics.get(name)
  assert(topic !== undefined, `the topic with the id ${topicId} exists`)
  return topic
}

function knownBroker(image: MetadataImage, brokerId: number, brokerEpoch: number): BrokerImage {
  const broker = image.brokers.get(brokerId)
  assert(broker?.brokerEpoch === brokerEpoch, `broker ${brokerId} is registered with epoch ${brokerEpoch}`)
  return broker
}
