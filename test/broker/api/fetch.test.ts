import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { fetch } from '../../../broker/api/fetch.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { Fetch, type FetchRequest, type FetchResponse } from '../../../broker/protocol/messages/fetch.ts'
import { baseOffset, eachBatch, sizeOf } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { batchOf, registerBroker, settled, testBroker, type AskOptions, type TestBroker } from './fixture.ts'

const LATEST = 18

type Wanted = {
  topic: string
  partition?: number
  offset?: number
  maxBytes?: number
  epoch?: number
  lastFetchedEpoch?: number
}
type Options = AskOptions & {
  version?: number
  maxWaitMs?: number
  minBytes?: number
  maxBytes?: number
  isolationLevel?: number
  replicaId?: number
  session?: [id: number, epoch: number]
  forgotten?: { topic: string; partitions: number[] }[]
}

/** Fetches by name up to v12, by id from v13 on; `topic` may be an id that nobody has. */
function get(broker: TestBroker, wanted: readonly Wanted[], options: Options = {}): Promise<FetchResponse> {
  const { version = LATEST, maxWaitMs = 0, minBytes = 1, maxBytes = 1 << 20, isolationLevel = 0 } = options
  const { session = [0, -1], forgotten = [], replicaId = -1 } = options
  const { topics } = broker.context.image()
  const idOf = (topic: string) => topics.get(topic)?.topicId ?? (topic.length === 22 ? topic : undefined)
  const request = {
    maxWaitMs,
    minBytes,
    maxBytes,
    isolationLevel,
    ...(version < 15 ? { replicaId } : { replicaState: { replicaId, replicaEpoch: -1 } }),
    sessionId: session[0],
    sessionEpoch: session[1],
    topics: wanted.map(
      ({ topic, partition = 0, offset = 0, maxBytes: most = 1 << 20, epoch = -1, lastFetchedEpoch = -1 }) => ({
        topic,
        topicId: idOf(topic),
        partitions: [
          { partition, currentLeaderEpoch: epoch, fetchOffset: offset, lastFetchedEpoch, partitionMaxBytes: most },
        ],
      }),
    ),
    forgottenTopicsData: forgotten.map(({ topic, partitions }) => ({ topic, topicId: idOf(topic), partitions })),
  }
  return broker.ask(Fetch, fetch, version, request as unknown as FetchRequest, options)
}

const partitionsOf = (response: FetchResponse) => response.responses.flatMap(topic => topic.partitions)
const errorsOf = (response: FetchResponse) => partitionsOf(response).map(partition => partition.errorCode)

function valuesOf(response: FetchResponse): string[][] {
  return partitionsOf(response).map(({ records }) => {
    const values: string[] = []
    for (const at of eachBatch(records!)) {
      for (const { value } of readRecords(records!.subarray(at, at + sizeOf(records!, at)))) values.push(String(value))
    }
    return values
  })
}

async function fill(broker: TestBroker, topic: string, values: readonly string[], partition = 0): Promise<void> {
  const leader = broker.context.replicas.leader(broker.context.image().topics.get(topic)!.topicId, partition)
  if (typeof leader === 'number') throw new Error(`no leader: ${leader}`)
  for (const value of values) await leader.append(batchOf([value]), 1, broker.clock.now()).stored
}

async function ordersTopic(values: readonly string[] = [], partitions = 1): Promise<TestBroker> {
  const broker = await testBroker()
  await broker.createTopic('orders', { partitions })
  await fill(broker, 'orders', values)
  return broker
}

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
  await registerBroker(broker.context.controller, 1)
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

test('at the limit of watched partitions a fetch is answered with what there is', async () => {
  const broker = await testBroker({ maxWatchedPartitions: 1 })
  await broker.createTopic('orders', { partitions: 2 })
  const wanted = [0, 1].map(partition => ({ topic: 'orders', partition }))
  deepEqual(valuesOf(await get(broker, wanted, { maxWaitMs: 500 })), [[], []])
  equal(broker.context.replicas.parkingLimit.partitions, 0)
})

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
