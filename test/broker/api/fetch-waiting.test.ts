import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { get, errorsOf, valuesOf, fill, ordersTopic, type Options } from './fetching.ts'
import { batchOf, settled, testBroker } from './fixture.ts'

test('a fetch at the tail waits, and is answered by the append that makes up the bytes', async () => {
  const broker = await ordersTopic(['a'])
  let isAnswered = false
  const fetching = get(broker, [{ topic: 'orders', offset: 1 }], { maxWaitMs: 500 }).then(response => {
    isAnswered = true
    return response
  })
  await settled()
  equal(isAnswered, false)
  await fill(broker, 'orders', ['b'])
  deepEqual(valuesOf(await fetching), [['b']])
  equal(broker.clock.timers, 0)
})

test('a waiting fetch is not woken by an append that is not flushed', async () => {
  const broker = await ordersTopic(['a'])
  broker.log('orders').isHeld = true
  let isAnswered = false
  const fetching = get(broker, [{ topic: 'orders', offset: 1 }], { maxWaitMs: 500 }).then(response => {
    isAnswered = true
    return response
  })
  void fill(broker, 'orders', ['b'])
  await settled()
  equal(isAnswered, false)
  broker.log('orders').flushAll()
  deepEqual(valuesOf(await fetching), [['b']])
})

test('minBytes is made up by all partitions together', async () => {
  const broker = await ordersTopic([], 2)
  const minBytes = batchOf(['a']).length * 3
  let isAnswered = false
  const wanted = [0, 1].map(partition => ({ topic: 'orders', partition }))
  const fetching = get(broker, wanted, { maxWaitMs: 500, minBytes }).then(response => {
    isAnswered = true
    return response
  })
  await fill(broker, 'orders', ['a', 'b'], 0)
  await settled()
  equal(isAnswered, false)
  await fill(broker, 'orders', ['c'], 1)
  deepEqual(valuesOf(await fetching), [['a', 'b'], ['c']])
})

test('bytes that were there before count towards minBytes', async () => {
  const broker = await ordersTopic(['a'])
  const fetching = get(broker, [{ topic: 'orders' }], { maxWaitMs: 500, minBytes: batchOf(['a']).length * 2 })
  await settled()
  await fill(broker, 'orders', ['b'])
  deepEqual(valuesOf(await fetching), [['a', 'b']])
})

test('after maxWaitMs the answer is what there is', async () => {
  const broker = await ordersTopic(['a'])
  const fetching = get(broker, [{ topic: 'orders' }], { maxWaitMs: 500, minBytes: 100_000 })
  await settled()
  broker.clock.advance(500)
  deepEqual(valuesOf(await fetching), [['a']])
})

test('nobody waits for minBytes 0, for no partition, or beside an error', async () => {
  const broker = await ordersTopic()
  await get(broker, [{ topic: 'orders' }], { maxWaitMs: 500, minBytes: 0 })
  deepEqual((await get(broker, [], { maxWaitMs: 500 })).responses, [])
  const wanted = [{ topic: 'orders' }, { topic: 'orders', partition: 9 }]
  deepEqual(errorsOf(await get(broker, wanted, { maxWaitMs: 500 })), [
    ErrorCode.NONE,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ])
})

test('minBytes above maxBytes is maxBytes', async () => {
  const broker = await ordersTopic(['a', 'b'])
  const size = batchOf(['a']).length
  const response = await get(broker, [{ topic: 'orders' }], { maxWaitMs: 500, minBytes: 1 << 30, maxBytes: size })
  deepEqual(valuesOf(response), [['a']])
})

test('minBytes that the memory of the connection cannot hold does not keep the client waiting', async () => {
  const broker = await ordersTopic(['a', 'b', 'c'])
  const grant = (wantBytes: number) => Math.min(wantBytes, batchOf(['a']).length * 2)
  const options: Options = { maxWaitMs: 500, minBytes: 1000, grant }
  deepEqual(valuesOf(await get(broker, [{ topic: 'orders' }], options)), [['a', 'b']])
})

test('a topic that is deleted wakes those who wait for it', async () => {
  const broker = await ordersTopic(['a'])
  const fetching = get(broker, [{ topic: 'orders', offset: 1 }], { maxWaitMs: 500 })
  await settled()
  await broker.context.controller.deleteTopics([{ name: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }])
  deepEqual(errorsOf(await fetching), [ErrorCode.UNKNOWN_TOPIC_ID])
})

test('a failed disk wakes those who wait; up to version 5 they hear NOT_LEADER_OR_FOLLOWER', async () => {
  for (const [version, expected] of [
    [5, ErrorCode.NOT_LEADER_OR_FOLLOWER],
    [6, ErrorCode.KAFKA_STORAGE_ERROR],
    [18, ErrorCode.KAFKA_STORAGE_ERROR],
  ] as const) {
    const broker = await ordersTopic(['a'])
    const fetching = get(broker, [{ topic: 'orders', offset: 1 }], { maxWaitMs: 500, version })
    await settled()
    broker.logs.fail()
    deepEqual(errorsOf(await fetching), [expected])
  }
})

test('a client that goes away does not wait', async () => {
  const broker = await ordersTopic(['a'])
  const connection = new AbortController()
  const wanted = [{ topic: 'orders', offset: 1 }]
  const fetching = get(broker, wanted, { maxWaitMs: 100_000, signal: connection.signal })
  await settled()
  connection.abort()
  await fetching
  deepEqual([broker.clock.timers, broker.context.replicas.parkingLimit.partitions], [0, 0])
})

test('an append during a slow read is not missed', async () => {
  const broker = await ordersTopic(['a'])
  const log = broker.log('orders')
  log.readsAreSlow = true
  const minBytes = batchOf(['a']).length * 2
  const fetching = get(broker, [{ topic: 'orders' }], { maxWaitMs: 500, minBytes })
  await fill(broker, 'orders', ['b'])
  deepEqual(valuesOf(await fetching), [['a', 'b']])
})

test('at the limit of watched partitions a fetch is answered with what there is', async () => {
  const broker = await testBroker({ maxWatchedPartitions: 1 })
  await broker.createTopic('orders', { partitions: 2 })
  const wanted = [0, 1].map(partition => ({ topic: 'orders', partition }))
  deepEqual(valuesOf(await get(broker, wanted, { maxWaitMs: 500 })), [[], []])
  equal(broker.context.replicas.parkingLimit.partitions, 0)
})
