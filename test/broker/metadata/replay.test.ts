import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { AssertionError } from '../../../broker/base/assert.ts'
import { topicById } from '../../../broker/metadata/image.ts'
import { replay, seal } from '../../../broker/metadata/replay.ts'
import { created, imageOf, registered, stateOf } from './images.ts'

test('a created topic is found by name and by id, with partitions that all replicas are in sync for', () => {
  const image = imageOf(created('orders', [[2, 1], [1]], { 'retention.ms': '5' }))
  const topic = image.topics.get('orders')!
  equal(topicById(image, 'id-of-orders'), topic)
  equal(image.partitionCount, 2)
  deepEqual([...topic.configs], [['retention.ms', '5']])
  deepEqual(topic.partitions[0], {
    partition: 0,
    replicas: [2, 1],
    isr: [2, 1],
    leader: 2,
    leaderEpoch: 0,
    partitionEpoch: 0,
    addingReplicas: [],
    removingReplicas: [],
  })
})

test('an image that was handed out never changes', () => {
  const state = stateOf(created('orders'))
  const before = state.image
  replay(state, { kind: 'config-changed', type: 'topic', resource: 'orders', key: 'a', value: 'b' })
  replay(state, {
    kind: 'partitions-created',
    topicId: 'id-of-orders',
    firstPartition: 1,
    partitions: [{ replicas: [1] }],
  })
  replay(state, created('other'))
  replay(state, { kind: 'topic-deleted', topicId: 'id-of-orders' })
  deepEqual([...before.topics.keys()], ['orders'])
  equal(before.topics.get('orders')!.partitions.length, 1)
  equal(before.topics.get('orders')!.configs.size, 0)
  equal(before.version, 1)
  equal(state.image.version, 5)
})

test('a deleted topic is gone with its configs, and the names it blocked are free', () => {
  const image = imageOf(created('a.b', [[1], [1]], { 'retention.ms': '5' }), {
    kind: 'topic-deleted',
    topicId: 'id-of-a.b',
  })
  equal(image.topics.size, 0)
  equal(image.topicNames.size, 0)
  equal(image.unifiedNames.size, 0)
  equal(image.partitionCount, 0)
})

test('a change of partitions sets what it names and leaves the rest', () => {
  const image = imageOf(created('orders', [[1, 2, 3], [2]]), {
    kind: 'partitions-changed',
    topicId: 'id-of-orders',
    changes: [{ partition: 0, partitionEpoch: 1, leaderEpoch: 1, leader: 2, isr: [2, 3] }],
  })
  const [first, second] = image.topics.get('orders')!.partitions
  equal(first!.leader, 2)
  deepEqual(first!.isr, [2, 3])
  deepEqual(first!.replicas, [1, 2, 3])
  equal(first!.leaderEpoch, 1)
  equal(second!.partitionEpoch, 0)
})

test('configs are set and removed; a broker without any has no entry', () => {
  const state = stateOf(created('orders'))
  replay(state, { kind: 'config-changed', type: 'topic', resource: 'orders', key: 'a', value: '1' })
  replay(state, { kind: 'config-changed', type: 'broker', resource: '', key: 'b', value: '2' })
  deepEqual([...state.image.topics.get('orders')!.configs], [['a', '1']])
  deepEqual([...state.image.brokerConfigs.get('')!], [['b', '2']])
  replay(state, { kind: 'config-changed', type: 'topic', resource: 'orders', key: 'a', value: null })
  replay(state, { kind: 'config-changed', type: 'broker', resource: '', key: 'b', value: null })
  equal(state.image.topics.get('orders')!.configs.size, 0)
  equal(state.image.brokerConfigs.size, 0)
})

test('brokers, features, producer ids and the controller are what the last record says', () => {
  const image = imageOf(
    { kind: 'cluster-created', clusterId: 'c' },
    { kind: 'controller-started', brokerId: 1, epoch: 3 },
    registered(1),
    registered(2),
    { kind: 'broker-fencing-changed', brokerId: 1, brokerEpoch: 101, isFenced: true },
    { kind: 'broker-unregistered', brokerId: 2, brokerEpoch: 102 },
    { kind: 'feature-level-set', name: 'f', level: 2 },
    { kind: 'feature-level-set', name: 'g', level: 1 },
    { kind: 'feature-level-set', name: 'g', level: 0 },
    { kind: 'producer-ids-allocated', brokerId: 1, brokerEpoch: 101, nextProducerId: 2000 },
  )
  equal(image.clusterId, 'c')
  equal(image.controllerId, 1)
  equal(image.controllerEpoch, 3)
  deepEqual([...image.brokers.keys()], [1])
  equal(image.brokers.get(1)!.isFenced, true)
  deepEqual([...image.features], [['f', 2]])
  equal(image.nextProducerId, 2000)
})

test('records that contradict the history stop the broker', () => {
  const state = () => stateOf(created('orders', [[1, 2]]), registered(1))
  const change = (over: object) => ({
    kind: 'partitions-changed' as const,
    topicId: 'id-of-orders',
    changes: [{ partition: 0, partitionEpoch: 1, ...over }],
  })
  const wrong = [
    created('orders'),
    { ...created('other'), topicId: 'id-of-orders' },
    { kind: 'topic-deleted', topicId: 'unknown' },
    { kind: 'partitions-created', topicId: 'id-of-orders', firstPartition: 0, partitions: [{ replicas: [1] }] },
    { kind: 'partitions-created', topicId: 'id-of-orders', firstPartition: 1, partitions: [{ replicas: [] }] },
    { kind: 'config-changed', type: 'topic', resource: 'unknown', key: 'a', value: null },
    { kind: 'broker-fencing-changed', brokerId: 1, brokerEpoch: 5, isFenced: true },
    { kind: 'broker-unregistered', brokerId: 9, brokerEpoch: 5 },
    change({ partition: 1 }),
    change({ partitionEpoch: 0 }),
    change({ leaderEpoch: -1 }),
    change({ leader: 3 }),
    change({ isr: [1, 3] }),
  ] as Parameters<typeof replay>[1][]
  for (const record of wrong) throws(() => replay(state(), record), AssertionError, JSON.stringify(record))
})

test('replaying in place gives the image that replaying one by one gives, and a sealed one never changes', () => {
  const records = [
    registered(1),
    ...Array.from({ length: 500 }, (_, index) => created(`topic-${index}`)),
    ...Array.from({ length: 100 }, (_, index) => ({
      kind: 'topic-deleted' as const,
      topicId: `id-of-topic-${index * 3}`,
    })),
  ]
  const slow = stateOf(...records)
  const fast = stateOf()
  fast.edit = { kind: 'edit' }
  for (const record of records) replay(fast, record)
  const kept = seal(fast)
  deepEqual([...fast.image.topics].sort(), [...slow.image.topics].sort())
  equal(fast.image.version, slow.image.version)
  replay(fast, created('later'))
  equal(kept.topics.has('later'), false)
})
