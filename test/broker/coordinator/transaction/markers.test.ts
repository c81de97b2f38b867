import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { silentLogger } from '../../../../broker/base/log.ts'
import { MarkerSender } from '../../../../broker/coordinator/transaction/markers.ts'
import type { Transaction } from '../../../../broker/coordinator/transaction/transaction.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import type { EndTransaction } from '../../../../broker/replication/transactions.ts'
import { manualClock } from '../../../manual-clock.ts'
import { coordinator } from './fixture.ts'

/** A prepared transaction with two partitions. */
function preparedTransaction(isCommit = true): Transaction {
  const { init, add, end, get } = coordinator()
  const producer = init()
  add(producer, 'orders', 0)
  add(producer, 'bills', 3)
  end(producer, isCommit)
  return get()
}

function sender(answers: Record<string, ErrorCode[]> = {}, deleted: ReadonlySet<string> = new Set()) {
  const clock = manualClock()
  const asked: string[] = []
  const ends: EndTransaction[] = []
  const written: Transaction[] = []
  const self = new MarkerSender({
    clock,
    log: silentLogger,
    writer: {
      async write(topic, partition, end) {
        asked.push(`${topic}-${partition}`)
        ends.push(end)
        return answers[`${topic}-${partition}`]?.shift() ?? ErrorCode.NONE
      },
    },
    exists: (topic, partition) => !deleted.has(`${topic}-${partition}`),
    coordinatorEpoch: 7,
    onWritten: transaction => void written.push(transaction),
  })
  return { sender: self, clock, asked, ends, written }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
}

test('every partition gets one marker, and then the transaction is written', async () => {
  const { sender: markers, asked, ends, written } = sender()
  const transaction = preparedTransaction()
  markers.send(transaction)
  await settle()
  deepEqual(asked, ['orders-0', 'bills-3'])
  deepEqual(ends[0], {
    producerId: 100,
    producerEpoch: 1,
    coordinatorEpoch: 7,
    isCommit: true,
    transactionVersion: 2,
  })
  deepEqual(written, [transaction])
  equal(markers.size, 0)
})

test('an abort writes the marker of an abort', async () => {
  const { sender: markers, ends } = sender()
  markers.send(preparedTransaction(false))
  await settle()
  equal(ends[0]!.isCommit, false)
})

test('a partition that refuses is asked again after a pause, the others are not', async () => {
  const { NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR } = ErrorCode
  const {
    sender: markers,
    clock,
    asked,
    written,
  } = sender({
    'bills-3': [NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR],
  })
  markers.send(preparedTransaction())
  await settle()
  equal(written.length, 0)
  clock.advance(20)
  await settle()
  clock.advance(39)
  await settle()
  equal(written.length, 0)
  clock.advance(1)
  await settle()
  deepEqual(asked, ['orders-0', 'bills-3', 'bills-3', 'bills-3'])
  equal(written.length, 1)
})

test('a partition that is deleted needs no marker, also when it goes while it refuses', async () => {
  const deleted = new Set(['orders-0'])
  const {
    sender: markers,
    clock,
    asked,
    written,
  } = sender({ 'bills-3': [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION] }, deleted)
  markers.send(preparedTransaction())
  await settle()
  equal(written.length, 0)
  deleted.add('bills-3')
  clock.advance(20)
  await settle()
  deepEqual(asked, ['bills-3'])
  equal(written.length, 1)
})

test('a partition whose producer is in a later epoch needs no marker', async () => {
  const { sender: markers, written } = sender({ 'orders-0': [ErrorCode.INVALID_PRODUCER_EPOCH] })
  markers.send(preparedTransaction())
  await settle()
  equal(written.length, 1)
})

test('a coordinator that was succeeded leaves the transaction to its successor', async () => {
  const { sender: markers, clock, written } = sender({ 'orders-0': [ErrorCode.TRANSACTION_COORDINATOR_FENCED] })
  markers.send(preparedTransaction())
  await settle()
  clock.advance(10_000)
  await settle()
  deepEqual([written.length, markers.size, clock.timers], [0, 0, 0])
})

test('after it was stopped nothing is written and nothing waits', async () => {
  const refusals = Array.from({ length: 10 }, () => ErrorCode.NOT_ENOUGH_REPLICAS)
  const { sender: markers, clock, asked, written } = sender({ 'orders-0': refusals })
  markers.send(preparedTransaction())
  await settle()
  const before = asked.length
  markers.stop()
  await settle()
  clock.advance(10_000)
  await settle()
  deepEqual([asked.length, written.length, clock.timers, markers.size], [before, 0, 0, 0])
})
