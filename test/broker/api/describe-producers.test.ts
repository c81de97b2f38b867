import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { describeProducers } from '../../../broker/api/describe-producers.ts'
import { ErrorCode, errorMessage } from '../../../broker/protocol/errors.ts'
import { DescribeProducers } from '../../../broker/protocol/messages/describe-producers.ts'
import { batchOf, testBroker } from './fixture.ts'
import { endTransaction, writeTransactional } from './transactions.ts'

test('the producers that a partition remembers, with their newest sequence', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders', { partitions: 2 })
  const leader = broker.context.replicas.leader(topicId, 0)
  if (typeof leader === 'number') throw new Error('no leader')
  for (const [producerId, baseSequence] of [
    [7, 0],
    [7, 2],
    [9, 0],
  ] as const) {
    const records = batchOf(['a', 'b'], { producerId, producerEpoch: 3, baseSequence })
    await leader.append(records, 1, broker.clock.now()).stored
  }
  await leader.append(batchOf(['x']), 1, broker.clock.now()).stored
  const response = await broker.ask(DescribeProducers, describeProducers, 0, {
    topics: [{ name: 'orders', partitionIndexes: [0, 1] }],
  })
  const [busy, idle] = response.topics[0]!.partitions
  const known = (producerId: number, lastSequence: number) => ({
    producerId,
    producerEpoch: 3,
    lastSequence,
    lastTimestamp: 1_700_000_000_000,
    coordinatorEpoch: -1,
    currentTxnStartOffset: -1,
  })
  deepEqual(busy!.activeProducers, [known(7, 3), known(9, 1)])
  deepEqual([busy!.errorCode, busy!.errorMessage], [ErrorCode.NONE, null])
  deepEqual([idle!.errorCode, idle!.activeProducers], [ErrorCode.NONE, []])
})

test('a producer tells where its open transaction began, and which coordinator ended the last one', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  await writeTransactional(broker, 7, ['a'])
  await endTransaction(broker, 7, true, { coordinatorEpoch: 5 })
  await writeTransactional(broker, 7, ['b'], 1)
  await writeTransactional(broker, 7, ['c'], 2)
  const { topics } = await broker.ask(DescribeProducers, describeProducers, 0, {
    topics: [{ name: 'orders', partitionIndexes: [0] }],
  })
  const [producer] = topics[0]!.partitions[0]!.activeProducers
  deepEqual([producer!.coordinatorEpoch, producer!.currentTxnStartOffset, producer!.lastSequence], [5, 2, 2])
})

test('errors come for each partition, with Kafka’s text', async () => {
  const broker = await testBroker()
  await broker.createTopic('elsewhere', { assignments: [[2]] })
  const response = await broker.ask(DescribeProducers, describeProducers, 0, {
    topics: [
      { name: 'nobody', partitionIndexes: [0] },
      { name: 'elsewhere', partitionIndexes: [0, 5] },
    ],
  })
  const answers = response.topics.flatMap(topic => topic.partitions)
  deepEqual(
    answers.map(answer => answer.errorCode),
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  )
  equal(answers[1]!.errorMessage, errorMessage(ErrorCode.NOT_LEADER_OR_FOLLOWER))
})
