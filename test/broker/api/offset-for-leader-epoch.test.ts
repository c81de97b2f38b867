import { deepEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { offsetForLeaderEpoch } from '../../../broker/api/offset-for-leader-epoch.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { OffsetForLeaderEpoch } from '../../../broker/protocol/messages/offset-for-leader-epoch.ts'
import { batchOf, registerBroker, testBroker, type TestBroker } from './fixture.ts'

async function endOf(
  broker: TestBroker,
  leaderEpoch: number,
  { topic = 'orders', partition = 0, currentLeaderEpoch = -1, version = 4 } = {},
) {
  const response = await broker.ask(OffsetForLeaderEpoch, offsetForLeaderEpoch, version, {
    topics: [{ topic, partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }],
  })
  const answer = response.topics[0]!.partitions[0]!
  return [answer.errorCode, answer.leaderEpoch, answer.endOffset]
}

async function append(broker: TestBroker, values: string[]): Promise<void> {
  const leader = broker.context.replicas.leader(broker.context.image().topics.get('orders')!.topicId, 0)
  if (typeof leader !== 'number') await leader.append(batchOf(values), 1, broker.clock.now()).stored
}

test('an epoch ends where the next one began, the current one at the log end', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  await append(broker, ['a', 'b'])
  await registerBroker(broker.context, 1)
  await append(broker, ['c'])
  for (const version of [2, 3, 4]) {
    deepEqual(await endOf(broker, 0, { version }), [ErrorCode.NONE, 0, 2])
    deepEqual(await endOf(broker, 1, { version }), [ErrorCode.NONE, 1, 3])
  }
})

test('an epoch that nobody has led in is not known', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  deepEqual(await endOf(broker, 7), [ErrorCode.NONE, -1, -1])
  deepEqual(await endOf(broker, -1), [ErrorCode.NONE, -1, -1])
})

test('the current epoch of an empty log ends at its start', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  deepEqual(await endOf(broker, 0), [ErrorCode.NONE, 0, 0])
})

test('errors: unknown topics and partitions, other leaders, epochs that do not fit, a failed disk', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  await broker.createTopic('elsewhere', { assignments: [[2]] })
  await registerBroker(broker.context, 1)
  deepEqual(await endOf(broker, 0, { topic: 'nobody' }), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1])
  deepEqual(await endOf(broker, 0, { partition: 4 }), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1])
  deepEqual(await endOf(broker, 0, { topic: 'elsewhere' }), [ErrorCode.NOT_LEADER_OR_FOLLOWER, -1, -1])
  deepEqual(await endOf(broker, 0, { currentLeaderEpoch: 0 }), [ErrorCode.FENCED_LEADER_EPOCH, -1, -1])
  deepEqual(await endOf(broker, 0, { currentLeaderEpoch: 5 }), [ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1])
  broker.logs.fail()
  deepEqual(await endOf(broker, 0), [ErrorCode.KAFKA_STORAGE_ERROR, -1, -1])
})
