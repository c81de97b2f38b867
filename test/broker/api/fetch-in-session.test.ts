import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { type FetchResponse } from '../../../broker/protocol/messages/fetch.ts'
import { get, partitionsOf, errorsOf, valuesOf, fill, ordersTopic, type Options } from './fetching.ts'
import { batchOf, settled, testBroker } from './fixture.ts'

test('a session answers everything first, then only what is new', async () => {
  const broker = await ordersTopic(['a'], 2)
  const wanted = [0, 1].map(partition => ({ topic: 'orders', partition }))
  const full = await get(broker, wanted, { session: [0, 0] })
  notEqual(full.sessionId, 0)
  deepEqual(valuesOf(full), [['a'], []])
  const id = full.sessionId
  const moved = await get(broker, [{ topic: 'orders', offset: 1 }], { session: [id, 1] })
  deepEqual([moved.sessionId, moved.responses], [id, []])
  await fill(broker, 'orders', ['b'], 1)
  const news = await get(broker, [], { session: [id, 2] })
  deepEqual([partitionsOf(news).map(answer => answer.partitionIndex), valuesOf(news)], [[1], [['b']]]) // prettier-ignore
  deepEqual((await get(broker, [{ topic: 'orders', partition: 1, offset: 1 }], { session: [id, 3] })).responses, [])
})

test('a session hears of a log start that moved', async () => {
  const broker = await ordersTopic(['a', 'b'])
  const { sessionId } = await get(broker, [{ topic: 'orders', offset: 2 }], { session: [0, 0] })
  await broker.log('orders').deleteRecordsBefore(1)
  const [answer] = partitionsOf(await get(broker, [], { session: [sessionId, 1] }))
  equal(answer!.logStartOffset, 1)
})

test('a session repeats an error until it goes away, and then says so', async () => {
  const broker = await ordersTopic(['a'])
  const { sessionId } = await get(broker, [{ topic: 'orders', offset: 9 }], { session: [0, 0] })
  const outOfRange = await get(broker, [], { session: [sessionId, 1], maxWaitMs: 500 })
  deepEqual(errorsOf(outOfRange), [ErrorCode.OFFSET_OUT_OF_RANGE])
  const healed = await get(broker, [{ topic: 'orders', offset: 1 }], { session: [sessionId, 2] })
  deepEqual([errorsOf(healed), partitionsOf(healed)[0]!.highWatermark], [[ErrorCode.NONE], 1])
})

test('a session forgets what it is told to forget', async () => {
  const broker = await ordersTopic(['a'], 2)
  const wanted = [0, 1].map(partition => ({ topic: 'orders', partition }))
  const { sessionId } = await get(broker, wanted, { session: [0, 0] })
  const options: Options = { session: [sessionId, 1], forgotten: [{ topic: 'orders', partitions: [0] }] }
  deepEqual((await get(broker, [], options)).responses, [])
})

test('a session by id finds a topic that is created after it was asked for under its id', async () => {
  const broker = await testBroker()
  const nobody = 'bbbbbbbbbbbbbbbbbbbbbA'
  const { sessionId } = await get(broker, [{ topic: nobody }], { session: [0, 0] })
  deepEqual(errorsOf(await get(broker, [], { session: [sessionId, 1] })), [ErrorCode.UNKNOWN_TOPIC_ID])
})

test('wrong sessions and epochs are answered with an error and no partition', async () => {
  const broker = await ordersTopic(['a'])
  const unknown = await get(broker, [], { session: [99, 1] })
  deepEqual([unknown.errorCode, unknown.sessionId, unknown.responses], [ErrorCode.FETCH_SESSION_ID_NOT_FOUND, 0, []])
  const { sessionId } = await get(broker, [{ topic: 'orders' }], { session: [0, 0] })
  const stale = await get(broker, [], { session: [sessionId, 7] })
  deepEqual([stale.errorCode, stale.responses], [ErrorCode.INVALID_FETCH_SESSION_EPOCH, []])
  const names = await get(broker, [], { session: [sessionId, 1], version: 12 })
  equal(names.errorCode, ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
})

test('an answer that a later request has overtaken is INVALID_FETCH_SESSION_EPOCH', async () => {
  const broker = await ordersTopic(['a'])
  const { sessionId } = await get(broker, [{ topic: 'orders', offset: 1 }], { session: [0, 0] })
  const waiting = get(broker, [], { session: [sessionId, 1], maxWaitMs: 500 })
  await settled()
  equal((await get(broker, [], { session: [sessionId, 2] })).errorCode, ErrorCode.NONE)
  await fill(broker, 'orders', ['b'])
  equal((await waiting).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
})

test('in a session partitions take turns when the answer has no room for all', async () => {
  const broker = await ordersTopic([], 4)
  for (const partition of [0, 1, 2, 3]) await fill(broker, 'orders', ['a', 'b', 'c'], partition)
  const size = batchOf(['a']).length
  const wanted = [0, 1, 2, 3].map(partition => ({ topic: 'orders', partition, maxBytes: size }))
  const served: number[][] = []
  const note = (response: FetchResponse) =>
    served.push(partitionsOf(response).filter(answer => answer.records!.length > 0).map(answer => answer.partitionIndex)) // prettier-ignore
  const full = await get(broker, wanted, { session: [0, 0], maxBytes: size * 2 })
  note(full)
  for (const epoch of [1, 2, 3]) note(await get(broker, [], { session: [full.sessionId, epoch], maxBytes: size * 2 }))
  deepEqual(served, [[0, 1], [0, 1], [2, 3], [0, 1]]) // prettier-ignore
})

test('without room for another session the answer carries session id 0', async () => {
  const broker = await testBroker({ maxFetchSessions: 1 })
  await broker.createTopic('orders')
  notEqual((await get(broker, [{ topic: 'orders' }], { session: [0, 0] })).sessionId, 0)
  equal((await get(broker, [{ topic: 'orders' }], { session: [0, 0] })).sessionId, 0)
})
