// CreateTopics, DeleteTopics, CreatePartitions and DescribeTopicPartitions: the wire form of what test/broker/metadata specifies.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { createPartitions } from '../../../broker/api/create-partitions.ts'
import { createTopics } from '../../../broker/api/create-topics.ts'
import { deleteTopics } from '../../../broker/api/delete-topics.ts'
import { describeTopicPartitions } from '../../../broker/api/describe-topic-partitions.ts'
import { ZERO_UUID } from '../../../broker/base/uuid.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { CreatePartitions } from '../../../broker/protocol/messages/create-partitions.ts'
import { CreateTopics } from '../../../broker/protocol/messages/create-topics.ts'
import { DeleteTopics } from '../../../broker/protocol/messages/delete-topics.ts'
import { DescribeTopicPartitions } from '../../../broker/protocol/messages/describe-topic-partitions.ts'
import type { RequestInit } from '../../../broker/protocol/schema.ts'
import { testBroker, type TestBroker } from './fixture.ts'

const wanted = (name: string, numPartitions = 2, configs: readonly { name: string; value: string | null }[] = []) => ({
  name,
  numPartitions,
  replicationFactor: 1,
  assignments: [],
  configs,
})

const create = (broker: TestBroker, version: number, over: Partial<RequestInit<typeof CreateTopics>>) =>
  broker.ask(CreateTopics, createTopics, version, { topics: [], timeoutMs: 1000, ...over })

test('in every version topics are created and served when the answer is there', async () => {
  const broker = await testBroker()
  for (let version = 2; version <= 7; version++) {
    const name = `topic-${version}`
    const { topics } = await create(broker, version, { topics: [wanted(name)] })
    equal(topics[0]!.errorCode, ErrorCode.NONE)
    const { topicId, partitions } = broker.context.image().topics.get(name)!
    equal(partitions.length, 2)
    equal(topics[0]!.topicId, version >= 7 ? topicId : ZERO_UUID)
    equal(topics[0]!.numPartitions, version >= 5 ? 2 : -1)
    const led = partitions.find(({ leader }) => leader === 1)!
    ok(typeof broker.context.replicas.leader(topicId, led.partition) === 'object')
  }
})

test('from version 5 the answer has the configuration of the topic', async () => {
  const broker = await testBroker()
  const configs = [{ name: 'retention.ms', value: '5' }]
  const { topics } = await create(broker, 5, { topics: [wanted('orders', 1, configs)] })
  const retention = topics[0]!.configs!.find(({ name }) => name === 'retention.ms')
  deepEqual(retention, { name: 'retention.ms', value: '5', readOnly: false, configSource: 1, isSensitive: false })
  ok(topics[0]!.configs!.length > 20)
})

test('each topic has its own error and message', async () => {
  const broker = await testBroker()
  const { topics } = await create(broker, 7, { topics: [wanted('a'), wanted('b c'), wanted('d', 0)] })
  deepEqual(
    topics.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.INVALID_PARTITIONS],
  )
  match(topics[1]!.errorMessage!, /ASCII alphanumerics/)
})

test('validating creates nothing', async () => {
  const broker = await testBroker()
  const { topics } = await create(broker, 7, { topics: [wanted('a')], validateOnly: true })
  equal(topics[0]!.errorCode, ErrorCode.NONE)
  equal(broker.context.image().topics.size, 0)
})

test('a client waits as long as it said, then hears that nobody knows', async () => {
  const broker = await testBroker()
  const release = broker.metadataLog.hold()
  const answer = create(broker, 7, { topics: [wanted('a')], timeoutMs: 500 })
  await new Promise(resolve => setImmediate(resolve))
  broker.clock.advance(499)
  equal(broker.clock.timers, 1)
  broker.clock.advance(1)
  const { topics } = await answer
  equal(topics[0]!.errorCode, ErrorCode.REQUEST_TIMED_OUT)
  match(topics[0]!.errorMessage!, /within 500 ms; the change may still be made/)
  release()
})

test('when the metadata log fails the client is sent to look for the controller', async () => {
  const broker = await testBroker()
  broker.metadataLog.refusesNext = true
  const { topics } = await create(broker, 7, { topics: [wanted('a')] })
  equal(topics[0]!.errorCode, ErrorCode.NOT_CONTROLLER)
  equal(broker.clock.timers, 0)
})

const remove = (broker: TestBroker, version: number, over: Partial<RequestInit<typeof DeleteTopics>>) =>
  broker.ask(DeleteTopics, deleteTopics, version, { timeoutMs: 1000, ...over })

test('in every version topics are deleted', async () => {
  const broker = await testBroker()
  for (let version = 1; version <= 6; version++) {
    const topicId = await broker.createTopic('orders')
    const topics = [{ name: 'orders', topicId: ZERO_UUID }]
    const { responses } = await remove(broker, version, version < 6 ? { topicNames: ['orders'] } : { topics })
    deepEqual(
      responses.map(({ name, errorCode }) => [name, errorCode]),
      [['orders', ErrorCode.NONE]],
    )
    equal(responses[0]!.topicId, version === 6 ? topicId : ZERO_UUID)
    equal(broker.context.image().topics.size, 0)
    equal(broker.logs.log(topicId, 0), undefined)
  }
})

test('from version 6 topics are deleted by id, and an unknown id comes back without a name', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders')
  const unknown = 'x1x1x1x1x1x1x1x1x1x1xw'
  const { responses } = await remove(broker, 6, { topics: [{ topicId }, { topicId: unknown }] })
  deepEqual(
    responses.map(({ name, topicId: id, errorCode }) => [name, id, errorCode]),
    [
      ['orders', topicId, ErrorCode.NONE],
      [null, unknown, ErrorCode.UNKNOWN_TOPIC_ID],
    ],
  )
})

test('where deletion is off nothing is deleted, and old clients get an error they know', async () => {
  const broker = await testBroker({ config: { 'delete.topic.enable': 'false' } })
  await broker.createTopic('orders')
  const codeIn = async (version: number) =>
    (await remove(broker, version, { topicNames: ['orders'] })).responses[0]!.errorCode
  equal(await codeIn(3), ErrorCode.TOPIC_DELETION_DISABLED)
  equal(await codeIn(2), ErrorCode.INVALID_REQUEST)
  equal(broker.context.image().topics.size, 1)
})

test('in every version partitions are added and served', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders')
  for (let version = 0; version <= 3; version++) {
    const { results } = await broker.ask(CreatePartitions, createPartitions, version, {
      topics: [{ name: 'orders', count: version + 2, assignments: [{ brokerIds: [1] }] }],
      timeoutMs: 1000,
      validateOnly: false,
    })
    deepEqual(results, [{ name: 'orders', errorCode: ErrorCode.NONE, errorMessage: null }])
    ok(typeof broker.context.replicas.leader(topicId, version + 1) === 'object')
  }
})

test('partitions that cannot be added say why', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { partitions: 3 })
  const { results } = await broker.ask(CreatePartitions, createPartitions, 3, {
    topics: [{ name: 'orders', count: 2, assignments: null }],
    timeoutMs: 1000,
    validateOnly: false,
  })
  equal(results[0]!.errorCode, ErrorCode.INVALID_PARTITIONS)
  match(results[0]!.errorMessage!, /currently has 3 partition\(s\); 2 would not be an increase/)
})

type Cursor = { topicName: string; partitionIndex: number } | null

async function describe(broker: TestBroker, names: readonly string[], limit: number, cursor: Cursor = null) {
  const answer = await broker.ask(DescribeTopicPartitions, describeTopicPartitions, 0, {
    topics: names.map(name => ({ name })),
    responsePartitionLimit: limit,
    cursor,
  })
  const shown = answer.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`),
  )
  return { ...answer, shown }
}

test('pages follow each other by the cursor, in order of the names, without a gap', async () => {
  const broker = await testBroker()
  for (const name of ['c', 'a', 'b']) await broker.createTopic(name, { partitions: 3 })
  const all: string[][] = []
  let cursor: Cursor = null
  do {
    const { shown, nextCursor }: { shown: string[]; nextCursor: Cursor } = await describe(broker, [], 2, cursor)
    all.push(shown)
    cursor = nextCursor
  } while (cursor !== null)
  deepEqual(all, [['a-0', 'a-1'], ['a-2', 'b-0'], ['b-1', 'b-2'], ['c-0', 'c-1'], ['c-2']])
})

test('a page that ends with a topic points to the next one', async () => {
  const broker = await testBroker()
  for (const name of ['a', 'b']) await broker.createTopic(name, { partitions: 2 })
  deepEqual((await describe(broker, [], 2)).nextCursor, { topicName: 'b', partitionIndex: 0 })
  equal((await describe(broker, [], 4)).nextCursor, null)
})

test('only the topics asked for are described; unknown ones have an error and take no room', async () => {
  const broker = await testBroker()
  await broker.createTopic('a', { partitions: 2 })
  await broker.createTopic('b', { partitions: 2 })
  const { topics, shown } = await describe(broker, ['missing', 'a', 'x y', 'a'], 3)
  deepEqual(shown, ['a-0', 'a-1'])
  deepEqual(
    topics.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['a', ErrorCode.NONE],
      ['missing', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
      ['x y', ErrorCode.INVALID_TOPIC_EXCEPTION],
    ],
  )
})

test('a limit below one shows one partition, and the broker bounds what a client may ask for', async () => {
  const broker = await testBroker({ config: { 'max.request.partition.size.limit': '3' } })
  await broker.createTopic('a', { partitions: 5 })
  equal((await describe(broker, [], 0)).shown.length, 1)
  equal((await describe(broker, [], -7)).shown.length, 1)
  equal((await describe(broker, [], 1000)).shown.length, 3)
})

test('a cursor to a topic that is gone goes on with the next one', async () => {
  const broker = await testBroker()
  await broker.createTopic('c')
  deepEqual((await describe(broker, [], 10, { topicName: 'b', partitionIndex: 7 })).shown, ['c-0'])
})

test('a cursor that does not fit the request is refused for each topic', async () => {
  const broker = await testBroker()
  await broker.createTopic('a')
  for (const cursor of [
    { topicName: 'b', partitionIndex: 0 },
    { topicName: 'a', partitionIndex: -1 },
  ]) {
    const { topics } = await describe(broker, ['a'], 10, cursor)
    deepEqual(
      topics.map(({ name, errorCode }) => [name, errorCode]),
      [['a', ErrorCode.INVALID_REQUEST]],
    )
  }
})

test('a described topic has its id, its operations and empty lists of eligible leaders', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders')
  const { topics } = await describe(broker, ['orders'], 10)
  equal(topics[0]!.topicId, topicId)
  equal(topics[0]!.topicAuthorizedOperations, 0b1101_1111_1000)
  deepEqual(topics[0]!.partitions[0], {
    errorCode: ErrorCode.NONE,
    partitionIndex: 0,
    leaderId: 1,
    leaderEpoch: 0,
    replicaNodes: [1],
    isrNodes: [1],
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
    offlineReplicas: [],
  })
})
