// The whole image as records, so that the metadata log can be cut: what lies between 'snapshot-started' and 'snapshot-ended' replays
// to the same image. Not here: when to write one and where it is kept (controller.ts, machine/journal.ts).
import type { MetadataImage, PartitionImage, ScramMechanism, TopicImage } from './image.ts'
import type { MetadataRecord, NewPartition } from './records.ts'

export function snapshot(image: MetadataImage): MetadataRecord[] {
  const records: MetadataRecord[] = [
    { kind: 'snapshot-started' },
    { kind: 'cluster-created', clusterId: image.clusterId },
    { kind: 'controller-started', brokerId: image.controllerId, epoch: image.controllerEpoch },
  ]
  for (const [name, level] of image.features) records.push({ kind: 'feature-level-set', name, level })
  for (const { isStopping, ...broker } of image.brokers.values()) {
    const { brokerId, brokerEpoch } = broker
    records.push({ kind: 'broker-registered', ...broker })
    if (isStopping) records.push({ kind: 'broker-stopping', brokerId, brokerEpoch })
  }
  for (const [resource, configs] of image.brokerConfigs) {
    for (const [key, value] of configs) records.push({ kind: 'config-changed', type: 'broker', resource, key, value })
  }
  for (const [resource, configs] of image.groupConfigs) {
    for (const [key, value] of configs) records.push({ kind: 'config-changed', type: 'group', resource, key, value })
  }
  for (const [resource, configs] of image.clientMetricsConfigs) {
    for (const [key, value] of configs) {
      records.push({ kind: 'config-changed', type: 'client-metrics', resource, key, value })
    }
  }
  for (const topic of image.topics.values()) records.push(topicRecord(topic))
  for (const [user, credentials] of image.scramCredentials) {
    for (const [mechanism, credential] of Object.entries(credentials)) {
      records.push({ kind: 'scram-credential-set', user, mechanism: mechanism as ScramMechanism, ...credential })
    }
  }
  for (const { entity, values } of image.clientQuotas.values()) {
    for (const [key, value] of values) records.push({ kind: 'client-quota-changed', entity, key, value })
  }
  records.push({
    kind: 'producer-ids-allocated',
    brokerId: image.controllerId,
    brokerEpoch: image.brokers.get(image.controllerId)?.brokerEpoch ?? -1,
    nextProducerId: image.nextProducerId,
  })
  records.push({ kind: 'snapshot-ended', imageVersion: image.version })
  return records
}

function topicRecord(topic: TopicImage): MetadataRecord {
  return {
    kind: 'topic-created',
    topicId: topic.topicId,
    name: topic.name,
    partitions: topic.partitions.map(asNew),
    configs: Object.fromEntries(topic.configs),
  }
}

// Leaves out what a new partition has anyway, which is most of it.
function asNew(partition: PartitionImage): NewPartition {
  const { replicas, isr, leader, leaderEpoch, partitionEpoch, addingReplicas, removingReplicas } = partition
  const isInSync = isr.length === replicas.length && isr.every((id, at) => id === replicas[at])
  return {
    replicas,
    ...(isInSync ? {} : { isr }),
    ...(leader === isr[0] ? {} : { leader }),
    ...(leaderEpoch === 0 ? {} : { leaderEpoch }),
    ...(partitionEpoch === 0 ? {} : { partitionEpoch }),
    ...(addingReplicas.length === 0 ? {} : { addingReplicas }),
    ...(removingReplicas.length === 0 ? {} : { removingReplicas }),
  }
}
