// Random requests, good and bad, against the decide functions: after every one the image must hold together, and at the end it must be what
// its records, their bytes and its snapshot replay to. A failure names the seed.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import {
  allocateProducerIds,
  registerBroker,
  setFenced,
  stopBroker,
  unregisterBroker,
} from '../../../broker/metadata/brokers.ts'
import { alterConfigs, incrementalAlterConfigs, ResourceType } from '../../../broker/metadata/configs.ts'
import { alterClientQuotas } from '../../../broker/metadata/client-quotas.ts'
import { electLeaders } from '../../../broker/metadata/elections.ts'
import { emptyImage, isLive, NO_LEADER, topicById, type MetadataImage } from '../../../broker/metadata/image.ts'
import { createPartitions } from '../../../broker/metadata/partitions.ts'
import { alterPartitionReassignments } from '../../../broker/metadata/reassignments.ts'
import { metadataCodec, type MetadataRecord } from '../../../broker/metadata/records.ts'
import { alterScramCredentials } from '../../../broker/metadata/scram-credentials.ts'
import { snapshot } from '../../../broker/metadata/snapshot.ts'
import { createTopics, deleteTopics } from '../../../broker/metadata/topics.ts'
import { updateFeatures } from '../../../broker/metadata/update-features.ts'
import { decide, imageOf, plain, seededRandom } from './images.ts'

const SEEDS = 60
const REQUESTS = 250
const NAMES = [
  'a',
  'b',
  'c.d',
  'c_d',
  'e.f',
  '',
  '..',
  'g h',
  '__consumer_offsets',
  '__cluster_metadata',
  'x'.repeat(250),
]
const KEYS = [
  'retention.ms',
  'cleanup.policy',
  'segment.bytes',
  'log.retention.ms',
  'no.such.key',
  'consumer.session.timeout.ms',
  'interval.ms',
  'min.insync.replicas',
]
const VALUES = ['1', '5', '50000', 'compact', 'delete', '', '-1', '99999999', 'nonsense', null]

class Client {
  readonly #random: ReturnType<typeof seededRandom>

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  below(limit: number): number {
    return Math.floor(this.#random.next() * limit)
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  some<T>(make: () => T, most = 3): T[] {
    return Array.from({ length: this.below(most + 1) }, make)
  }

  brokers(): number[] {
    return this.some(() => this.below(5), 4)
  }

  /** One request: what it decides. */
  ask(image: MetadataImage, emit: (record: MetadataRecord) => void): unknown {
    const validateOnly = this.below(10) === 0
    const random = this.#random
    switch (this.below(15)) {
      case 0:
      case 1:
        return createTopics(
          image,
          this.some(() => ({
            name: this.of(NAMES),
            numPartitions: this.below(8) - 2,
            replicationFactor: this.below(5) - 2,
            assignments:
              this.below(4) === 0
                ? this.some(() => ({ partitionIndex: this.below(3), brokerIds: this.brokers() }))
                : [],
            configs: this.some(() => ({ name: this.of(KEYS), value: this.of(VALUES) }), 1),
          })),
          { validateOnly, random, defaultNumPartitions: 1, defaultReplicationFactor: 2 },
          emit,
        )
      case 2:
        return deleteTopics(
          image,
          this.some(() => ({
            name: this.below(2) === 0 ? null : this.of(NAMES),
            topicId: this.of(['AAAAAAAAAAAAAAAAAAAAAA', 'unknown', ...image.topicNames.keys()]),
          })),
          emit,
        )
      case 3:
        return createPartitions(
          image,
          this.some(() => ({
            name: this.of(NAMES),
            count: this.below(12) - 1,
            assignments: this.below(3) === 0 ? this.some(() => ({ brokerIds: this.brokers() })) : null,
          })),
          { validateOnly, random },
          emit,
        )
      case 4:
        return incrementalAlterConfigs(
          image,
          this.some(() => ({
            ...this.resource(),
            configs: this.some(() => ({
              name: this.of(KEYS),
              configOperation: this.below(5),
              value: this.of(VALUES),
            })),
          })),
          { validateOnly },
          emit,
        )
      case 5:
        return alterConfigs(
          image,
          this.some(() => ({
            ...this.resource(),
            configs: this.some(() => ({ name: this.of(KEYS), value: this.of(VALUES) })),
          })),
          { validateOnly },
          emit,
        )
      case 6:
        return registerBroker(
          image,
          {
            brokerId: this.below(5),
            incarnation: `start ${this.below(1000)}`,
            directoryId: `disk ${this.below(2)}`,
            rack: this.of([null, 'r1', 'r2']),
            listeners: this.some(() => ({
              name: this.of(['A', 'B']),
              host: 'h',
              port: 1,
              securityProtocol: 'PLAINTEXT',
            })),
            isFenced: this.below(4) === 0,
            previousBrokerEpoch: this.below(50),
          },
          () => this.below(2) === 0,
          emit,
        )
      case 7: {
        const broker = this.of([...image.brokers.values()])
        if (broker === undefined) return null
        if (this.below(4) === 0) return stopBroker(image, broker.brokerId, broker.brokerEpoch, emit)
        return setFenced(image, broker.brokerId, broker.brokerEpoch, this.below(2) === 0, emit)
      }
      case 8:
        return alterScramCredentials(
          image,
          this.some(() => ({ name: this.of(NAMES), mechanism: this.below(4) })),
          this.some(() => ({
            name: this.of(NAMES),
            mechanism: this.below(4),
            iterations: 4000 + this.below(200),
            salt: random.bytes(2),
            saltedPassword: random.bytes(this.below(3)),
          })),
          emit,
        )
      case 9:
        return alterClientQuotas(
          image,
          this.some(() => ({
            entity: this.some(() => ({
              entityType: this.of(['user', 'client-id', 'ip', 'role']),
              entityName: this.of([null, '10.0.0.1', ...NAMES]),
            })),
            ops: this.some(() => ({
              key: this.of(['producer_byte_rate', 'request_percentage', 'connection_creation_rate', 'no_such_key']),
              value: this.of([1, 2.5, 0, -1, NaN, Infinity, 1e300]),
              remove: this.below(4) === 0,
            })),
          })),
          { validateOnly },
          emit,
        )
      case 10:
        return electLeaders(
          image,
          this.below(2),
          this.of([null, this.some(() => ({ topic: this.of(NAMES), partitions: this.brokers() }))]),
          emit,
        )
      case 11:
        return alterPartitionReassignments(
          image,
          this.some(() => ({
            name: this.of(NAMES),
            partitions: this.some(() => ({
              partitionIndex: this.below(4) - 1,
              replicas: this.of([null, this.brokers()]),
            })),
          })),
          emit,
        )
      case 12:
        return updateFeatures(
          image,
          this.some(() => ({
            feature: this.of(['a.version', 'b.version']),
            maxVersionLevel: this.below(6) - 1,
            upgradeType: this.below(5),
          })),
          {
            validateOnly,
            brokerId: 1,
            supported: [{ name: 'a.version', minLevel: 0, maxLevel: 3, initialLevel: 0 }],
          },
          emit,
        )
      case 13:
        return unregisterBroker(image, this.below(6), emit)
      default: {
        const broker = this.of([...image.brokers.values()])
        return allocateProducerIds(image, broker?.brokerId ?? 0, broker?.brokerEpoch ?? 0, emit)
      }
    }
  }

  resource() {
    return {
      resourceType: this.of([
        ResourceType.TOPIC,
        ResourceType.TOPIC,
        ResourceType.BROKER,
        ResourceType.GROUP,
        ResourceType.CLIENT_METRICS,
        77,
      ]),
      resourceName: this.of([...NAMES, '0', '1', '7']),
    }
  }
}

function checkHoldsTogether(before: MetadataImage, image: MetadataImage): void {
  let count = 0
  for (const [name, topic] of image.topics) {
    equal(topic.name, name)
    equal(topicById(image, topic.topicId), topic)
    for (const [index, partition] of topic.partitions.entries()) {
      const { replicas, isr, leader } = partition
      equal(partition.partition, index)
      equal(new Set(replicas).size, replicas.length, 'a replica is on its own broker')
      ok(
        isr.every(id => replicas.includes(id)),
        'the ISR is a part of the replicas',
      )
      ok(leader === NO_LEADER || isr.includes(leader), 'the leader is in sync')
      ok(leader === NO_LEADER || isLive(image, leader), 'the leader lives')
      if (leader === NO_LEADER) ok(!isr.some(id => isLive(image, id)), 'who could lead does')
      const old = topicById(before, topic.topicId)?.partitions[index]
      ok(partition.leaderEpoch >= (old?.leaderEpoch ?? 0), 'leader epochs only grow')
      if (old !== undefined && old.leader !== leader)
        ok(partition.leaderEpoch > old.leaderEpoch, 'a new leader, a new epoch')
      count++
    }
  }
  equal(image.topicNames.size, image.topics.size)
  equal(image.partitionCount, count)
  ok(image.version >= before.version)
  ok(image.nextProducerId >= before.nextProducerId)
  const epochs = [...image.brokers.values()].map(({ brokerEpoch }) => brokerEpoch)
  equal(new Set(epochs).size, epochs.length, 'a broker epoch names one life')
  const unified = [...image.topics.keys()].map(name => name.replaceAll('.', '_'))
  equal(new Set(unified).size, unified.length, 'no two topics collide')
}

test('whatever is asked, the image holds together and is what its records replay to', () => {
  const kinds = new Set<string>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const client = new Client(seed)
    const records: MetadataRecord[] = []
    let image = emptyImage
    try {
      for (let request = 0; request < REQUESTS; request++) {
        const copy = plain(image)
        const step = decide(image, (before, emit) => client.ask(before, emit))
        deepEqual(plain(image), copy, 'an image that was handed out never changes')
        checkHoldsTogether(image, step.image)
        records.push(...step.records)
        image = step.image
      }
      const stored = records.map(record => metadataCodec.encode(record))
      const read = stored.map(({ key, value }) => metadataCodec.decode(key, value)!)
      deepEqual(read, records)
      deepEqual(plain(imageOf(...read)), plain(image))
      deepEqual(plain(imageOf(...read, ...snapshot(image))), plain(image))
      deepEqual(plain(imageOf(...snapshot(image))), plain(image))
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
    for (const { kind } of records) kinds.add(kind)
  }
  deepEqual([...kinds].sort(), [
    'broker-fencing-changed',
    'broker-registered',
    'broker-stopping',
    'broker-unregistered',
    'client-quota-changed',
    'config-changed',
    'feature-level-set',
    'partitions-changed',
    'partitions-created',
    'producer-ids-allocated',
    'scram-credential-removed',
    'scram-credential-set',
    'topic-created',
    'topic-deleted',
  ])
})
