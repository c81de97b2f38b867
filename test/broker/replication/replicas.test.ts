import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { silentLogger } from '../../../broker/base/log.ts'
import { topicConfig } from '../../../broker/config/topic-config.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { Leader } from '../../../broker/replication/leader.ts'
import { Replicas } from '../../../broker/replication/replicas.ts'
import { brokerConfig, settled, testBroker, type TestBroker } from '../api/fixture.ts'
import { MemoryLogDirectory } from './memory-log.ts'

const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const TOPIC_RESOURCE = 2

function leaderOf(broker: TestBroker, name: string, partition = 0): Leader | ErrorCode {
  return broker.context.replicas.leader(broker.context.image().topics.get(name)!.topicId, partition)
}

function leading(broker: TestBroker, name: string, partition = 0): Leader {
  const leader = leaderOf(broker, name, partition)
  if (typeof leader === 'number') throw new Error(`no leader: ${leader}`)
  return leader
}

test('a created topic has a log and a leader for each of its partitions', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders', { partitions: 3 })
  for (const partition of [0, 1, 2]) {
    equal(leading(broker, 'orders', partition).log.partition, partition)
    notEqual(broker.logs.log(topicId, partition), undefined)
  }
  equal([...broker.context.replicas.leaders()].length, 3)
})

test('a partition that is elsewhere has no log here', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders', { assignments: [[2], [1]] })
  equal(leaderOf(broker, 'orders', 0), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  equal(broker.logs.log(topicId, 0), undefined)
  equal(leading(broker, 'orders', 1).leaderEpoch, 0)
})

test('a partition that another broker leads has a log here and no leader', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders', { assignments: [[2, 1]] })
  equal(leaderOf(broker, 'orders'), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  notEqual(broker.logs.log(topicId, 0), undefined)
})

test('topics and partitions that are not in the metadata are unknown', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  deepEqual([leaderOf(broker, 'orders', 1), leaderOf(broker, 'orders', -1), leaderOf(broker, 'orders', 2 ** 31)], [
    unknown,
    unknown,
    unknown,
  ]) // prettier-ignore
  equal(broker.context.replicas.leader('bbbbbbbbbbbbbbbbbbbbbA', 0), unknown)
})

test('leadership goes with the metadata, and whoever waits learns it', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[1, 2]] })
  const before = leading(broker, 'orders')
  const waiting = before.committed(5, 1000)
  const { controller, loader } = broker.context
  const setFenced = (brokerId: number, isFenced: boolean) =>
    controller.setFenced(brokerId, loader.image.brokers.get(brokerId)!.brokerEpoch, isFenced)
  await setFenced(1, true)
  equal(leaderOf(broker, 'orders'), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  equal(await waiting, ErrorCode.NOT_LEADER_OR_FOLLOWER)
})

test('a deleted topic loses its logs, and one that is created under its name starts empty', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders')
  const old = leading(broker, 'orders')
  await broker.context.controller.deleteTopics([{ name: 'orders', topicId: NO_ID }])
  equal(broker.logs.log(topicId, 0), undefined)
  equal(broker.context.replicas.leader(topicId, 0), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  equal(await old.committed(1, 1000), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const again = await broker.createTopic('orders')
  notEqual(again, topicId)
  equal(leading(broker, 'orders').log.endOffset, 0)
})

test('added partitions appear', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  await broker.context.controller.createPartitions([{ name: 'orders', count: 3, assignments: null }])
  equal(leading(broker, 'orders', 2).log.partition, 2)
})

test('a changed topic configuration reaches the log and the leader', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  const { controller } = broker.context
  const configs = [{ name: 'max.message.bytes', value: '777' }]
  await controller.alterConfigs([{ resourceType: TOPIC_RESOURCE, resourceName: 'orders', configs }])
  equal(leading(broker, 'orders').config.maxMessageBytes, 777)
  equal((broker.log('orders').config as { maxMessageBytes: number }).maxMessageBytes, 777)
})

test('a disk that fails ends all leaderships with KAFKA_STORAGE_ERROR', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  const waiting = leading(broker, 'orders').committed(5, 1000)
  broker.logs.fail()
  equal(await waiting, ErrorCode.KAFKA_STORAGE_ERROR)
  equal(leaderOf(broker, 'orders'), ErrorCode.KAFKA_STORAGE_ERROR)
})

test('a partition whose log cannot be created is KAFKA_STORAGE_ERROR, and does not stop the others', async () => {
  const broker = await testBroker()
  broker.logs.refusesCreate = true
  await broker.createTopic('orders')
  broker.logs.refusesCreate = false
  await broker.createTopic('other')
  equal(leaderOf(broker, 'orders'), ErrorCode.KAFKA_STORAGE_ERROR)
  equal(leading(broker, 'other').leaderEpoch, 0)
})

test('a broker that starts finds its logs, and removes those whose topic was deleted while it was down', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic('orders')
  const { context } = broker
  const logs = new MemoryLogDirectory()
  const config = brokerConfig({})
  const kept = logs.create(topicId, 0, 'orders', null)
  logs.create('strayAAAAAAAAAAAAAAAAA', 3, 'gone', null)
  logs.create('metadataAAAAAAAAAAAAAA', 0, '__cluster_metadata', null)
  const replicas = new Replicas({
    clock: context.clock,
    log: silentLogger,
    brokerId: 1,
    logs: logs.asLogDirectory,
    topicConfig: topic => topicConfig(topic.configs, config),
    exemptTopicIds: new Set(['metadataAAAAAAAAAAAAAA']),
  })
  context.loader.subscribe(replicas.apply)
  await replicas.removeStrays()
  const leader = replicas.leader(topicId, 0)
  equal(typeof leader === 'number' ? null : leader.log, kept.asPartitionLog)
  deepEqual([...logs.logs()].map(log => log.topicName), ['orders', '__cluster_metadata']) // prettier-ignore
})

test('an image without any topic removes no log', async () => {
  const broker = await testBroker()
  const logs = new MemoryLogDirectory()
  logs.create('strayAAAAAAAAAAAAAAAAA', 3, 'gone', null)
  const replicas = new Replicas({
    clock: broker.clock,
    log: silentLogger,
    brokerId: 1,
    logs: logs.asLogDirectory,
    topicConfig: topic => topicConfig(topic.configs, brokerConfig({})),
  })
  broker.context.loader.subscribe(replicas.apply)
  await replicas.removeStrays()
  await settled()
  equal([...logs.logs()].length, 1)
})
