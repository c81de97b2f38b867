// The topics that coordinators keep their state in, and how they come to be: on demand, with Kafka's configuration
// (DefaultAutoTopicCreationManager). Not here: what is kept in them.
import type { BrokerConfig } from '../config/broker-config.ts'
import { isLive, type MetadataImage } from '../metadata/image.ts'
import type { TopicToCreate } from '../metadata/topics.ts'

export type InternalTopic = '__consumer_offsets' | '__transaction_state'

/**
 * What to ask the controller for. A cluster with fewer brokers than the replication factor asks for gets as many replicas as there are
 * brokers: a single broker must be able to coordinate groups with the configuration as it comes.
 */
export function internalTopic(name: InternalTopic, config: BrokerConfig, image: MetadataImage): TopicToCreate {
  const { partitions, replicationFactor, configs } =
    name === '__consumer_offsets' ? offsets(config) : transactions(config)
  let brokers = 0
  for (const brokerId of image.brokers.keys()) if (isLive(image, brokerId)) brokers++
  return {
    name,
    numPartitions: partitions,
    replicationFactor: Math.max(1, Math.min(replicationFactor, brokers)),
    assignments: [],
    configs,
  }
}

type Settings = {
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: TopicToCreate['configs']
}

function offsets(config: BrokerConfig): Settings {
  return {
    partitions: config.offsetsTopicNumPartitions,
    replicationFactor: config.offsetsTopicReplicationFactor,
    configs: [
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'segment.bytes', value: String(config.offsetsTopicSegmentBytes) },
      { name: 'compression.type', value: 'producer' },
    ],
  }
}

function transactions(config: BrokerConfig): Settings {
  return {
    partitions: config.transactionStateLogNumPartitions,
    replicationFactor: config.transactionStateLogReplicationFactor,
    configs: [
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'segment.bytes', value: String(config.transactionStateLogSegmentBytes) },
      { name: 'compression.type', value: 'uncompressed' },
      { name: 'min.insync.replicas', value: String(config.transactionStateLogMinIsr) },
      { name: 'unclean.leader.election.enable', value: 'false' },
    ],
  }
}
