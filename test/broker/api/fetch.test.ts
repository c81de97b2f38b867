import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { baseOffset } from '../../../broker/records/batch.ts'
import { get, partitionsOf, errorsOf, valuesOf, fill, ordersTopic } from './fetching.ts'
import { batchOf, registerBroker, testBroker } from './fixture.ts'

for (const version of [4, 5, 7, 11, 12, 13, 16, 18]) {
  test(`version ${version} reads batches and says where the partition ends`, async () => {
    const broker = await ordersTopic(['a', 'b', 'c'])
    const response = await get(broker, [{ topic: 'orders', offset: 1 }], { version })
    deepEqual(valuesOf(response), [['b', 'c']])
    const [answer] = partitionsOf(response)
    deepEqual([answer!.errorCode, answer!.highWatermark, answer!.lastStableOffset], [ErrorCode.NONE, 3, 3])
    deepEqual([answer!.logStartOffset, answer!.preferredReadReplica], [version >= 5 ? 0 : -1, -1])
    equal(answer!.abortedTransactions, null)
    deepEqual([response.errorCode, response.sessionId], [ErrorCode.NONE, 0])
  })
}

test('a fetch in the middle of a batch gets the whole batch', async () => {
  const broker = await ordersTopic()
  const leader = broker.context.replicas.leader(broker.context.image().topics.get('orders')!.topicId, 0)
  if (typeof leader !== 'number') await leader.append(batchOf(['a', 'b', 'c']), 1, broker.clock.now()).stored
  const [answer] = partitionsOf(await get(broker, [{ topic: 'orders', offset: 2 }]))
  equal(baseOffset(answer!.records!, 0), 0)
})

test('names and ids that nobody knows, and partitions that are not there', async () => {
  const broker = await ordersTopic()
  const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const byName = await get(broker, [{ topic: 'nobody' }, { topic: 'orders', partition: 7 }], { version: 12 })
  deepEqual(errorsOf(byName), [unknown, unknown])
  const byId = await get(broker, [{ topic: 'bbbbbbbbbbbbbbbbbbbbbA' }, { topic: 'orders', partition: 7 }])
  deepEqual(errorsOf(byId), [ErrorCode.UNKNOWN_TOPIC_ID, unknown])
  for (const answer of partitionsOf(byId)) {
    deepEqual([answer.highWatermark, answer.lastStableOffset, answer.logStartOffset], [-1, -1, -1])
    equal(answer.records!.length, 0)
  }
})

test('an offset below the log start or above the log end is OFFSET_OUT_OF_RANGE', async () => {
  const broker = await ordersTopic(['a', 'b', 'c'])
  await broker.log('orders').deleteRecordsBefore(1)
  const errors = []
  for (const offset of [-1, 0, 1, 3, 4]) errors.push(...errorsOf(await get(broker, [{ topic: 'orders', offset }])))
  const outOfRange = ErrorCode.OFFSET_OUT_OF_RANGE
  deepEqual(errors, [outOfRange, outOfRange, ErrorCode.NONE, ErrorCode.NONE, outOfRange])
})

test('an offset between the high watermark and the log end is empty, not out of range', async () => {
  const broker = await ordersTopic(['a'])
  broker.log('orders').isHeld = true
  void fill(broker, 'orders', ['b'])
  deepEqual(valuesOf(await get(broker, [{ topic: 'orders', offset: 0 }])), [['a']])
  const response = await get(broker, [{ topic: 'orders', offset: 2 }])
  deepEqual([errorsOf(response), valuesOf(response)], [[ErrorCode.NONE], [[]]])
})

test('a partition that another broker leads is NOT_LEADER_OR_FOLLOWER, and v16 says where to go', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[2]] })
  const response = await get(broker, [{ topic: 'orders' }])
  const [answer] = partitionsOf(response)
  equal(answer!.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  deepEqual(answer!.currentLeader, { leaderId: 2, leaderEpoch: 0 })
  deepEqual(response.nodeEndpoints, [{ nodeId: 2, host: 'broker-2', port: 9092, rack: null }])
  const [old] = partitionsOf(await get(broker, [{ topic: 'orders' }], { version: 15 }))
  deepEqual([old!.errorCode, old!.currentLeader.leaderId], [ErrorCode.NOT_LEADER_OR_FOLLOWER, -1])
})

test('the leader epoch of a request must be the current one', async () => {
  const broker = await ordersTopic(['a'])
  await registerBroker(broker.context, 1)
  const epoch = broker.context.image().topics.get('orders')!.partitions[0]!.leaderEpoch
  notEqual(epoch, 0)
  const ask = async (asked: number) => partitionsOf(await get(broker, [{ topic: 'orders', epoch: asked }]))[0]!
  equal((await ask(epoch)).errorCode, ErrorCode.NONE)
  equal((await ask(epoch + 1)).errorCode, ErrorCode.UNKNOWN_LEADER_EPOCH)
  const fenced = await ask(epoch - 1)
  equal(fenced.errorCode, ErrorCode.FENCED_LEADER_EPOCH)
  deepEqual(fenced.currentLeader, { leaderId: 1, leaderEpoch: epoch })
})

test('a client whose log has parted from ours learns where, at once', async () => {
  const broker = await ordersTopic(['a', 'b'])
  const wanted = { topic: 'orders', offset: 5, lastFetchedEpoch: 0 }
  const [answer] = partitionsOf(await get(broker, [wanted], { maxWaitMs: 500 }))
  deepEqual(answer!.divergingEpoch, { epoch: 0, endOffset: 2 })
  deepEqual([answer!.errorCode, answer!.records!.length, answer!.highWatermark], [ErrorCode.NONE, 0, 2])
})

test('a last fetched epoch that fits does not get in the way, one that we cannot judge is OFFSET_OUT_OF_RANGE', async () => {
  const broker = await ordersTopic(['a', 'b'])
  deepEqual(valuesOf(await get(broker, [{ topic: 'orders', offset: 1, lastFetchedEpoch: 0 }])), [['b']])
  const response = await get(broker, [{ topic: 'orders', offset: 1, lastFetchedEpoch: 9 }])
  deepEqual(errorsOf(response), [ErrorCode.OFFSET_OUT_OF_RANGE])
})

test('a replica id that is in no assignment is NOT_LEADER_OR_FOLLOWER', async () => {
  const broker = await ordersTopic(['a'])
  for (const version of [12, 17]) {
    const response = await get(broker, [{ topic: 'orders' }], { version, replicaId: 3 })
    deepEqual(errorsOf(response), [ErrorCode.NOT_LEADER_OR_FOLLOWER])
  }
  deepEqual(errorsOf(await get(broker, [{ topic: 'orders' }], { version: 12, replicaId: -2 })), [ErrorCode.NONE])
})

test('read_committed answers the aborted transactions, even when there are none', async () => {
  const broker = await ordersTopic(['a'])
  const [answer] = partitionsOf(await get(broker, [{ topic: 'orders' }], { isolationLevel: 1 }))
  deepEqual([answer!.abortedTransactions, answer!.lastStableOffset], [[], 1])
})

test('partitionMaxBytes bounds a partition, but the first batch comes whatever its size', async () => {
  const broker = await ordersTopic(['a', 'b', 'c'])
  const size = batchOf(['a']).length
  const values = async (maxBytes: number) => valuesOf(await get(broker, [{ topic: 'orders', maxBytes }]))[0]
  deepEqual(await values(size * 2), ['a', 'b'])
  deepEqual(await values(size * 2 - 1), ['a'])
  deepEqual(await values(1), ['a'])
  deepEqual(await values(0), ['a'])
  deepEqual(await values(-5), ['a'])
})

test('only the first partition with data may exceed the limits', async () => {
  const broker = await ordersTopic([], 3)
  for (const partition of [1, 2]) await fill(broker, 'orders', ['a', 'b'], partition)
  const wanted = [0, 1, 2].map(partition => ({ topic: 'orders', partition, maxBytes: 1 }))
  deepEqual(valuesOf(await get(broker, wanted)), [[], ['a'], []])
})

test('maxBytes bounds the answer over all partitions', async () => {
  const broker = await ordersTopic([], 3)
  for (const partition of [0, 1, 2]) await fill(broker, 'orders', ['a', 'b'], partition)
  const wanted = [0, 1, 2].map(partition => ({ topic: 'orders', partition }))
  const maxBytes = batchOf(['a']).length * 3
  deepEqual(valuesOf(await get(broker, wanted, { maxBytes })), [['a', 'b'], ['a'], []])
  deepEqual(valuesOf(await get(broker, wanted, { maxBytes: 0 })), [['a'], [], []])
})

test('fetch.max.bytes and the memory of the connection bound the answer as well', async () => {
  const size = batchOf(['a']).length
  const broker = await testBroker({ config: { 'fetch.max.bytes': '1024' } })
  await broker.createTopic('orders')
  await fill(
    broker,
    'orders',
    Array.from({ length: 30 }, () => 'a'),
  )
  equal(valuesOf(await get(broker, [{ topic: 'orders' }]))[0]!.length, Math.floor(1024 / size))
  const reserved: number[] = []
  const grant = (wantBytes: number) => {
    reserved.push(wantBytes)
    return Math.min(wantBytes, size * 2)
  }
  equal(valuesOf(await get(broker, [{ topic: 'orders' }], { grant }))[0]!.length, 2)
  deepEqual(reserved, [1024, size * 2])
})

test('partitions on the disk are read together and the answer keeps to its limits', async () => {
  const size = batchOf(['a']).length
  for (const [maxBytes, partitionMaxBytes, expected] of [
    [size * 100, size * 2, [[], ['a', 'b'], ['a', 'b'], ['a', 'b']]],
    [size * 3, size * 2, [[], ['a', 'b'], ['a'], []]],
    [size * 3, size * 10, [[], ['a', 'b', 'c'], [], []]],
    [1, 1, [[], ['a'], [], []]],
    [size * 100, 1, [[], ['a'], [], []]],
  ] as const) {
    const broker = await ordersTopic([], 4)
    for (const partition of [1, 2, 3]) await fill(broker, 'orders', ['a', 'b', 'c'], partition)
    for (const partition of [0, 1, 2, 3]) broker.log('orders', partition).readsAreSlow = true
    const wanted = [0, 1, 2, 3].map(partition => ({ topic: 'orders', partition, maxBytes: partitionMaxBytes }))
    deepEqual(valuesOf(await get(broker, wanted, { maxBytes })), expected)
  }
})

test('a disk that fails under a read is KAFKA_STORAGE_ERROR for that partition', async () => {
  const broker = await ordersTopic(['a'], 2)
  await fill(broker, 'orders', ['b'], 1)
  for (const partition of [0, 1]) broker.log('orders', partition).readsAreSlow = true
  broker.log('orders', 0).failsReads = true
  const response = await get(broker, [{ topic: 'orders' }, { topic: 'orders', partition: 1 }])
  deepEqual(
    [errorsOf(response), valuesOf(response)],
    [
      [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NONE],
      [[], ['b']],
    ],
  )
})
