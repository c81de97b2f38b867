import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { metadata } from '../../../broker/api/metadata.ts'
import { ZERO_UUID } from '../../../broker/base/uuid.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { Metadata } from '../../../broker/protocol/messages/metadata.ts'
import type { RequestInit } from '../../../broker/protocol/schema.ts'
import { testBroker, type TestBroker } from './fixture.ts'

const ALL_VERSIONS = Array.from({ length: 14 }, (_, version) => version)

type Request = Partial<RequestInit<typeof Metadata>>

const ask = (broker: TestBroker, version: number, request: Request = {}) =>
  broker.ask(Metadata, metadata, version, { topics: null, ...request })

const named = (...names: readonly (string | null)[]) => names.map(name => ({ name, topicId: ZERO_UUID }))
const withId = (topicId: string) => [{ name: null, topicId }]

test('brokers are shown as the listener of the connection reaches them, with the cluster id and the controller', async () => {
  const broker = await testBroker()
  const { brokers, clusterId, controllerId } = await ask(broker, 12, { topics: [] })
  deepEqual(brokers, [
    { nodeId: 1, host: 'broker-1', port: 9092, rack: null },
    { nodeId: 2, host: 'broker-2', port: 9092, rack: null },
  ])
  equal(clusterId, 'cluster')
  equal(controllerId, 1)
})

test('in every version a topic is shown with its partitions', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', {
    assignments: [
      [1, 2],
      [2, 1],
    ],
  })
  for (const version of ALL_VERSIONS) {
    const { topics } = await ask(broker, version, { topics: named('orders') })
    equal(topics[0]!.errorCode, ErrorCode.NONE)
    equal(topics[0]!.name, 'orders')
    deepEqual(
      topics[0]!.partitions.map(partition => [partition.partitionIndex, partition.leaderId, partition.isrNodes]),
      [
        [0, 1, [1, 2]],
        [1, 2, [2, 1]],
      ],
      `version ${version}`,
    )
  }
})

test('topic ids and leader epochs are told to those who know them', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders')
  const topicOf = async (version: number) => (await ask(broker, version, { topics: named('orders') })).topics[0]!
  equal((await topicOf(9)).topicId, ZERO_UUID)
  equal((await topicOf(10)).topicId, topicId)
  equal((await topicOf(6)).partitions[0]!.leaderEpoch, -1)
  equal((await topicOf(7)).partitions[0]!.leaderEpoch, 0)
})

test('all topics are null, or an empty list in version 0; an empty list is none from version 1', async () => {
  const broker = await testBroker()
  await broker.createTopic('a')
  await broker.createTopic('b')
  const names = async (version: number, topics: Request['topics']) =>
    (await ask(broker, version, { topics: topics ?? null })).topics.map(({ name }) => name).sort()
  deepEqual(await names(0, []), ['a', 'b'])
  deepEqual(await names(1, null), ['a', 'b'])
  deepEqual(await names(13, null), ['a', 'b'])
  deepEqual(await names(1, []), [])
  deepEqual(await names(13, []), [])
})

test('from version 12 topics are found by id, and an unknown id is named', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders')
  const unknown = 'x1x1x1x1x1x1x1x1x1x1xw'
  const found = await ask(broker, 12, { topics: withId(topicId) })
  equal(found.topics[0]!.name, 'orders')
  const missing = await ask(broker, 12, { topics: withId(unknown) })
  deepEqual(
    missing.topics.map(({ errorCode, name, topicId: id }) => [errorCode, name, id]),
    [[ErrorCode.UNKNOWN_TOPIC_ID, null, unknown]],
  )
})

test('versions 10 and 11 cannot ask by id', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders')
  for (const version of [10, 11]) {
    const { topics } = await ask(broker, version, { topics: withId(topicId) })
    deepEqual([topics[0]!.errorCode, topics[0]!.name], [ErrorCode.INVALID_REQUEST, ''])
  }
})

test('neither a name nor an id is invalid', async () => {
  const broker = await testBroker()
  const { topics } = await ask(broker, 12, { topics: named(null) })
  equal(topics[0]!.errorCode, ErrorCode.INVALID_REQUEST)
})

test('a topic that is asked for twice is answered once', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  equal((await ask(broker, 12, { topics: named('orders', 'orders') })).topics.length, 1)
})

test('an unknown topic is created when the broker and the client agree, and is answered with its leader', async () => {
  const broker = await testBroker({ config: { 'num.partitions': '3' } })
  const { topics } = await ask(broker, 12, { topics: named('orders'), allowAutoTopicCreation: true })
  equal(topics[0]!.errorCode, ErrorCode.NONE)
  equal(topics[0]!.partitions.length, 3)
  equal(topics[0]!.topicId, broker.context.image().topics.get('orders')!.topicId)
})

test('clients before version 4 always agree', async () => {
  const broker = await testBroker()
  equal((await ask(broker, 1, { topics: named('orders') })).topics[0]!.errorCode, ErrorCode.NONE)
})

test('an unknown topic is not created when either does not want it', async () => {
  const unwilling = await testBroker()
  const refused = await ask(unwilling, 12, { topics: named('orders'), allowAutoTopicCreation: false })
  equal(refused.topics[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const off = await testBroker({ config: { 'auto.create.topics.enable': 'false' } })
  const forbidden = await ask(off, 12, { topics: named('orders'), allowAutoTopicCreation: true })
  equal(forbidden.topics[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  equal(off.context.image().topics.size, 0)
})

test('a name that no topic may have is invalid, whether it would be created or not', async () => {
  const broker = await testBroker()
  for (const allowAutoTopicCreation of [true, false]) {
    const { topics } = await ask(broker, 12, { topics: named('a b', ''), allowAutoTopicCreation })
    deepEqual(
      topics.map(({ errorCode }) => errorCode),
      [ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.INVALID_TOPIC_EXCEPTION],
    )
  }
})

test('a topic that cannot be created has the error of its creation, and the others are created', async () => {
  const broker = await testBroker({ config: { 'default.replication.factor': '3' } })
  const { topics } = await ask(broker, 12, { topics: named('orders') })
  equal(topics[0]!.errorCode, ErrorCode.INVALID_REPLICATION_FACTOR)
  const other = await testBroker()
  await other.createTopic('a.b')
  const answer = await ask(other, 12, { topics: named('a_b', 'fine') })
  deepEqual(
    answer.topics.map(({ errorCode }) => errorCode),
    [ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.NONE],
  )
})

test('internal topics are not created for clients, and are marked', async () => {
  const broker = await testBroker()
  const missing = await ask(broker, 12, { topics: named('__consumer_offsets') })
  deepEqual(
    missing.topics.map(({ errorCode, isInternal }) => [errorCode, isInternal]),
    [[ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, true]],
  )
  await broker.createTopic('__consumer_offsets')
  await broker.createTopic('orders')
  const { topics } = await ask(broker, 12, { topics: named('__consumer_offsets', 'orders') })
  deepEqual(
    topics.map(({ isInternal }) => isInternal),
    [true, false],
  )
})

test('while the controller does not answer, a topic that is being created has no leader yet', async () => {
  const broker = await testBroker()
  const release = broker.metadataLog.hold()
  const answer = ask(broker, 12, { topics: named('orders') })
  await new Promise(resolve => setImmediate(resolve))
  broker.clock.advance(60_000)
  equal((await answer).topics[0]!.errorCode, ErrorCode.LEADER_NOT_AVAILABLE)
  release()
})

test('a partition whose leader is away has none, and its replicas there are offline', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[2, 1]] })
  await broker.createTopic('alone', { assignments: [[2]] })
  const epoch = broker.context.image().brokers.get(2)!.brokerEpoch
  await broker.context.controller.setFenced(2, epoch, true)
  const { topics, brokers } = await ask(broker, 12, { topics: named('orders', 'alone') })
  deepEqual(
    brokers.map(({ nodeId }) => nodeId),
    [1],
  )
  deepEqual(
    topics.map(({ partitions: [partition] }) => [
      partition!.errorCode,
      partition!.leaderId,
      partition!.offlineReplicas,
      partition!.isrNodes,
    ]),
    [
      [ErrorCode.NONE, 1, [2], [1]],
      [ErrorCode.LEADER_NOT_AVAILABLE, -1, [2], [2]],
    ],
  )
})

test('version 0 shows live replicas only and says that others are missing', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[2, 1]] })
  await broker.context.controller.setFenced(2, broker.context.image().brokers.get(2)!.brokerEpoch, true)
  const { topics } = await ask(broker, 0, { topics: named('orders') })
  const [partition] = topics[0]!.partitions
  equal(partition!.errorCode, ErrorCode.REPLICA_NOT_AVAILABLE)
  deepEqual(partition!.replicaNodes, [1])
})

test('a leader that this listener does not reach is LISTENER_NOT_FOUND, or not available before version 6', async () => {
  const broker = await testBroker()
  await broker.context.controller.registerBroker({
    brokerId: 3,
    incarnation: 'i',
    directoryId: 'd',
    rack: null,
    listeners: [{ name: 'INTERNAL', host: 'h', port: 1, securityProtocol: 'PLAINTEXT' }],
    isFenced: false,
    previousBrokerEpoch: -1,
  })
  await broker.createTopic('orders', { assignments: [[3]] })
  const codeIn = async (version: number) =>
    (await ask(broker, version, { topics: named('orders') })).topics[0]!.partitions[0]!.errorCode
  equal(await codeIn(6), ErrorCode.LISTENER_NOT_FOUND)
  equal(await codeIn(5), ErrorCode.LEADER_NOT_AVAILABLE)
})

test('authorized operations are all there are when asked for, and the sign for "not asked" otherwise', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  const topics = named('orders')
  const asked = await ask(broker, 8, {
    topics,
    includeClusterAuthorizedOperations: true,
    includeTopicAuthorizedOperations: true,
  })
  // The bits of Kafka's AclOperation codes: 3 to 8, 10, 11 for topics; 5, 7 to 12 for the cluster.
  equal(asked.topics[0]!.topicAuthorizedOperations, 0b1101_1111_1000)
  equal(asked.clusterAuthorizedOperations, 0b1_1111_1010_0000)
  const plain = await ask(broker, 8, { topics })
  equal(plain.topics[0]!.topicAuthorizedOperations, -2147483648)
  equal(plain.clusterAuthorizedOperations, -2147483648)
})
