import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'vitest'
import { produce } from '../../../broker/api/produce.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { Produce, type ProduceResponse } from '../../../broker/protocol/messages/produce.ts'
import { buildBatch, HEADER_SIZE } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { batchOf, settled, testBroker, type AskOptions, type TestBroker } from './fixture.ts'

const LATEST = 13

type Sent = { topic: string; index?: number; records?: Buffer | null }
type Options = AskOptions & { version?: number; acks?: number; timeoutMs?: number; transactionalId?: string | null }

/** Sends batches with topic names up to v12 and with topic ids from v13 on; `topic` may be an id that nobody has. */
function send(broker: TestBroker, sent: readonly Sent[], options: Options = {}): Promise<ProduceResponse> {
  const { version = LATEST, acks = -1, timeoutMs = 1000, transactionalId = null } = options
  const { topics } = broker.context.image()
  const topicData = sent.map(({ topic, index = 0, records = batchOf(['a']) }) => ({
    name: topic,
    topicId: topics.get(topic)?.topicId ?? topic,
    partitionData: [{ index, records }],
  }))
  return broker.ask(Produce, produce, version, { transactionalId, acks, timeoutMs, topicData }, options)
}

const partitionsOf = (response: ProduceResponse) => response.responses.flatMap(topic => topic.partitionResponses)
const errorsOf = (response: ProduceResponse) => partitionsOf(response).map(partition => partition.errorCode)

async function ordersTopic(configs: Record<string, string> = {}): Promise<TestBroker> {
  const broker = await testBroker()
  await broker.createTopic('orders', { partitions: 2, configs })
  return broker
}

async function valuesIn(broker: TestBroker, topic: string): Promise<string[]> {
  const log = broker.log(topic)
  const read = await log.read(log.logStartOffset, { maxBytes: 1e9, endOffset: log.endOffset, minOneBatch: true })
  return typeof read === 'string' ? [] : read.flatMap(batch => readRecords(batch).map(({ value }) => String(value)))
}

for (const version of [3, 7, 8, 9, 12, 13]) {
  test(`version ${version} appends and answers the base offset`, async () => {
    const broker = await ordersTopic()
    await send(broker, [{ topic: 'orders', records: batchOf(['a', 'b']) }], { version })
    const response = await send(broker, [{ topic: 'orders', records: batchOf(['c']) }], { version })
    const [topic] = response.responses
    const [answer] = partitionsOf(response)
    deepEqual([answer!.errorCode, answer!.baseOffset, answer!.logAppendTimeMs], [ErrorCode.NONE, 2, -1])
    equal(answer!.logStartOffset, version >= 5 ? 0 : -1)
    if (version >= 13) equal(topic!.topicId, broker.context.image().topics.get('orders')!.topicId)
    else equal(topic!.name, 'orders')
    deepEqual(await valuesIn(broker, 'orders'), ['a', 'b', 'c'])
  })
}

test('a name that is no topic, and a partition that a topic does not have, are UNKNOWN_TOPIC_OR_PARTITION', async () => {
  const broker = await ordersTopic()
  const sent = [{ topic: 'nobody' }, { topic: 'orders', index: 2 }, { topic: 'orders', index: -1 }, { topic: 'orders' }]
  const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  deepEqual(errorsOf(await send(broker, sent, { version: 12 })), [unknown, unknown, unknown, ErrorCode.NONE])
})

test('an id that is no topic is UNKNOWN_TOPIC_ID', async () => {
  const broker = await ordersTopic()
  const sent = [{ topic: 'bbbbbbbbbbbbbbbbbbbbbA' }, { topic: 'AAAAAAAAAAAAAAAAAAAAAA' }, { topic: 'orders', index: 9 }]
  deepEqual(errorsOf(await send(broker, sent)), [
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ])
})

test('a partition that another broker leads is NOT_LEADER_OR_FOLLOWER, and the answer says where to go', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[2]] })
  const response = await send(broker, [{ topic: 'orders' }])
  const [answer] = partitionsOf(response)
  equal(answer!.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  deepEqual(answer!.currentLeader, { leaderId: 2, leaderEpoch: 0 })
  deepEqual(response.nodeEndpoints, [{ nodeId: 2, host: 'broker-2', port: 9092, rack: null }])
  const old = await send(broker, [{ topic: 'orders' }], { version: 9 })
  deepEqual(errorsOf(old), [ErrorCode.NOT_LEADER_OR_FOLLOWER])
})

test('acks other than 0, 1 and -1 are INVALID_REQUIRED_ACKS and append nothing', async () => {
  const broker = await ordersTopic()
  deepEqual(errorsOf(await send(broker, [{ topic: 'orders' }], { acks: 2 })), [ErrorCode.INVALID_REQUIRED_ACKS])
  deepEqual(errorsOf(await send(broker, [{ topic: 'orders' }], { acks: -2 })), [ErrorCode.INVALID_REQUIRED_ACKS])
  equal(broker.log('orders').endOffset, 0)
})

test('a request without topics is answered at once', async () => {
  const broker = await ordersTopic()
  deepEqual((await send(broker, [])).responses, [])
})

test('null and empty records are INVALID_RECORD with a message', async () => {
  const broker = await ordersTopic()
  const sent = [
    { topic: 'orders', records: null },
    { topic: 'orders', records: Buffer.alloc(0) },
  ]
  const answers = partitionsOf(await send(broker, sent))
  deepEqual(errorsOf(await send(broker, sent)), [ErrorCode.INVALID_RECORD, ErrorCode.INVALID_RECORD])
  match(answers[0]!.errorMessage!, /null/)
})

test('one bad partition does not keep the others from being appended', async () => {
  const broker = await ordersTopic()
  const corrupt = batchOf(['a'])
  corrupt[corrupt.length - 1]! ^= 1
  const response = await send(broker, [
    { topic: 'orders', records: corrupt },
    { topic: 'orders', index: 1 },
  ])
  deepEqual(errorsOf(response), [ErrorCode.CORRUPT_MESSAGE, ErrorCode.NONE])
  deepEqual([broker.log('orders', 0).endOffset, broker.log('orders', 1).endOffset], [0, 1])
})

test('records that a topic refuses are named one by one from version 8 on', async () => {
  const broker = await ordersTopic({ 'cleanup.policy': 'compact' })
  const bad = buildBatch({
    records: [
      { timestamp: 1_700_000_000_000, key: Buffer.from('k'), value: null },
      { timestamp: 1_700_000_000_000, key: null, value: null },
    ],
  })
  const [answer] = partitionsOf(await send(broker, [{ topic: 'orders', records: bad }]))
  equal(answer!.errorCode, ErrorCode.INVALID_RECORD)
  deepEqual(answer!.recordErrors.map(error => error.batchIndex), [1]) // prettier-ignore
  const [old] = partitionsOf(await send(broker, [{ topic: 'orders', records: bad }], { version: 7 }))
  deepEqual([old!.errorCode, old!.recordErrors, old!.errorMessage], [ErrorCode.INVALID_RECORD, [], null])
})

test('a batch above max.message.bytes is MESSAGE_TOO_LARGE', async () => {
  const broker = await ordersTopic({ 'max.message.bytes': '100' })
  const response = await send(broker, [{ topic: 'orders', records: batchOf(['x'.repeat(200)]) }])
  deepEqual(errorsOf(response), [ErrorCode.MESSAGE_TOO_LARGE])
})

test('zstd is UNSUPPORTED_COMPRESSION_TYPE before version 7', async () => {
  const broker = await ordersTopic()
  const sent = [{ topic: 'orders', records: batchOf(['a'], { compression: 'zstd' }) }]
  deepEqual(errorsOf(await send(broker, sent, { version: 6 })), [ErrorCode.UNSUPPORTED_COMPRESSION_TYPE])
  deepEqual(errorsOf(await send(broker, sent, { version: 7 })), [ErrorCode.NONE])
})

test('acks=0 sends no answer, and the records are there', async () => {
  const broker = await ordersTopic()
  equal(await send(broker, [{ topic: 'orders' }], { acks: 0 }), null)
  deepEqual(await valuesIn(broker, 'orders'), ['a'])
})

test('acks=0 holds its memory until the batch is stored', async () => {
  const broker = await ordersTopic()
  broker.log('orders').isHeld = true
  let isDone = false
  const sending = send(broker, [{ topic: 'orders' }], { acks: 0 }).then(() => (isDone = true))
  await settled()
  equal(isDone, false)
  broker.log('orders').flushAll()
  await sending
})

test('acks=0 closes the connection on an error, because there is no other way to tell', async () => {
  const broker = await ordersTopic()
  const reasons: string[] = []
  const onClose = (reason: string) => void reasons.push(reason)
  equal(await send(broker, [{ topic: 'nobody' }], { acks: 0, onClose, version: 12 }), null)
  match(reasons.join(), /UNKNOWN_TOPIC_OR_PARTITION for nobody-0/)
  await send(broker, [{ topic: 'orders' }], { acks: 0, onClose })
  equal(reasons.length, 1)
})

test('acks=1 and acks=all wait for the flush', async () => {
  for (const acks of [1, -1]) {
    const broker = await ordersTopic()
    broker.log('orders').isHeld = true
    let answered = false
    const sending = send(broker, [{ topic: 'orders' }], { acks }).then(response => {
      answered = true
      return response
    })
    await settled()
    equal(answered, false)
    broker.log('orders').flushAll()
    deepEqual(errorsOf(await sending), [ErrorCode.NONE])
  }
})

test('one request waits for all of its partitions', async () => {
  const broker = await ordersTopic()
  broker.log('orders', 1).isHeld = true
  let answered = false
  const sent = [{ topic: 'orders' }, { topic: 'orders', index: 1 }]
  const sending = send(broker, sent).then(() => (answered = true))
  await settled()
  equal(answered, false)
  broker.log('orders', 1).flushAll()
  await sending
})

test('batches get their offsets in the order of the requests, while all of them wait', async () => {
  const broker = await ordersTopic()
  broker.log('orders').isHeld = true
  const sending = ['a', 'b', 'c'].map(value => send(broker, [{ topic: 'orders', records: batchOf([value]) }]))
  await settled()
  broker.log('orders').flushAll()
  const responses = await Promise.all(sending)
  deepEqual(responses.flatMap(partitionsOf).map(answer => answer.baseOffset), [0, 1, 2]) // prettier-ignore
})

test('acks=all is NOT_ENOUGH_REPLICAS while too few are in sync, and acks=1 is not', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[1, 2]], configs: { 'min.insync.replicas': '2' } })
  const { controller, loader } = broker.context
  await controller.setFenced(2, loader.image.brokers.get(2)!.brokerEpoch, true)
  deepEqual(errorsOf(await send(broker, [{ topic: 'orders' }])), [ErrorCode.NOT_ENOUGH_REPLICAS])
  deepEqual(errorsOf(await send(broker, [{ topic: 'orders' }], { acks: 1 })), [ErrorCode.NONE])
})

test('one replica accepts acks=all whatever min.insync.replicas asks for', async () => {
  const broker = await ordersTopic({ 'min.insync.replicas': '3' })
  deepEqual(errorsOf(await send(broker, [{ topic: 'orders' }])), [ErrorCode.NONE])
})

test('acks=all is REQUEST_TIMED_OUT when the other replicas do not follow in time', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[1, 2]] })
  const sending = send(broker, [{ topic: 'orders' }], { timeoutMs: 300 })
  await settled()
  broker.clock.advance(300)
  deepEqual(errorsOf(await sending), [ErrorCode.REQUEST_TIMED_OUT])
})

test('a topic that is deleted while a request waits ends it with UNKNOWN_TOPIC_OR_PARTITION', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[1, 2]] })
  const sending = send(broker, [{ topic: 'orders' }])
  await settled()
  await broker.context.controller.deleteTopics([{ name: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }])
  deepEqual(errorsOf(await sending), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
})

test('a batch that a producer sends again is answered as the success it was', async () => {
  const broker = await ordersTopic()
  const first = batchOf(['a', 'b'], { producerId: 7, producerEpoch: 0, baseSequence: 0 })
  const second = batchOf(['c'], { producerId: 7, producerEpoch: 0, baseSequence: 2 })
  await send(broker, [{ topic: 'orders', records: Buffer.from(first) }])
  await send(broker, [{ topic: 'orders', records: Buffer.from(second) }])
  const [answer] = partitionsOf(await send(broker, [{ topic: 'orders', records: Buffer.from(first) }]))
  deepEqual([answer!.errorCode, answer!.baseOffset], [ErrorCode.NONE, 0])
  deepEqual(await valuesIn(broker, 'orders'), ['a', 'b', 'c'])
})

test('sequences with a gap, and an epoch that is over, are refused', async () => {
  const broker = await ordersTopic()
  const idempotent = (producerEpoch: number, baseSequence: number) => ({
    topic: 'orders',
    records: batchOf(['a'], { producerId: 7, producerEpoch, baseSequence }),
  })
  deepEqual(errorsOf(await send(broker, [idempotent(1, 0)])), [ErrorCode.NONE])
  deepEqual(errorsOf(await send(broker, [idempotent(1, 4)])), [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER])
  deepEqual(errorsOf(await send(broker, [idempotent(0, 1)])), [ErrorCode.INVALID_PRODUCER_EPOCH])
  deepEqual(errorsOf(await send(broker, [idempotent(2, 1)])), [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER])
  deepEqual(errorsOf(await send(broker, [idempotent(2, 0)])), [ErrorCode.NONE])
})

test('a partition that is named twice gets both batches in order, and two answers', async () => {
  const broker = await ordersTopic()
  const sent = [
    { topic: 'orders', records: batchOf(['a']) },
    { topic: 'orders', records: batchOf(['b']) },
  ]
  const answers = partitionsOf(await send(broker, sent))
  deepEqual(answers.map(answer => answer.baseOffset), [0, 1]) // prettier-ignore
  deepEqual(await valuesIn(broker, 'orders'), ['a', 'b'])
})

test('LogAppendTime is answered with the time of the append', async () => {
  const broker = await ordersTopic({ 'message.timestamp.type': 'LogAppendTime' })
  const [answer] = partitionsOf(await send(broker, [{ topic: 'orders' }]))
  equal(answer!.logAppendTimeMs, broker.context.clock.now())
})

test('the log start offset is answered as it is', async () => {
  const broker = await ordersTopic()
  await send(broker, [{ topic: 'orders', records: batchOf(['a', 'b']) }])
  await broker.log('orders').deleteRecordsBefore(2)
  const [answer] = partitionsOf(await send(broker, [{ topic: 'orders' }]))
  deepEqual([answer!.baseOffset, answer!.logStartOffset], [2, 2])
})

test('clients may not write to internal topics, but for the admin client', async () => {
  const broker = await testBroker()
  await broker.createTopic('__consumer_offsets')
  const sent = [{ topic: '__consumer_offsets' }]
  deepEqual(errorsOf(await send(broker, sent)), [ErrorCode.INVALID_TOPIC_EXCEPTION])
  deepEqual(errorsOf(await send(broker, sent, { clientId: '__admin_client' })), [ErrorCode.NONE])
})

test('a failed disk is KAFKA_STORAGE_ERROR for what waits and for what comes', async () => {
  const broker = await ordersTopic()
  broker.log('orders').isHeld = true
  const sending = send(broker, [{ topic: 'orders' }])
  await settled()
  broker.logs.fail()
  const [answer] = partitionsOf(await sending)
  deepEqual([answer!.errorCode, answer!.baseOffset], [ErrorCode.KAFKA_STORAGE_ERROR, -1])
  deepEqual(errorsOf(await send(broker, [{ topic: 'orders' }])), [ErrorCode.KAFKA_STORAGE_ERROR])
})

test('a log that refuses for a moment is KAFKA_STORAGE_ERROR, and takes the next batch', async () => {
  const broker = await ordersTopic()
  broker.log('orders').refusesNext = true
  deepEqual(errorsOf(await send(broker, [{ topic: 'orders' }])), [ErrorCode.KAFKA_STORAGE_ERROR])
  const [answer] = partitionsOf(await send(broker, [{ topic: 'orders' }]))
  deepEqual([answer!.errorCode, answer!.baseOffset], [ErrorCode.NONE, 0])
})

test('bytes that are no batch are refused whatever they are', async () => {
  const broker = await ordersTopic()
  for (const size of [1, 11, 17, HEADER_SIZE - 1, HEADER_SIZE, 200]) {
    for (const fill of [0, 2, 255]) {
      const [errorCode] = errorsOf(await send(broker, [{ topic: 'orders', records: Buffer.alloc(size, fill) }]))
      equal(errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.UNKNOWN_SERVER_ERROR, true, `${size} times ${fill}`)
    }
  }
  equal(broker.log('orders').endOffset, 0)
})
