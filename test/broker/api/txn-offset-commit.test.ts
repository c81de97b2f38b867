// Offsets of a group in a producer's transaction, from request to answer, with the real coordinators of both.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { addOffsetsToTxn } from '../../../broker/api/add-offsets-to-txn.ts'
import { endTxn } from '../../../broker/api/end-txn.ts'
import { initProducerId } from '../../../broker/api/init-producer-id.ts'
import { offsetFetch } from '../../../broker/api/offset-fetch.ts'
import { txnOffsetCommit } from '../../../broker/api/txn-offset-commit.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { AddOffsetsToTxn } from '../../../broker/protocol/messages/add-offsets-to-txn.ts'
import { EndTxn } from '../../../broker/protocol/messages/end-txn.ts'
import { InitProducerId } from '../../../broker/protocol/messages/init-producer-id.ts'
import { OffsetFetch } from '../../../broker/protocol/messages/offset-fetch.ts'
import { TxnOffsetCommit } from '../../../broker/protocol/messages/txn-offset-commit.ts'
import { settled, testBroker, type TestBroker } from './fixture.ts'

type Producer = { readonly producerId: number; readonly producerEpoch: number }

async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await settled()
}

async function started(): Promise<{ broker: TestBroker; producer: Producer }> {
  const broker = await testBroker()
  await broker.createTopic('orders', { partitions: 2 })
  await broker.createTopic('__transaction_state')
  await broker.createTopic('__consumer_offsets', { partitions: 2 })
  await settle()
  return { broker, producer: await init(broker) }
}

const init = async (broker: TestBroker): Promise<Producer> => {
  const request = { transactionalId: 'copier', transactionTimeoutMs: 60_000 }
  const { producerId, producerEpoch } = await broker.ask(InitProducerId, initProducerId, 5, request)
  return { producerId, producerEpoch }
}

const commit = async (broker: TestBroker, producer: Producer, offset: number, version = 5, change: object = {}) => {
  const { topics } = await broker.ask(TxnOffsetCommit, txnOffsetCommit, version, {
    transactionalId: 'copier',
    groupId: 'readers',
    memberId: '',
    ...producer,
    topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: '' }] }],
    ...change,
  })
  return topics[0]!.partitions[0]!.errorCode
}

const end = async (broker: TestBroker, producer: Producer, committed: boolean): Promise<Producer> => {
  const { producerId, producerEpoch } = await broker.ask(EndTxn, endTxn, 5, {
    transactionalId: 'copier',
    ...producer,
    committed,
  })
  await settle()
  return { producerId, producerEpoch }
}

/** The committed offset, or the error of a reader that does not take what is pending. */
const fetch = async (broker: TestBroker): Promise<number | string> => {
  const { groups } = await broker.ask(OffsetFetch, offsetFetch, 8, {
    groups: [{ groupId: 'readers', topics: [{ name: 'orders', partitionIndexes: [0] }] }],
    requireStable: true,
  })
  const { errorCode, committedOffset } = groups[0]!.topics[0]!.partitions[0]!
  return errorCode === ErrorCode.NONE ? committedOffset : `error ${errorCode}`
}

test('offsets of a transaction count when it is committed, and not before', async () => {
  const { broker, producer } = await started()
  equal(await commit(broker, producer, 5), ErrorCode.NONE)
  equal(await fetch(broker), `error ${ErrorCode.UNSTABLE_OFFSET_COMMIT}`)
  await end(broker, producer, true)
  equal(await fetch(broker), 5)
})

test('offsets of a transaction that is aborted are forgotten', async () => {
  const { broker, producer } = await started()
  equal(await commit(broker, producer, 5), ErrorCode.NONE)
  const next = await end(broker, producer, false)
  equal(await fetch(broker), -1)
  equal(await commit(broker, next, 7), ErrorCode.NONE)
  await end(broker, next, true)
  equal(await fetch(broker), 7)
})

test('before v5 the group must have been added to the transaction', async () => {
  const { broker, producer } = await started()
  equal(await commit(broker, producer, 5, 3), ErrorCode.INVALID_TXN_STATE)
  equal(await commit(broker, producer, 5, 4), ErrorCode.TRANSACTION_ABORTABLE)
  const request = { transactionalId: 'copier', ...producer, groupId: 'readers' }
  equal((await broker.ask(AddOffsetsToTxn, addOffsetsToTxn, 3, request)).errorCode, ErrorCode.NONE)
  equal(await commit(broker, producer, 5, 3), ErrorCode.NONE)
})

test('a fenced producer commits nothing, and is told of its old epoch', async () => {
  const { broker, producer } = await started()
  const successor = await init(broker)
  equal(await commit(broker, producer, 5), ErrorCode.INVALID_PRODUCER_EPOCH)
  equal(await commit(broker, { ...producer, producerId: 77 }, 5), ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  equal(await commit(broker, successor, 6), ErrorCode.NONE)
  await end(broker, successor, true)
  equal(await fetch(broker), 6)
})

test('members and generations are checked', async () => {
  const { broker, producer } = await started()
  const asMember = { generationIdOrMemberEpoch: 3, memberId: 'somebody' }
  equal(await commit(broker, producer, 5, 5, asMember), ErrorCode.ILLEGAL_GENERATION)
  equal(await commit(broker, producer, 5, 5, { groupId: '' }), ErrorCode.INVALID_GROUP_ID)
})

test('partitions and topics that do not exist have errors of their own', async () => {
  const { broker, producer } = await started()
  const position = { committedOffset: 1, committedMetadata: null }
  const { topics } = await broker.ask(TxnOffsetCommit, txnOffsetCommit, 5, {
    transactionalId: 'copier',
    groupId: 'readers',
    memberId: '',
    ...producer,
    topics: [
      { name: 'orders', partitions: [{ partitionIndex: 9, ...position }, { partitionIndex: 1, ...position }] }, // prettier-ignore
      { name: 'nothing', partitions: [{ partitionIndex: 0, ...position }] },
    ],
  })
  const { UNKNOWN_TOPIC_OR_PARTITION, NONE } = ErrorCode
  deepEqual(
    topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
    [[UNKNOWN_TOPIC_OR_PARTITION, NONE], [UNKNOWN_TOPIC_OR_PARTITION]],
  )
})

test('without the topic of offsets there is no coordinator of the group', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  await broker.createTopic('__transaction_state')
  await settle()
  equal(await commit(broker, await init(broker), 5), ErrorCode.COORDINATOR_NOT_AVAILABLE)
})

test('offsets whose transaction ends while they are being admitted are refused, or they would join the next one', async () => {
  const { broker, producer } = await started()
  equal(await commit(broker, producer, 5), ErrorCode.NONE)
  // The end is decided behind the admission, and both are committed at once.
  broker.log('__transaction_state').isHeld = true
  const late = commit(broker, producer, 9)
  const ending = end(broker, producer, true)
  await settle()
  broker.log('__transaction_state').isHeld = false
  broker.log('__transaction_state').flushAll()
  await ending
  equal(await late, ErrorCode.INVALID_TXN_STATE)
  equal(await fetch(broker), 5)
})
