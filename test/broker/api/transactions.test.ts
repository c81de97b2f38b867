// The APIs of transactions, from request to answer: coordinated for real, with markers that are written at once unless said otherwise.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { addOffsetsToTxn } from '../../../broker/api/add-offsets-to-txn.ts'
import { addPartitionsToTxn } from '../../../broker/api/add-partitions-to-txn.ts'
import { describeTransactions } from '../../../broker/api/describe-transactions.ts'
import { endTxn } from '../../../broker/api/end-txn.ts'
import { initProducerId } from '../../../broker/api/init-producer-id.ts'
import { listTransactions } from '../../../broker/api/list-transactions.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { AddOffsetsToTxn } from '../../../broker/protocol/messages/add-offsets-to-txn.ts'
import { AddPartitionsToTxn } from '../../../broker/protocol/messages/add-partitions-to-txn.ts'
import { DescribeTransactions } from '../../../broker/protocol/messages/describe-transactions.ts'
import { EndTxn } from '../../../broker/protocol/messages/end-txn.ts'
import { InitProducerId } from '../../../broker/protocol/messages/init-producer-id.ts'
import { ListTransactions } from '../../../broker/protocol/messages/list-transactions.ts'
import { settled, testBroker, type TestBroker, type TestBrokerOptions } from './fixture.ts'

type Producer = { readonly producerId: number; readonly producerEpoch: number }
type Topics = readonly { readonly name: string; readonly partitions: readonly number[] }[]

const ORDERS: Topics = [{ name: 'orders', partitions: [0, 1] }]

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await settled()
}

async function started(options: TestBrokerOptions = {}) {
  const broker = await testBroker(options)
  await broker.createTopic('orders', { partitions: 2 })
  await broker.createTopic('__transaction_state', { partitions: 3 })
  await settle()
  return broker
}

const init = (broker: TestBroker, version = 5, transactionalId = 'bank', expected: Partial<Producer> = {}) =>
  broker.ask(InitProducerId, initProducerId, version, { transactionalId, transactionTimeoutMs: 60_000, ...expected })

const add = (broker: TestBroker, { producerId, producerEpoch }: Producer, topics = ORDERS, version = 3) =>
  broker
    .ask(AddPartitionsToTxn, addPartitionsToTxn, version, {
      v3AndBelowTransactionalId: 'bank',
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: topics,
    })
    .then(({ resultsByTopicV3AndBelow }) =>
      resultsByTopicV3AndBelow.flatMap(({ name, resultsByPartition }) =>
        resultsByPartition.map(({ partitionIndex, partitionErrorCode }) => [name, partitionIndex, partitionErrorCode]),
      ),
    )

const end = (broker: TestBroker, { producerId, producerEpoch }: Producer, committed: boolean, version = 5) =>
  broker.ask(EndTxn, endTxn, version, { transactionalId: 'bank', producerId, producerEpoch, committed })

test('a transaction of version 2 ends with the epoch of the next one', async () => {
  const broker = await started()
  const producer = await init(broker)
  deepEqual(await add(broker, producer), [
    ['orders', 0, ErrorCode.NONE],
    ['orders', 1, ErrorCode.NONE],
  ])
  const { errorCode, producerId, producerEpoch } = await end(broker, producer, true)
  deepEqual([errorCode, producerId, producerEpoch], [ErrorCode.NONE, producer.producerId, 1])
})

test('a transaction of an older client ends with the epoch it had, which its answer cannot name', async () => {
  const broker = await started()
  const producer = await init(broker)
  await add(broker, producer)
  const { errorCode, producerId } = await end(broker, producer, true, 3)
  deepEqual([errorCode, producerId], [ErrorCode.NONE, -1])
  await settle()
  equal((await end(broker, producer, true, 3)).errorCode, ErrorCode.NONE)
  equal((await end(broker, producer, false, 3)).errorCode, ErrorCode.INVALID_TXN_STATE)
})

test('a fenced producer is told so in the words of its version', async () => {
  const broker = await started()
  const first = await init(broker)
  await init(broker)
  const { PRODUCER_FENCED, INVALID_PRODUCER_EPOCH } = ErrorCode
  const expected = { producerId: first.producerId, producerEpoch: first.producerEpoch }
  equal((await init(broker, 3, 'bank', expected)).errorCode, INVALID_PRODUCER_EPOCH)
  equal((await init(broker, 4, 'bank', expected)).errorCode, PRODUCER_FENCED)
  equal((await add(broker, first, ORDERS, 1))[0]![2], INVALID_PRODUCER_EPOCH)
  equal((await add(broker, first, ORDERS, 2))[0]![2], PRODUCER_FENCED)
  equal((await end(broker, first, true, 1)).errorCode, INVALID_PRODUCER_EPOCH)
  equal((await end(broker, first, true, 2)).errorCode, PRODUCER_FENCED)
})

test('with a partition that does not exist none is added', async () => {
  const broker = await started()
  const producer = await init(broker)
  const topics = [
    { name: 'orders', partitions: [0, 7, -1] },
    { name: 'nothing', partitions: [0] },
    { name: '__consumer_offsets', partitions: [0] },
  ]
  deepEqual(await add(broker, producer, topics), [
    ['orders', 0, ErrorCode.OPERATION_NOT_ATTEMPTED],
    ['orders', 7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ['orders', -1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ['nothing', 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ['__consumer_offsets', 0, ErrorCode.TOPIC_AUTHORIZATION_FAILED],
  ])
  const { transactionStates } = await broker.ask(DescribeTransactions, describeTransactions, 0, {
    transactionalIds: ['bank'],
  })
  equal(transactionStates[0]!.transactionState, 'Empty')
})

test('a broker adds to many transactions at once, or only looks', async () => {
  const broker = await started()
  const bank = await init(broker)
  const shop = await init(broker, 5, 'shop')
  const ask = async (verifyOnly: boolean, partition: number, version = 5) => {
    const { resultsByTransaction } = await broker.ask(AddPartitionsToTxn, addPartitionsToTxn, version, {
      transactions: [
        {
          ...identity(bank),
          transactionalId: 'bank',
          verifyOnly,
          topics: [{ name: 'orders', partitions: [partition] }],
        },
        { ...identity(shop), transactionalId: 'shop', verifyOnly, topics: [{ name: 'orders', partitions: [1] }] },
      ],
    })
    return resultsByTransaction.map(({ transactionalId, topicResults }) => [
      transactionalId,
      topicResults[0]!.resultsByPartition[0]!.partitionErrorCode,
    ])
  }
  const { NONE, TRANSACTION_ABORTABLE, INVALID_TXN_STATE } = ErrorCode
  deepEqual(await ask(true, 0), [['bank', TRANSACTION_ABORTABLE], ['shop', TRANSACTION_ABORTABLE]]) // prettier-ignore
  deepEqual(await ask(false, 0), [['bank', NONE], ['shop', NONE]]) // prettier-ignore
  deepEqual(await ask(true, 1), [['bank', TRANSACTION_ABORTABLE], ['shop', NONE]]) // prettier-ignore
  deepEqual(await ask(true, 1, 4), [['bank', INVALID_TXN_STATE], ['shop', NONE]]) // prettier-ignore
})

function identity({ producerId, producerEpoch }: Producer): Producer {
  return { producerId, producerEpoch }
}

test('the offsets of a group are a partition of the topic that keeps them, which is created if need be', async () => {
  const broker = await started({ config: { 'offsets.topic.num.partitions': '1' } })
  const producer = await init(broker)
  const request = { transactionalId: 'bank', ...identity(producer), groupId: 'readers' }
  equal((await broker.ask(AddOffsetsToTxn, addOffsetsToTxn, 4, request)).errorCode, ErrorCode.NONE)
  const { transactionStates } = await broker.ask(DescribeTransactions, describeTransactions, 0, {
    transactionalIds: ['bank'],
  })
  deepEqual(transactionStates[0]!.topics, [{ topic: '__consumer_offsets', partitions: [0] }])
  const { errorCode } = await broker.ask(AddOffsetsToTxn, addOffsetsToTxn, 1, { ...request, producerEpoch: 9 })
  equal(errorCode, ErrorCode.INVALID_PRODUCER_EPOCH)
})

test('a transaction is described as it is', async () => {
  const broker = await started()
  const producer = await init(broker)
  await add(broker, producer)
  const { transactionStates } = await broker.ask(DescribeTransactions, describeTransactions, 0, {
    transactionalIds: ['bank', 'nobody', ''],
  })
  deepEqual(transactionStates, [
    {
      errorCode: ErrorCode.NONE,
      transactionalId: 'bank',
      transactionState: 'Ongoing',
      transactionTimeoutMs: 60_000,
      transactionStartTimeMs: broker.clock.now(),
      ...identity(producer),
      topics: [{ topic: 'orders', partitions: [0, 1] }],
    },
    { ...UNKNOWN, transactionalId: 'nobody', errorCode: ErrorCode.TRANSACTIONAL_ID_NOT_FOUND },
    { ...UNKNOWN, transactionalId: '', errorCode: ErrorCode.INVALID_REQUEST },
  ])
})

const UNKNOWN = {
  transactionState: '',
  transactionTimeoutMs: 0,
  transactionStartTimeMs: 0,
  producerId: 0,
  producerEpoch: 0,
  topics: [],
}

test('transactions are listed by state, producer, duration and pattern', async () => {
  const broker = await started()
  await add(broker, await init(broker))
  const shop = await init(broker, 5, 'shop')
  broker.clock.advance(1000)
  const list = async (filter: object, version = 2) => {
    const answer = await broker.ask(ListTransactions, listTransactions, version, {
      stateFilters: [],
      producerIdFilters: [],
      ...filter,
    })
    return answer.transactionStates.map(({ transactionalId }) => transactionalId).sort()
  }
  deepEqual(await list({}, 0), ['bank', 'shop'])
  deepEqual(await list({ stateFilters: ['Ongoing', 'Sleeping'] }), ['bank'])
  deepEqual(await list({ producerIdFilters: [shop.producerId] }), ['shop'])
  deepEqual(await list({ stateFilters: ['Ongoing'], durationFilter: 999 }), ['bank'])
  deepEqual(await list({ stateFilters: ['Ongoing'], durationFilter: 1000 }), [])
  deepEqual(await list({ transactionalIdPattern: 'b.*|x' }), ['bank'])
  deepEqual(await list({ transactionalIdPattern: 'an' }), [])
})

test('states that there are none of are named, and a pattern that is none is refused', async () => {
  const broker = await started()
  const request = { stateFilters: ['Sleeping'], producerIdFilters: [] }
  const { errorCode, unknownStateFilters } = await broker.ask(ListTransactions, listTransactions, 2, request)
  deepEqual([errorCode, unknownStateFilters], [ErrorCode.NONE, ['Sleeping']])
  const broken = { ...request, transactionalIdPattern: '(' }
  equal(
    (await broker.ask(ListTransactions, listTransactions, 2, broken)).errorCode,
    ErrorCode.INVALID_REGULAR_EXPRESSION,
  )
})

test('a pattern that would take a backtracking engine for ever takes no time', async () => {
  const broker = await started()
  const name = `${'a'.repeat(5000)}!`
  await init(broker, 5, name)
  const request = { stateFilters: [], producerIdFilters: [], transactionalIdPattern: '(a+)+(a+)+b' }
  deepEqual((await broker.ask(ListTransactions, listTransactions, 2, request)).transactionStates, [])
})

test('while markers are being written, the producer is told to wait', async () => {
  const writer = { write: () => new Promise<never>(() => {}) }
  const broker = await started({ markerWriter: writer })
  const producer = await init(broker)
  await add(broker, producer)
  const next = await end(broker, producer, true)
  const { CONCURRENT_TRANSACTIONS } = ErrorCode
  equal((await init(broker)).errorCode, CONCURRENT_TRANSACTIONS)
  equal((await end(broker, producer, true)).errorCode, CONCURRENT_TRANSACTIONS)
  const adding = add(broker, next)
  await settle()
  broker.clock.advance(100)
  equal((await adding)[0]![2], CONCURRENT_TRANSACTIONS)
})

test('an admin client fences a producer by starting in its place', async () => {
  const broker = await started()
  const producer = await init(broker)
  await add(broker, producer)
  equal((await init(broker)).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS)
  await settle()
  equal((await init(broker)).errorCode, ErrorCode.NONE)
  equal((await end(broker, producer, true)).errorCode, ErrorCode.PRODUCER_FENCED)
})

test('ids of every length and alphabet are kept as they are', async () => {
  const broker = await started()
  for (const transactionalId of ['x'.repeat(32_767), '\u0000', 'ключ-😀']) {
    equal((await init(broker, 5, transactionalId)).errorCode, ErrorCode.NONE)
    equal((await init(broker, 5, transactionalId)).producerEpoch, 1)
  }
})
