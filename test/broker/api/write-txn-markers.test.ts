import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import type { Call } from '../../../broker/api/handler.ts'
import { writeTxnMarkers } from '../../../broker/api/write-txn-markers.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { WriteTxnMarkers } from '../../../broker/protocol/messages/write-txn-markers.ts'
import { TransactionMarkers } from '../../../broker/replication/transaction-markers.ts'
import type { EndTransaction } from '../../../broker/replication/transactions.ts'
import { testBroker, type TestBroker } from './fixture.ts'
import { leaderOf, writeTransactional } from './transactions.ts'

type Marker = Partial<EndTransaction> & { topic?: string; partitions?: number[] }

async function write(broker: TestBroker, markers: readonly Marker[], version = 2): Promise<number[][]> {
  const response = await broker.ask(WriteTxnMarkers, writeTxnMarkers, version, {
    markers: markers.map(marker => ({
      producerId: marker.producerId ?? 7,
      producerEpoch: marker.producerEpoch ?? 0,
      transactionResult: marker.isCommit ?? true,
      coordinatorEpoch: marker.coordinatorEpoch ?? 0,
      ...(version < 2 ? {} : { transactionVersion: marker.transactionVersion ?? 0 }),
      topics: [{ name: marker.topic ?? 'orders', partitionIndexes: marker.partitions ?? [0] }],
    })),
  })
  return response.markers.map(({ topics }) =>
    topics.flatMap(topic => topic.partitions.map(partition => partition.errorCode)),
  )
}

async function ordersTopic(): Promise<TestBroker> {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[1], [1], [2]] })
  return broker
}

for (const version of [1, 2]) {
  test(`a marker ends the transaction and lets its records be read, v${version}`, async () => {
    const broker = await ordersTopic()
    await writeTransactional(broker, 7, ['a'])
    equal(leaderOf(broker, 'orders').lastStableOffset, 0)
    deepEqual(await write(broker, [{ partitions: [0, 1] }], version), [[ErrorCode.NONE, ErrorCode.NONE]])
    equal(leaderOf(broker, 'orders').lastStableOffset, 2)
    equal(leaderOf(broker, 'orders', 1).lastStableOffset, 1)
  })
}

test('every partition has its own error', async () => {
  const broker = await ordersTopic()
  deepEqual(await write(broker, [{ partitions: [0, 2, 3] }, { topic: 'nobody' }]), [
    [ErrorCode.NONE, ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ])
})

test('a marker of a producer that cannot exist is not written, and can be answered', async () => {
  const broker = await ordersTopic()
  const topics = [{ name: 'orders', partitionIndexes: [0] }]
  const marker = { producerId: -(2 ** 58), producerEpoch: 0, transactionResult: true, topics, coordinatorEpoch: 0 }
  // As a request it can be read but not written by our own codec.
  deepEqual(await writeTxnMarkers.handle({ markers: [marker] }, broker.context, {} as Call), {
    markers: [
      {
        producerId: -1,
        topics: [
          { name: 'orders', partitions: [{ partitionIndex: 0, errorCode: ErrorCode.INVALID_PRODUCER_ID_MAPPING }] },
        ],
      },
    ],
  })
  equal(leaderOf(broker, 'orders').log.endOffset, 0)
})

test('a late marker and an old coordinator are refused', async () => {
  const broker = await ordersTopic()
  await writeTransactional(broker, 7, ['a'])
  deepEqual(await write(broker, [{ transactionVersion: 2 }]), [[ErrorCode.INVALID_PRODUCER_EPOCH]])
  deepEqual(await write(broker, [{ transactionVersion: 2, producerEpoch: 1, coordinatorEpoch: 5 }]), [[ErrorCode.NONE]])
  deepEqual(await write(broker, [{ producerEpoch: 1, coordinatorEpoch: 4 }]), [
    [ErrorCode.TRANSACTION_COORDINATOR_FENCED],
  ])
})

test('a marker is answered when it is replicated, or after the time for that', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { assignments: [[1, 2]] })
  const waiting = write(broker, [{}])
  let answer: number[][] | null = null
  void waiting.then(found => (answer = found))
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
  equal(answer, null)
  broker.clock.advance(30_000)
  deepEqual(await waiting, [[ErrorCode.REQUEST_TIMED_OUT]])
})

test('a disk that fails is KAFKA_STORAGE_ERROR', async () => {
  const broker = await ordersTopic()
  broker.log('orders').isHeld = true
  const waiting = write(broker, [{}])
  await new Promise(resolve => setImmediate(resolve))
  broker.logs.fail()
  deepEqual(await waiting, [[ErrorCode.KAFKA_STORAGE_ERROR]])
})

test('markers of a topic that somebody keeps go to him, and he is not ready as long as he does not lead', async () => {
  const broker = await ordersTopic()
  const { clock, replicas, image } = broker.context
  const markers = new TransactionMarkers({ clock, replicas, image, timeoutMs: 1000 })
  const kept: [number, unknown][] = []
  let answer: ErrorCode = ErrorCode.NONE
  markers.keep('orders', {
    completeTransaction: (partition, marker) => {
      kept.push([partition, marker])
      return Promise.resolve(answer)
    },
  })
  const end = { producerId: 7, producerEpoch: 1, coordinatorEpoch: 2, isCommit: true, transactionVersion: 2 }
  equal(await markers.write('orders', 1, end), ErrorCode.NONE)
  deepEqual(kept, [[1, { producerId: 7, producerEpoch: 1, coordinatorEpoch: 2, result: 'commit' }]])
  equal(broker.log('orders', 1).endOffset, 0)
  for (answer of [
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ])
    equal(await markers.write('orders', 1, end), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  answer = ErrorCode.TRANSACTION_COORDINATOR_FENCED
  equal(await markers.write('orders', 1, end), ErrorCode.TRANSACTION_COORDINATOR_FENCED)
  equal(await markers.write('orders', 9, end), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  await writeTransactional(broker, 7, ['a'])
  kept.length = 0
  equal(await markers.write('orders', 0, { ...end, producerEpoch: 0 }), ErrorCode.INVALID_PRODUCER_EPOCH)
  deepEqual(kept, [], 'he is not asked to write a late marker')
})
