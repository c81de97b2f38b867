import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { findCoordinator } from '../../../broker/api/find-coordinator.ts'
import { partitionOfKey } from '../../../broker/coordinator/partition-of-key.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { FindCoordinator } from '../../../broker/protocol/messages/find-coordinator.ts'
import { BROKER_ID, registerBroker, testBroker } from './fixture.ts'

const GROUP = 0
const TRANSACTION = 1
const SHARE = 2

test('the first who asks creates the topic, with the configuration of Kafka and no more replicas than brokers', async () => {
  const broker = await testBroker()
  const answer = await broker.ask(FindCoordinator, findCoordinator, 3, { key: 'g', keyType: GROUP })
  deepEqual([answer.errorCode, answer.errorMessage], [ErrorCode.NONE, null])
  const topic = broker.context.image().topics.get('__consumer_offsets')!
  deepEqual([topic.partitions.length, topic.partitions[0]!.replicas.length], [50, 2])
  deepEqual(Object.fromEntries(topic.configs), {
    'cleanup.policy': 'compact',
    'compression.type': 'producer',
    'segment.bytes': '104857600',
  })
})

test('the coordinator is the leader of the partition that keeps the key, key by key', async () => {
  const broker = await testBroker()
  await broker.createTopic('__consumer_offsets', { assignments: [[BROKER_ID], [2]] })
  const keys = ['a', 'b', 'orders', 'payments']
  const answer = await broker.ask(FindCoordinator, findCoordinator, 4, { keyType: GROUP, coordinatorKeys: keys })
  deepEqual(
    answer.coordinators.map(({ key, nodeId, host, port, errorCode }) => [key, nodeId, host, port, errorCode]),
    keys.map(key => {
      const leader = [BROKER_ID, 2][partitionOfKey(key, 2)]!
      return [key, leader, `broker-${leader}`, 9092, ErrorCode.NONE]
    }),
  )
})

test('transactional ids have a topic of their own', async () => {
  const broker = await testBroker({ config: { 'transaction.state.log.num.partitions': '3' } })
  const answer = await broker.ask(FindCoordinator, findCoordinator, 2, { key: 't', keyType: TRANSACTION })
  equal(answer.errorCode, ErrorCode.NONE)
  const topic = broker.context.image().topics.get('__transaction_state')!
  equal(topic.partitions.length, 3)
  equal(topic.configs.get('min.insync.replicas'), '2')
})

test('a key type that nobody coordinates is an invalid request', async () => {
  const broker = await testBroker()
  const single = await broker.ask(FindCoordinator, findCoordinator, 1, { key: 'g', keyType: 7 })
  equal(single.errorCode, ErrorCode.INVALID_REQUEST)
  const batched = await broker.ask(FindCoordinator, findCoordinator, 6, { keyType: SHARE, coordinatorKeys: ['g'] })
  deepEqual(
    batched.coordinators.map(({ key, nodeId, errorCode }) => [key, nodeId, errorCode]),
    [['g', -1, ErrorCode.INVALID_REQUEST]],
  )
})

test('a partition whose leader is away has no coordinator until there is one again', async () => {
  const broker = await testBroker()
  await broker.createTopic('__consumer_offsets', { assignments: [[2]] })
  const epoch = broker.context.image().brokers.get(2)!.brokerEpoch
  await broker.context.controller.setFenced(2, epoch, true)
  const ask = () => broker.ask(FindCoordinator, findCoordinator, 3, { key: 'g', keyType: GROUP })
  equal((await ask()).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  await registerBroker(broker.context, 2)
  equal((await ask()).nodeId, 2)
})
