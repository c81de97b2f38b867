import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { LAST_CLIENT_EPOCH } from '../../../../broker/coordinator/transaction/transaction.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { coordinator, ID, TIMEOUT_MS } from './fixture.ts'

const FENCED = { errorCode: ErrorCode.PRODUCER_FENCED, producerId: -1, producerEpoch: -1 }
const CONCURRENT = { errorCode: ErrorCode.CONCURRENT_TRANSACTIONS, producerId: -1, producerEpoch: -1 }

function accepted(producerId: number, producerEpoch: number) {
  return { errorCode: ErrorCode.NONE, producerId, producerEpoch }
}

test('an id that nobody knows gets a producer id and epoch 0', () => {
  const { init, get, nowMs } = coordinator()
  deepEqual(init(), accepted(100, 0))
  deepEqual(get(), {
    transactionalId: ID,
    producerId: 100,
    previousProducerId: -1,
    nextProducerId: -1,
    producerEpoch: 0,
    lastProducerEpoch: -1,
    timeoutMs: TIMEOUT_MS,
    state: 'Empty',
    partitions: new Map(),
    startTimeMs: -1,
    updateTimeMs: nowMs,
    clientVersion: 0,
  })
})

test('a producer that names who it was is welcome where the coordinator has forgotten it', () => {
  const { init } = coordinator()
  deepEqual(init({ producerId: 7, producerEpoch: 3 }), accepted(100, 0))
})

test('every start bumps the epoch and keeps the producer id', () => {
  const { init, idsTaken } = coordinator()
  init()
  deepEqual(init(), accepted(100, 1))
  deepEqual(init(), accepted(100, 2))
  equal(idsTaken(), 1)
})

test('the time-out is that of the last start', () => {
  const { init, put, get } = coordinator()
  init()
  put({ timeoutMs: 5 })
  init()
  equal(get().timeoutMs, TIMEOUT_MS)
})

test('a start after a transaction forgets when that began', () => {
  const { init, add, end, complete, get } = coordinator()
  add(init())
  end({ producerId: 100, producerEpoch: 0 }, true)
  complete()
  init()
  deepEqual([get().state, get().startTimeMs, get().partitions.size], ['Empty', -1, 0])
})

test('a producer that goes on after an error names its epoch and gets the next one', () => {
  const { init } = coordinator()
  deepEqual(init(init()), accepted(100, 1))
})

test('a producer that has not heard of its bump asks again and gets the same epoch', () => {
  const { init } = coordinator()
  const first = init()
  init(first)
  deepEqual(init(first), accepted(100, 1))
})

test('a producer whose epoch another start has taken is fenced', () => {
  const { init } = coordinator()
  const first = init()
  init()
  deepEqual(init(first), FENCED)
})

test('a producer with a foreign id is fenced', () => {
  const { init } = coordinator()
  init()
  deepEqual(init({ producerId: 99, producerEpoch: 0 }), FENCED)
})

test('while an end is being written, a producer that starts has to wait', () => {
  for (const isCommit of [true, false]) {
    const { init, add, end } = coordinator()
    const producer = init()
    add(producer)
    const next = end(producer, isCommit)
    deepEqual(init(), CONCURRENT)
    deepEqual(init(next), CONCURRENT)
  }
})

test('a start during a transaction aborts it with a bumped epoch, and gets the epoch after that', () => {
  const { init, add, complete, get } = coordinator()
  add(init())
  deepEqual(init(), CONCURRENT)
  deepEqual([get().state, get().producerEpoch, get().partitions.size], ['PrepareAbort', 1, 1])
  complete()
  deepEqual(init(), accepted(100, 2))
})

test('a producer may abort its own transaction by starting over', () => {
  const { init, add, complete } = coordinator()
  const producer = init()
  add(producer)
  deepEqual(init(producer), CONCURRENT)
  complete()
  deepEqual(init(producer), accepted(100, 1))
})

test('a fenced producer cannot abort what its successor does', () => {
  const { init, add, records } = coordinator()
  const first = init()
  add(init())
  const before = records.length
  deepEqual(init(first), FENCED)
  equal(records.length, before)
})

test('a late repetition of a start cannot abort the transaction that the start led to', () => {
  const { init, add, get } = coordinator()
  const first = init()
  const second = init(first)
  add(second)
  deepEqual(init(first), FENCED)
  equal(get().state, 'Ongoing')
})

test('when the epochs of a producer id are used up, a start gets another id', () => {
  const { init, put } = coordinator()
  init()
  put({ producerEpoch: LAST_CLIENT_EPOCH - 1 })
  deepEqual(init(), accepted(100, LAST_CLIENT_EPOCH))
  deepEqual(init(), accepted(101, 0))
})

test('a producer that has not heard of its other id asks again and gets it', () => {
  const { init, put } = coordinator()
  init()
  put({ producerEpoch: LAST_CLIENT_EPOCH })
  const last = { producerId: 100, producerEpoch: LAST_CLIENT_EPOCH }
  deepEqual(init(last), accepted(101, 0))
  deepEqual(init(last), accepted(101, 0))
})

test('a producer whose other id went to a successor is fenced', () => {
  const { init, put } = coordinator()
  init()
  put({ producerEpoch: LAST_CLIENT_EPOCH })
  init()
  deepEqual(init({ producerId: 100, producerEpoch: LAST_CLIENT_EPOCH }), FENCED)
})

test('fencing the last epoch of an id leads to another id', () => {
  const { init, add, put, complete, get } = coordinator()
  init()
  put({ producerEpoch: LAST_CLIENT_EPOCH })
  const producer = { producerId: 100, producerEpoch: LAST_CLIENT_EPOCH }
  add(producer)
  deepEqual(init(), CONCURRENT)
  deepEqual([get().producerId, get().producerEpoch, get().nextProducerId], [100, LAST_CLIENT_EPOCH + 1, 101])
  complete()
  deepEqual(init(), accepted(101, 1))
  deepEqual(init(producer), FENCED)
})
