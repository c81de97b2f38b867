// Hands every committed image to whoever acts on it, with what changed since the one before. Not here: making images (replay.ts), and
// acting on them (replication/replicas.ts, coordinators).
import type { Uuid } from '../base/uuid.ts'
import { emptyImage, topicById, type MetadataImage, type TopicImage } from './image.ts'
import type { MetadataRecord } from './records.ts'

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

export type Subscriber = (delta: MetadataDelta, image: MetadataImage) => void

export class Publisher {
  readonly #subscribers = new Set<Subscriber>()
  #image: MetadataImage = emptyImage

  /** The newest committed image. */
  get image(): MetadataImage {
    return this.#image
  }

  /** Calls `subscriber` at once with everything, then after each commit, in order. Returns how to stop. */
  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber)
    subscriber(wholeDelta(emptyImage, this.#image), this.#image)
    return () => void this.#subscribers.delete(subscriber)
  }

  /** `records` are what was committed since the image published before. */
  publish(records: readonly MetadataRecord[], image: MetadataImage): void {
    this.#hand(deltaOf(records, this.#image, image), image)
  }

  /** The state was rebuilt: nobody knows which records lie between the image published before and this one. */
  publishAll(image: MetadataImage): void {
    this.#hand(wholeDelta(this.#image, image), image)
  }

  #hand(delta: MetadataDelta, image: MetadataImage): void {
    this.#image = image
    for (const subscriber of this.#subscribers) subscriber(delta, image)
  }
}

function wholeDelta(before: MetadataImage, after: MetadataImage): MetadataDelta {
  const deletedTopics = new Map<Uuid, TopicImage>()
  for (const topic of before.topics.values()) {
    if (!after.topicNames.has(topic.topicId)) deletedTopics.set(topic.topicId, topic)
  }
  return {
    changedTopics: new Set(after.topicNames.keys()),
    deletedTopics,
    changedBrokers: new Set([...before.brokers.keys(), ...after.brokers.keys()]),
    changedBrokerConfigs: new Set([...before.brokerConfigs.keys(), ...after.brokerConfigs.keys()]),
  }
}

function deltaOf(records: readonly MetadataRecord[], before: MetadataImage, after: MetadataImage): MetadataDelta {
  const changedTopics = new Set<Uuid>()
  const deletedTopics = new Map<Uuid, TopicImage>()
  const changedBrokers = new Set<number>()
  const changedBrokerConfigs = new Set<string>()
  for (const record of records) {
    switch (record.kind) {
      case 'topic-created':
      case 'partitions-created':
      case 'partitions-changed':
        changedTopics.add(record.topicId)
        break
      case 'topic-deleted': {
        // Created and deleted in one go: nobody has heard of it.
        const topic = topicById(before, record.topicId)
        if (topic !== undefined) deletedTopics.set(record.topicId, topic)
        break
      }
      case 'config-changed': {
        if (record.type === 'broker') changedBrokerConfigs.add(record.resource)
        const topicId = record.type === 'topic' ? after.topics.get(record.resource)?.topicId : undefined
        if (topicId !== undefined) changedTopics.add(topicId)
        break
      }
      case 'broker-registered':
      case 'broker-fencing-changed':
      case 'broker-stopping':
      case 'broker-unregistered':
        changedBrokers.add(record.brokerId)
        break
      default:
    }
  }
  for (const topicId of changedTopics) if (!after.topicNames.has(topicId)) changedTopics.delete(topicId)
  return { changedTopics, deletedTopics, changedBrokers, changedBrokerConfigs }
}
