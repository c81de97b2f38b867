import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { listOffsets } from '../../../broker/api/list-offsets.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { ListOffsets } from '../../../broker/protocol/messages/list-offsets.ts'
import { buildBatch } from '../../../broker/records/batch.ts'
import { registerBroker, testBroker, type TestBroker } from './fixture.ts'
import { endTransaction, writeTransactional } from './transactions.ts'

const LATEST_VERSION = 11
const [LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING] = [-1, -2, -3, -4, -5, -6]
const NOW = 1_700_000_000_000

type Options = { version?: number; isolationLevel?: number; replicaId?: number; epoch?: number; partition?: number }

async function find(broker: TestBroker, timestamp: number, options: Options = {}, name = 'orders') {
  const { version = LATEST_VERSION, isolationLevel = 0, replicaId = -1, epoch = -1, partition = 0 } = options
  const response = await broker.ask(ListOffsets, listOffsets, version, {
    replicaId,
    isolationLevel: version < 2 ? 0 : isolationLevel,
    topics: [{ name, partitions: [{ partitionIndex: partition, currentLeaderEpoch: epoch, timestamp }] }],
    timeoutMs: 0,
  })
  const answer = response.topics[0]!.partitions[0]!
  return [answer.errorCode, answer.offset, answer.timestamp, answer.leaderEpoch]
}

/** A topic with one batch for each list of timestamps (relative to NOW). */
async function ordersTopic(batches: readonly (readonly number[])[] = []): Promise<TestBroker> {
  const broker = await testBroker()
  await broker.createTopic('orders')
  for (const timestamps of batches) await append(broker, timestamps)
  return broker
}

async function append(broker: TestBroker, timestamps: readonly number[]): Promise<void> {
  const leader = broker.context.replicas.leader(broker.context.image().topics.get('orders')!.topicId, 0)
  if (typeof leader === 'number') throw new Error('no leader')
  const records = timestamps.map(timestamp => ({ timestamp: NOW + timestamp, key: Buffer.from('k'), value: null }))
  await leader.append(buildBatch({ records }), 1, NOW).stored
}

test('the earliest offset is the log start, the latest the high watermark', async () => {
  const broker = await ordersTopic([[1, 2], [3]])
  deepEqual(await find(broker, EARLIEST), [ErrorCode.NONE, 0, -1, 0])
  deepEqual(await find(broker, LATEST), [ErrorCode.NONE, 3, -1, 0])
  await broker.log('orders').deleteRecordsBefore(1)
  deepEqual(await find(broker, EARLIEST), [ErrorCode.NONE, 1, -1, 0])
  deepEqual(await find(broker, LATEST, { isolationLevel: 1 }), [ErrorCode.NONE, 3, -1, 0])
})

test('to a read_committed consumer the latest offset is the last stable one, and what lies above it has no time', async () => {
  const broker = await ordersTopic([[1], [2]])
  await writeTransactional(broker, 7, ['a'])
  await append(broker, [9])
  deepEqual(await find(broker, LATEST, { isolationLevel: 1 }), [ErrorCode.NONE, 2, -1, 0])
  deepEqual(await find(broker, LATEST), [ErrorCode.NONE, 4, -1, 0])
  deepEqual(await find(broker, NOW + 9, { isolationLevel: 1 }), [ErrorCode.NONE, -1, -1, -1])
  deepEqual(await find(broker, NOW + 9), [ErrorCode.NONE, 3, NOW + 9, 0])
  await endTransaction(broker, 7, false)
  deepEqual(await find(broker, LATEST, { isolationLevel: 1 }), [ErrorCode.NONE, 5, -1, 0])
  deepEqual(await find(broker, NOW + 9, { isolationLevel: 1 }), [ErrorCode.NONE, 3, NOW + 9, 0])
})

test('of an empty partition both are 0', async () => {
  const broker = await ordersTopic()
  deepEqual(await find(broker, EARLIEST), [ErrorCode.NONE, 0, -1, 0])
  deepEqual(await find(broker, LATEST), [ErrorCode.NONE, 0, -1, 0])
})

test('the latest offset of a consumer is what is committed, that of a broker the log end', async () => {
  const broker = await ordersTopic([[1]])
  broker.log('orders').isHeld = true
  void append(broker, [2])
  equal((await find(broker, LATEST))[1], 1)
  equal((await find(broker, LATEST, { replicaId: -2 }))[1], 2)
})

test('a time finds the first record at or after it', async () => {
  const broker = await ordersTopic([[10, 30], [20], [40]])
  deepEqual(await find(broker, NOW + 10), [ErrorCode.NONE, 0, NOW + 10, 0])
  deepEqual(await find(broker, NOW + 11), [ErrorCode.NONE, 1, NOW + 30, 0])
  deepEqual(await find(broker, NOW + 31), [ErrorCode.NONE, 3, NOW + 40, 0])
  deepEqual(await find(broker, 0), [ErrorCode.NONE, 0, NOW + 10, 0])
})

test('a time after the last record finds nothing, without an error', async () => {
  const broker = await ordersTopic([[10]])
  deepEqual(await find(broker, NOW + 11), [ErrorCode.NONE, -1, -1, -1])
})

test('a record that is not committed yet is not found', async () => {
  const broker = await ordersTopic([[10]])
  broker.log('orders').isHeld = true
  void append(broker, [20])
  deepEqual(await find(broker, NOW + 15), [ErrorCode.NONE, -1, -1, -1])
  deepEqual(await find(broker, MAX_TIMESTAMP), [ErrorCode.NONE, -1, -1, -1])
})

test('the largest timestamp is found wherever it is', async () => {
  const broker = await ordersTopic([[10], [50, 40], [20]])
  deepEqual(await find(broker, MAX_TIMESTAMP), [ErrorCode.NONE, 1, NOW + 50, 0])
  deepEqual(await find(await ordersTopic(), MAX_TIMESTAMP), [ErrorCode.NONE, -1, -1, -1])
})

test('without tiered storage the local log is all there is', async () => {
  const broker = await ordersTopic([[10]])
  deepEqual(await find(broker, EARLIEST_LOCAL), [ErrorCode.NONE, 0, -1, 0])
  deepEqual(await find(broker, LATEST_TIERED), [ErrorCode.NONE, -1, -1, -1])
  deepEqual(await find(broker, EARLIEST_PENDING), [ErrorCode.NONE, -1, -1, -1])
})

test('special timestamps that a version does not know are UNSUPPORTED_VERSION', async () => {
  const broker = await ordersTopic([[10]])
  for (const [timestamp, since] of [
    [MAX_TIMESTAMP, 7],
    [EARLIEST_LOCAL, 8],
    [LATEST_TIERED, 9],
    [EARLIEST_PENDING, 11],
  ] as const) {
    equal((await find(broker, timestamp, { version: since - 1 }))[0], ErrorCode.UNSUPPORTED_VERSION)
    equal((await find(broker, timestamp, { version: since }))[0], ErrorCode.NONE)
  }
  equal((await find(broker, -7))[0], ErrorCode.UNSUPPORTED_VERSION)
})

test('version 1 answers without a leader epoch', async () => {
  const broker = await ordersTopic([[10]])
  deepEqual(await find(broker, LATEST, { version: 1 }), [ErrorCode.NONE, 1, -1, -1])
  deepEqual(await find(broker, NOW, { version: 3 }), [ErrorCode.NONE, 0, NOW + 10, -1])
})

test('unknown topics and partitions, other leaders, wrong epochs, a failed disk', async () => {
  const broker = await ordersTopic()
  await broker.createTopic('elsewhere', { assignments: [[2]] })
  equal((await find(broker, LATEST, {}, 'nobody'))[0], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  equal((await find(broker, LATEST, { partition: 5 }))[0], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  equal((await find(broker, LATEST, {}, 'elsewhere'))[0], ErrorCode.NOT_LEADER_OR_FOLLOWER)
  equal((await find(broker, LATEST, { epoch: 1 }))[0], ErrorCode.UNKNOWN_LEADER_EPOCH)
  broker.logs.fail()
  deepEqual(await find(broker, LATEST), [ErrorCode.KAFKA_STORAGE_ERROR, -1, -1, -1])
})

test('a leader that does not know its high watermark has no latest offset yet', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[1, 2]] })
  await append(broker, [1])
  // Another epoch of this broker starts at a log end that broker 2 has not acknowledged.
  await registerBroker(broker.context, 1)
  equal((await find(broker, LATEST))[0], ErrorCode.OFFSET_NOT_AVAILABLE)
  equal((await find(broker, LATEST, { version: 4 }))[0], ErrorCode.LEADER_NOT_AVAILABLE)
  equal((await find(broker, NOW))[0], ErrorCode.OFFSET_NOT_AVAILABLE)
  deepEqual(await find(broker, EARLIEST), [ErrorCode.NONE, 0, -1, 0])
})

test('a partition that is named twice is INVALID_REQUEST both times, the others are answered', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { partitions: 2 })
  const asked = [0, 1, 0].map(partitionIndex => ({ partitionIndex, currentLeaderEpoch: -1, timestamp: LATEST }))
  const response = await broker.ask(ListOffsets, listOffsets, LATEST_VERSION, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: 'orders', partitions: asked }],
    timeoutMs: 0,
  })
  deepEqual(response.topics[0]!.partitions.map(answer => answer.errorCode), [
    ErrorCode.INVALID_REQUEST,
    ErrorCode.NONE,
    ErrorCode.INVALID_REQUEST,
  ]) // prettier-ignore
})
