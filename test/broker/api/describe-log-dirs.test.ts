import { deepEqual, equal } from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'vitest'
import { describeLogDirs } from '../../../broker/api/describe-log-dirs.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { DescribeLogDirs } from '../../../broker/protocol/messages/describe-log-dirs.ts'
import { batchOf, testBroker, type TestBroker } from './fixture.ts'

type Topics = { topic: string; partitions: number[] }[] | null

async function describe(broker: TestBroker, topics: Topics, version = 5) {
  const response = await broker.ask(DescribeLogDirs, describeLogDirs, version, { topics })
  equal(response.errorCode, ErrorCode.NONE)
  equal(response.results.length, 1)
  return response.results[0]!
}

async function filled(): Promise<TestBroker> {
  const broker = await testBroker({ config: { 'log.dirs': '/var/lib/flotilla' } })
  const topicId = await broker.createTopic('orders', { partitions: 2 })
  await broker.createTopic('other')
  const leader = broker.context.replicas.leader(topicId, 1)
  if (typeof leader !== 'number') await leader.append(batchOf(['a', 'b']), 1, broker.clock.now()).stored
  return broker
}

test('all partitions with their sizes, and the disk', async () => {
  const broker = await filled()
  const result = await describe(broker, null)
  const partition = (partitionIndex: number, partitionSize: number) => ({
    partitionIndex,
    partitionSize,
    offsetLag: 0,
    isFutureKey: false,
  })
  deepEqual(result.topics, [
    { name: 'orders', partitions: [partition(0, 0), partition(1, batchOf(['a', 'b']).length)] },
    { name: 'other', partitions: [partition(0, 0)] },
  ])
  deepEqual([result.errorCode, result.logDir], [ErrorCode.NONE, resolve('/var/lib/flotilla')])
  deepEqual([result.totalBytes, result.usableBytes, result.isCordoned], [1000, 400, false])
})

test('only the partitions asked for, and no topic without any', async () => {
  const broker = await filled()
  const asked = [
    { topic: 'orders', partitions: [1, 7] },
    { topic: 'other', partitions: [3] },
    { topic: 'nobody', partitions: [0] },
  ]
  const { topics } = await describe(broker, asked)
  deepEqual(topics.map(({ name, partitions }) => [name, partitions.map(({ partitionIndex }) => partitionIndex)]), [
    ['orders', [1]],
  ]) // prettier-ignore
  deepEqual((await describe(broker, [])).topics, [])
})

test('old versions do not hear of the size of the disk', async () => {
  const broker = await filled()
  for (const version of [1, 2, 3]) {
    const { totalBytes, usableBytes } = await describe(broker, null, version)
    deepEqual([totalBytes, usableBytes], [-1, -1])
  }
})

test('a disk that has failed is KAFKA_STORAGE_ERROR and has no topics', async () => {
  const broker = await filled()
  broker.logs.fail()
  const result = await describe(broker, null)
  deepEqual([result.errorCode, result.topics, result.totalBytes], [ErrorCode.KAFKA_STORAGE_ERROR, [], -1])
})
