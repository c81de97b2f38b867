// Quotas that act: from a request to the throttle time in its answer and on its connection, through the dispatcher.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { createPartitions } from '../../../broker/api/create-partitions.ts'
import { createTopics } from '../../../broker/api/create-topics.ts'
import { deleteTopics } from '../../../broker/api/delete-topics.ts'
import { Dispatcher } from '../../../broker/api/dispatch.ts'
import { fetch } from '../../../broker/api/fetch.ts'
import { handler, Unsent, type Handler } from '../../../broker/api/handler.ts'
import { ZERO_UUID } from '../../../broker/base/uuid.ts'
import { createMetrics } from '../../../broker/metrics.ts'
import { decodeResponse } from '../../../broker/protocol/compile.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { encodeRequest, readResponseHeader } from '../../../broker/protocol/header.ts'
import { CreatePartitions } from '../../../broker/protocol/messages/create-partitions.ts'
import { CreateTopics } from '../../../broker/protocol/messages/create-topics.ts'
import { DeleteTopics } from '../../../broker/protocol/messages/delete-topics.ts'
import { Fetch } from '../../../broker/protocol/messages/fetch.ts'
import { Heartbeat } from '../../../broker/protocol/messages/heartbeat.ts'
import { Produce } from '../../../broker/protocol/messages/produce.ts'
import type { Api, RequestInit, ResponseOf } from '../../../broker/protocol/schema.ts'
import { batchOf, testBroker, type TestBroker } from './fixture.ts'

type Entity = Readonly<Record<string, string | null>>

/** A broker with these handlers, and clients that remember how long they were throttled. */
async function brokerOf(...handlers: Handler[]) {
  const broker = await testBroker()
  const metrics = createMetrics()
  const apis = new Map(handlers.map(each => [each.api.key, each]))
  const dispatcher = new Dispatcher({ ...broker.context, apis }, metrics)
  return {
    ...broker,
    async setQuota(entity: Entity, values: Readonly<Record<string, number | null>>) {
      const [altered] = await broker.context.controller.alterClientQuotas([
        {
          entity: Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName })),
          ops: Object.entries(values).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
        },
      ])
      equal(altered!.errorMessage, null)
    },
    client(clientId: string, user = 'ANONYMOUS') {
      const throttled: number[] = []
      const connection = {
        id: 'test',
        remoteAddress: '127.0.0.1',
        remotePort: 1,
        listenerName: 'PLAINTEXT',
        principal: `User:${user}`,
        throttle: (delayMs: number) => void throttled.push(delayMs),
        close: () => {},
      }
      return {
        throttled,
        async ask<A extends Api>(api: A, version: number, body: RequestInit<A>): Promise<ResponseOf<A>> {
          const frame = Buffer.concat(encodeRequest(api, version, 7, clientId, body)).subarray(4)
          const chunks = await dispatcher.dispatch(frame, connection, bytes => bytes, new AbortController().signal)
          if (chunks === null) return null as never
          const response = Buffer.concat(chunks).subarray(4)
          return decodeResponse(api, version, response, readResponseHeader(api, version, response).bodyAt)
        },
      }
    },
    async throttledMs(): Promise<number> {
      const { values } = await metrics.registry
        .getSingleMetric('kafka_network_requestmetrics_throttletimems_sum')!
        .get()
      return values.reduce((sum, { value }) => sum + value, 0)
    },
  }
}

const produced = handler(Produce, async () => ({ responses: [] }))

/** A Produce request of about so many bytes. */
const produceOf = (bytes: number): RequestInit<typeof Produce> => ({
  transactionalId: null,
  acks: 1,
  timeoutMs: 1000,
  topicData: [{ name: 't', partitionData: [{ index: 0, records: Buffer.alloc(bytes) }] }],
})

test('a producer above its rate is told how long to wait, and its connection is not read so long', async () => {
  const broker = await brokerOf(produced)
  await broker.setQuota({ 'client-id': 'slow' }, { producer_byte_rate: 1000 })
  const slow = broker.client('slow')
  equal((await slow.ask(Produce, 9, produceOf(9_000))).throttleTimeMs, 0)
  deepEqual(slow.throttled, [])
  const { throttleTimeMs } = await slow.ask(Produce, 9, produceOf(11_000))
  // 20,000 bytes and some take 20 seconds at 1,000 a second, of which the windows are 10.
  ok(throttleTimeMs >= 10_000 && throttleTimeMs < 10_300, String(throttleTimeMs))
  deepEqual(slow.throttled, [throttleTimeMs])
  equal(await broker.throttledMs(), throttleTimeMs)
  broker.clock.advance(25_000)
  equal((await slow.ask(Produce, 9, produceOf(9_000))).throttleTimeMs, 0)
})

test('without an answer (acks=0) the connection is throttled all the same', async () => {
  const broker = await brokerOf(handler(Produce, async () => new Unsent({ responses: [] })))
  await broker.setQuota({ 'client-id': null }, { producer_byte_rate: 1000 })
  const client = broker.client('any')
  equal(await client.ask(Produce, 9, produceOf(20_000)), null)
  equal(client.throttled.length, 1)
})

test('the most specific quota counts, each for itself', async () => {
  const broker = await brokerOf(produced)
  const levels: [Entity, number][] = [
    [{ 'client-id': null }, 100],
    [{ 'client-id': 'c' }, 200],
    [{ user: null }, 300],
    [{ user: null, 'client-id': null }, 400],
    [{ user: null, 'client-id': 'c' }, 500],
    [{ user: 'u' }, 600],
    [{ user: 'u', 'client-id': null }, 700],
    [{ user: 'u', 'client-id': 'c' }, 800],
  ]
  const client = broker.client('c', 'u')
  for (const [entity, rate] of levels) {
    await broker.setQuota(entity, { producer_byte_rate: rate })
    broker.clock.advance(60_000)
    const { throttleTimeMs } = await client.ask(Produce, 9, produceOf(20_000))
    // Bytes by rate, less the ten seconds that the windows allow.
    const expected = (20_060 / rate - 10) * 1000
    ok(Math.abs(throttleTimeMs - expected) < 500, `${JSON.stringify(entity)}: ${throttleTimeMs}, not ${expected}`)
  }
})

test("everybody's quota is measured for each by himself, and somebody's clients share his", async () => {
  const broker = await brokerOf(produced)
  await broker.setQuota({ user: null }, { producer_byte_rate: 1000 })
  await broker.client('a', 'alice').ask(Produce, 9, produceOf(20_000))
  equal((await broker.client('a', 'bob').ask(Produce, 9, produceOf(5_000))).throttleTimeMs, 0)
  ok((await broker.client('b', 'alice').ask(Produce, 9, produceOf(1))).throttleTimeMs > 0)
})

test('a quota that is removed ends at once', async () => {
  const broker = await brokerOf(produced)
  await broker.setQuota({ 'client-id': 'c' }, { producer_byte_rate: 1 })
  const client = broker.client('c')
  ok((await client.ask(Produce, 9, produceOf(1000))).throttleTimeMs > 0)
  await broker.setQuota({ 'client-id': 'c' }, { producer_byte_rate: null })
  equal((await client.ask(Produce, 9, produceOf(1000))).throttleTimeMs, 0)
})

test('clients that change their names all the time do not fill the memory', async () => {
  const broker = await brokerOf(produced)
  await broker.setQuota({ 'client-id': null }, { producer_byte_rate: 10 })
  const constant = broker.client('constant')
  await constant.ask(Produce, 9, produceOf(1_000))
  for (let i = 0; i < 15_000; i++) {
    await broker.client(`name ${i}`).ask(Produce, 9, produceOf(1))
    if (i % 5_000 === 0) ok((await constant.ask(Produce, 9, produceOf(1))).throttleTimeMs > 0)
  }
})

test('a client that keeps the broker busy is throttled in every API, and never longer than a window', async () => {
  const broker = await brokerOf(
    handler(Heartbeat, async () => {
      broker.clock.advance(600)
      return { errorCode: ErrorCode.NONE }
    }),
  )
  await broker.setQuota({ 'client-id': 'busy' }, { request_percentage: 5 })
  const busy = broker.client('busy')
  const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm' }
  const { throttleTimeMs } = await busy.ask(Heartbeat, 4, heartbeat)
  // 600 ms are 6 percent of the ten seconds of the windows.
  ok(throttleTimeMs >= 900 && throttleTimeMs <= 1000, String(throttleTimeMs))
  for (let i = 0; i < 5; i++) await busy.ask(Heartbeat, 4, heartbeat)
  equal(busy.throttled.at(-1), 1000)
  // Version 0 cannot say so; the connection feels it anyway.
  const count = busy.throttled.length
  equal((await busy.ask(Heartbeat, 0, heartbeat)).throttleTimeMs, 0)
  equal(busy.throttled.length, count + 1)
  equal((await broker.client('other').ask(Heartbeat, 4, heartbeat)).throttleTimeMs, 0)
})

async function append(broker: TestBroker): Promise<void> {
  const leader = broker.context.replicas.leader(broker.context.image().topics.get('t')!.topicId, 0)
  ok(typeof leader !== 'number')
  await leader.append(batchOf(['x'.repeat(2_000)]), 1, broker.clock.now()).stored
}

test('a consumer above its rate gets answers without records until there is room again', async () => {
  const broker = await brokerOf(fetch)
  await broker.createTopic('t')
  const { topicId } = broker.context.image().topics.get('t')!
  for (let i = 0; i < 10; i++) await append(broker)
  await broker.setQuota({ 'client-id': 'slow' }, { consumer_byte_rate: 400 })
  const slow = broker.client('slow')
  const get = (fetchOffset: number) =>
    slow.ask(Fetch, 17, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1 << 20,
      topics: [{ topicId, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }] }],
    })
  const first = await get(0)
  const bytes = first.responses[0]!.partitions[0]!.records!.length
  // The windows of ten seconds hold 4,000 bytes: one batch of 2,000, not two.
  ok(bytes > 2_000 && bytes <= 4_000, String(bytes))
  equal(first.throttleTimeMs, 0)
  const second = await get(1)
  deepEqual(second.responses, [])
  ok(second.throttleTimeMs > 0)
  // What was not sent does not count.
  equal((await get(1)).throttleTimeMs, second.throttleTimeMs)
  broker.clock.advance(second.throttleTimeMs + 1_000)
  equal((await get(1)).responses.length, 1)
})

test('a batch that is larger than the quota ever allows is sent after a pause, and waited for', async () => {
  const broker = await brokerOf(fetch)
  await broker.createTopic('t')
  const { topicId } = broker.context.image().topics.get('t')!
  await append(broker)
  await broker.setQuota({ 'client-id': 'slow' }, { consumer_byte_rate: 10 })
  const answer = await broker.client('slow').ask(Fetch, 17, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics: [{ topicId, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }] }],
  })
  equal(answer.responses.length, 1)
  ok(answer.throttleTimeMs > 100_000)
})

const topic = (name: string, numPartitions = 1) => ({
  name,
  numPartitions,
  replicationFactor: 1,
  assignments: [],
  configs: [],
})

test('topics that would exceed the quota on partition changes are refused, and work later', async () => {
  const broker = await brokerOf(createTopics, createPartitions, deleteTopics)
  await broker.setQuota({ 'client-id': 'admin' }, { controller_mutation_rate: 1 })
  const admin = broker.client('admin')
  const create = (version: number, ...topics: ReturnType<typeof topic>[]) =>
    admin.ask(CreateTopics, version, { topics, timeoutMs: 1_000, validateOnly: false })
  const first = await create(7, topic('a', 20), topic('b'))
  deepEqual(
    first.topics.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.THROTTLING_QUOTA_EXCEEDED],
  )
  // A burst of eleven seconds is allowed, so nine partitions are owed.
  equal(first.throttleTimeMs, 9_000)
  const grown = await admin.ask(CreatePartitions, 3, {
    topics: [{ name: 'a', count: 21, assignments: null }],
    timeoutMs: 1_000,
    validateOnly: false,
  })
  deepEqual([grown.results[0]!.errorCode, grown.throttleTimeMs], [ErrorCode.THROTTLING_QUOTA_EXCEEDED, 9_000])
  const deleted = await admin.ask(DeleteTopics, 6, { topics: [{ name: 'a', topicId: ZERO_UUID }], timeoutMs: 1_000 })
  deepEqual([deleted.responses[0]!.errorCode, deleted.throttleTimeMs], [ErrorCode.THROTTLING_QUOTA_EXCEEDED, 9_000])
  ok(broker.context.image().topics.has('a'))
  broker.clock.advance(9_000)
  equal((await create(7, topic('b'))).topics[0]!.errorCode, ErrorCode.NONE)
})

test('an older client is not refused partitions, but throttled after it got them', async () => {
  const broker = await brokerOf(createTopics)
  await broker.setQuota({ 'client-id': 'admin' }, { controller_mutation_rate: 1 })
  const admin = broker.client('admin')
  const request = { topics: [topic('a', 20), topic('b')], timeoutMs: 1_000, validateOnly: false }
  const { topics, throttleTimeMs } = await admin.ask(CreateTopics, 5, request)
  deepEqual(
    topics.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.NONE],
  )
  equal(throttleTimeMs, 10_000)
  deepEqual(admin.throttled, [10_000])
})
