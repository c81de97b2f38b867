import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { addPartitions, verifyPartitions } from '../../../../broker/coordinator/transaction/partitions.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { coordinator, ID } from './fixture.ts'

test('the first partition begins the transaction, later ones join it', () => {
  const self = coordinator()
  const producer = self.init()
  self.nowMs = 5000
  equal(self.add(producer, 'orders', 1), ErrorCode.NONE)
  self.nowMs = 6000
  equal(self.add(producer, 'orders', 2), ErrorCode.NONE)
  equal(self.add(producer, 'bills', 0), ErrorCode.NONE)
  const { state, startTimeMs, updateTimeMs, partitions, clientVersion } = self.get()
  deepEqual([state, startTimeMs, updateTimeMs, clientVersion], ['Ongoing', 5000, 6000, 2])
  deepEqual(
    partitions,
    new Map([
      ['orders', new Set([1, 2])],
      ['bills', new Set([0])],
    ]),
  )
})

test('a partition that is in the transaction is added without a record', () => {
  const { init, add, records } = coordinator()
  const producer = init()
  add(producer)
  const before = records.length
  equal(add(producer), ErrorCode.NONE)
  equal(records.length, before)
})

test('no partitions begin no transaction', () => {
  const { init, state, emit, get } = coordinator()
  const producer = init()
  const request = { transactionalId: ID, ...producer, partitions: [], clientVersion: 0 }
  equal(addPartitions(state, request, 0, emit), ErrorCode.NONE)
  equal(get().state, 'Empty')
})

test('a transaction after another has its own partitions and its own start', () => {
  const self = coordinator()
  const producer = self.init()
  self.add(producer, 'orders', 1)
  const next = self.end(producer, true)
  self.complete()
  self.nowMs = 9000
  equal(self.add(next, 'bills', 0), ErrorCode.NONE)
  deepEqual(self.get().partitions, new Map([['bills', new Set([0])]]))
  equal(self.get().startTimeMs, 9000)
})

test('only the current producer adds partitions', () => {
  const { init, add, state, emit, records } = coordinator()
  const producer = init()
  const before = records.length
  equal(add({ producerId: 5, producerEpoch: 0 }), ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  equal(add({ producerId: 100, producerEpoch: 1 }), ErrorCode.PRODUCER_FENCED)
  equal(add({ producerId: 100, producerEpoch: -1 }), ErrorCode.PRODUCER_FENCED)
  const partitions = [{ topic: 'orders', partition: 0 }]
  const request = { ...producer, partitions, clientVersion: 2 }
  equal(addPartitions(state, { ...request, transactionalId: 'other' }, 0, emit), ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  equal(addPartitions(state, { ...request, transactionalId: '' }, 0, emit), ErrorCode.INVALID_REQUEST)
  equal(records.length, before)
})

test('a leader learns which partitions are in the transaction', () => {
  const { init, add, state } = coordinator()
  const producer = init()
  add(producer, 'orders', 1)
  const partitions = [
    { topic: 'orders', partition: 1 },
    { topic: 'orders', partition: 2 },
    { topic: 'bills', partition: 1 },
  ]
  const { producerId, producerEpoch } = producer
  const request = { transactionalId: ID, producerId, producerEpoch, partitions }
  const { NONE, TRANSACTION_ABORTABLE, PRODUCER_FENCED, INVALID_PRODUCER_ID_MAPPING } = ErrorCode
  deepEqual(verifyPartitions(state, request), [NONE, TRANSACTION_ABORTABLE, TRANSACTION_ABORTABLE])
  deepEqual(
    verifyPartitions(state, { ...request, producerEpoch: 5 }),
    partitions.map(() => PRODUCER_FENCED),
  )
  deepEqual(
    verifyPartitions(state, { ...request, producerId: 5 }),
    partitions.map(() => INVALID_PRODUCER_ID_MAPPING),
  )
})

test('no partition is in a transaction that is complete', () => {
  const { init, add, end, complete, state } = coordinator()
  const producer = init()
  add(producer, 'orders', 1, 0)
  end(producer, true, 0)
  const { producerId, producerEpoch } = producer
  const request = { transactionalId: ID, producerId, producerEpoch, partitions: [{ topic: 'orders', partition: 1 }] }
  deepEqual(verifyPartitions(state, request), [ErrorCode.CONCURRENT_TRANSACTIONS])
  complete()
  deepEqual(verifyPartitions(state, request), [ErrorCode.TRANSACTION_ABORTABLE])
})
