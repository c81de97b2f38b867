import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { deleteRecords } from '../../../broker/api/delete-records.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { DeleteRecords } from '../../../broker/protocol/messages/delete-records.ts'
import { batchOf, testBroker, type TestBroker } from './fixture.ts'

async function deleteBefore(broker: TestBroker, offset: number, { name = 'orders', partition = 0, version = 2 } = {}) {
  const response = await broker.ask(DeleteRecords, deleteRecords, version, {
    topics: [{ name, partitions: [{ partitionIndex: partition, offset }] }],
    timeoutMs: 1000,
  })
  const answer = response.topics[0]!.partitions[0]!
  return [answer.errorCode, answer.lowWatermark]
}

async function ordersTopic(configs: Record<string, string> = {}): Promise<TestBroker> {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders', { configs })
  const leader = broker.context.replicas.leader(topicId, 0)
  if (typeof leader !== 'number') {
    for (const value of ['a', 'b', 'c']) await leader.append(batchOf([value]), 1, broker.clock.now()).stored
  }
  return broker
}

test('the log starts at the offset asked for', async () => {
  for (const version of [0, 1, 2]) {
    const broker = await ordersTopic()
    deepEqual(await deleteBefore(broker, 2, { version }), [ErrorCode.NONE, 2])
    equal(broker.log('orders').logStartOffset, 2)
  }
})

test('offset -1 stands for the high watermark', async () => {
  const broker = await ordersTopic()
  deepEqual(await deleteBefore(broker, -1), [ErrorCode.NONE, 3])
})

test('what is gone already is a success that changes nothing', async () => {
  const broker = await ordersTopic()
  await deleteBefore(broker, 2)
  deepEqual(await deleteBefore(broker, 1), [ErrorCode.NONE, 2])
})

test('an offset beyond the high watermark, or negative, is OFFSET_OUT_OF_RANGE', async () => {
  const broker = await ordersTopic()
  broker.log('orders').isHeld = true
  const leader = broker.context.replicas.leader(broker.context.image().topics.get('orders')!.topicId, 0)
  if (typeof leader !== 'number') void leader.append(batchOf(['d']), 1, broker.clock.now())
  deepEqual(await deleteBefore(broker, 4), [ErrorCode.OFFSET_OUT_OF_RANGE, -1])
  deepEqual(await deleteBefore(broker, -2), [ErrorCode.OFFSET_OUT_OF_RANGE, -1])
  deepEqual(await deleteBefore(broker, 3), [ErrorCode.NONE, 3])
})

test('a topic that is only compacted is POLICY_VIOLATION, one that also deletes is not', async () => {
  const compacted = await ordersTopic({ 'cleanup.policy': 'compact' })
  deepEqual(await deleteBefore(compacted, 1), [ErrorCode.POLICY_VIOLATION, -1])
  const both = await ordersTopic({ 'cleanup.policy': 'compact,delete' })
  deepEqual(await deleteBefore(both, 1), [ErrorCode.NONE, 1])
})

test('internal topics, unknown ones, other leaders, a failed disk', async () => {
  const broker = await ordersTopic()
  await broker.createTopic('__consumer_offsets')
  await broker.createTopic('elsewhere', { assignments: [[2]] })
  deepEqual(await deleteBefore(broker, 0, { name: '__consumer_offsets' }), [ErrorCode.INVALID_TOPIC_EXCEPTION, -1])
  deepEqual(await deleteBefore(broker, 0, { name: 'nobody' }), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1])
  deepEqual(await deleteBefore(broker, 0, { partition: 9 }), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1])
  deepEqual(await deleteBefore(broker, 0, { name: 'elsewhere' }), [ErrorCode.NOT_LEADER_OR_FOLLOWER, -1])
  broker.logs.fail()
  deepEqual(await deleteBefore(broker, 1), [ErrorCode.KAFKA_STORAGE_ERROR, -1])
})
