import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { produce } from '../../../broker/api/produce.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { Produce, type ProduceResponse } from '../../../broker/protocol/messages/produce.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { Leader } from '../../../broker/replication/leader.ts'
import type { AdmissionRequest, TransactionGate } from '../../../broker/replication/transactions.ts'
import { batchOf, settled, testBroker, type TestBroker, type TestBrokerOptions } from './fixture.ts'
import { endTransaction, leaderOf } from './transactions.ts'

const LATEST = 13
const [V1, V1_ABORTABLE, V2] = [10, 11, LATEST]

/** A coordinator that answers when the test says so. */
class Gate implements TransactionGate {
  readonly asked: AdmissionRequest[] = []
  readonly #answers: ((codes: readonly ErrorCode[]) => void)[] = []
  /** What is answered at once; null: `answer` does. */
  always: ErrorCode | null = null

  admit(request: AdmissionRequest): Promise<readonly ErrorCode[]> {
    this.asked.push(request)
    const { always } = this
    if (always !== null) return Promise.resolve(request.partitions.map(() => always))
    return new Promise(resolve => this.#answers.push(resolve))
  }

  /** Answers the oldest question. */
  async answer(...codes: ErrorCode[]): Promise<void> {
    this.#answers.shift()!(codes)
    await settled()
  }

  get waiting(): number {
    return this.#answers.length
  }
}

type Sent = { value?: string; sequence?: number; epoch?: number; producerId?: number; partition?: number }
type Options = { version?: number; transactionalId?: string | null; acks?: number }

async function begin(options: TestBrokerOptions = {}): Promise<{ broker: TestBroker; gate: Gate }> {
  const gate = new Gate()
  const broker = await testBroker({ transactions: gate, ...options })
  await broker.createTopic('orders', { partitions: 3 })
  return { broker, gate }
}

/** One request with one batch of a record for each of `sent`. */
function send(broker: TestBroker, sent: readonly Sent[], options: Options = {}): Promise<ProduceResponse> {
  const { version = V2, transactionalId = 'bank', acks = -1 } = options
  const { topicId } = broker.context.image().topics.get('orders')!
  const partitionData = sent.map(({ value = 'a', sequence = 0, epoch = 0, producerId = 7, partition = 0 }) => ({
    index: partition,
    records: batchOf([value], { producerId, producerEpoch: epoch, baseSequence: sequence, isTransactional: true }),
  }))
  const topicData = [{ name: 'orders', topicId, partitionData }]
  return broker.ask(Produce, produce, version, { transactionalId, acks, timeoutMs: 1000, topicData })
}

const errorsOf = (response: ProduceResponse) =>
  response.responses.flatMap(topic => topic.partitionResponses.map(answer => answer.errorCode))

async function valuesIn(broker: TestBroker, partition = 0): Promise<string[]> {
  const log = broker.log('orders', partition)
  const read = await log.read(log.logStartOffset, { maxBytes: 1e9, endOffset: log.endOffset, minOneBatch: true })
  return typeof read === 'string' ? [] : read.flatMap(batch => readRecords(batch).map(({ value }) => String(value)))
}

test('the first batch of a transaction waits until the coordinator has admitted its partition', async () => {
  const { broker, gate } = await begin()
  const answer = send(broker, [{}])
  await settled()
  deepEqual(await valuesIn(broker), [])
  deepEqual(gate.asked, [
    {
      transactionalId: 'bank',
      producerId: 7,
      producerEpoch: 0,
      partitions: [{ topic: 'orders', partition: 0 }],
      canAdd: true,
    },
  ])
  await gate.answer(ErrorCode.NONE)
  deepEqual(errorsOf(await answer), [ErrorCode.NONE])
  deepEqual(await valuesIn(broker), ['a'])
})

test('only clients of transaction version 2 have their partition added', async () => {
  for (const [version, canAdd] of [
    [3, false],
    [V1, false],
    [V1_ABORTABLE, false],
    [12, true],
    [V2, true],
  ] as const) {
    // prettier-ignore
    const { broker, gate } = await begin()
    gate.always = ErrorCode.NONE
    deepEqual(errorsOf(await send(broker, [{}], { version })), [ErrorCode.NONE])
    deepEqual(gate.asked.map(request => request.canAdd), [canAdd]) // prettier-ignore
  }
})

test('once a transaction is open in a partition nobody is asked until it has ended', async () => {
  const { broker, gate } = await begin()
  gate.always = ErrorCode.NONE
  for (const sequence of [0, 1, 2]) await send(broker, [{ sequence }], { version: V1 })
  equal(gate.asked.length, 1)
  await endTransaction(broker, 7, true)
  await send(broker, [{ sequence: 3 }], { version: V1 })
  equal(gate.asked.length, 2)
})

test('one question is asked for all partitions of a request, and each gets its own answer', async () => {
  const { broker, gate } = await begin()
  const answer = send(broker, [{ partition: 0 }, { partition: 1 }, { partition: 2 }], { version: V1 })
  await settled()
  deepEqual(gate.asked.map(({ partitions }) => partitions.map(({ partition }) => partition)), [[0, 1, 2]]) // prettier-ignore
  await gate.answer(ErrorCode.NONE, ErrorCode.TRANSACTION_ABORTABLE, ErrorCode.NONE)
  deepEqual(errorsOf(await answer), [ErrorCode.NONE, ErrorCode.INVALID_TXN_STATE, ErrorCode.NONE])
  deepEqual([await valuesIn(broker, 1), await valuesIn(broker, 2)], [[], ['a']])
})

test('batches that arrive while the first one waits keep their order and are not asked about', async () => {
  const { broker, gate } = await begin()
  const answers = [0, 1, 2].map(sequence => send(broker, [{ sequence, value: `v${sequence}` }]))
  await settled()
  equal(gate.asked.length, 1)
  await gate.answer(ErrorCode.NONE)
  deepEqual((await Promise.all(answers)).map(errorsOf), [[ErrorCode.NONE], [ErrorCode.NONE], [ErrorCode.NONE]])
  deepEqual(await valuesIn(broker), ['v0', 'v1', 'v2'])
  equal(gate.asked.length, 1)
})

test('other producers do not wait for one that waits', async () => {
  const { broker, gate } = await begin()
  const waiting = send(broker, [{}])
  const other = send(broker, [{ producerId: 8 }], { transactionalId: 'shop' })
  await settled()
  equal(gate.asked.length, 2)
  await gate.answer(ErrorCode.NONE)
  await gate.answer(ErrorCode.NONE)
  deepEqual([await waiting, await other].map(errorsOf), [[ErrorCode.NONE], [ErrorCode.NONE]])
})

for (const version of [V1, V2]) {
  test(`a batch behind one that was refused is out of order until that one has come again, v${version}`, async () => {
    const { broker, gate } = await begin()
    const [first, second] = [0, 1].map(sequence => send(broker, [{ sequence }], { version }))
    await settled()
    await gate.answer(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    await gate.answer(ErrorCode.NONE)
    deepEqual(errorsOf(await first!), [ErrorCode.NOT_ENOUGH_REPLICAS])
    deepEqual(errorsOf(await second!), [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER])
    gate.always = ErrorCode.NONE
    deepEqual(errorsOf(await send(broker, [{ sequence: 0 }], { version })), [ErrorCode.NONE])
    deepEqual(errorsOf(await send(broker, [{ sequence: 1 }], { version })), [ErrorCode.NONE])
  })
}

test('with transaction version 2 a producer that nothing is known of begins with sequence 0', async () => {
  const { broker, gate } = await begin()
  gate.always = ErrorCode.NONE
  deepEqual(errorsOf(await send(broker, [{ sequence: 4 }])), [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER])
  const other = await begin()
  other.gate.always = ErrorCode.NONE
  deepEqual(errorsOf(await send(other.broker, [{ sequence: 4 }], { version: V1 })), [ErrorCode.NONE])
})

test('the coordinator’s answers become what clients of each version understand', async () => {
  const cases: [ErrorCode, version: number, ErrorCode][] = [
    [ErrorCode.TRANSACTION_ABORTABLE, V1, ErrorCode.INVALID_TXN_STATE],
    [ErrorCode.TRANSACTION_ABORTABLE, V1_ABORTABLE, ErrorCode.TRANSACTION_ABORTABLE],
    [ErrorCode.PRODUCER_FENCED, V1, ErrorCode.INVALID_PRODUCER_EPOCH],
    [ErrorCode.PRODUCER_FENCED, V2, ErrorCode.INVALID_PRODUCER_EPOCH],
    [ErrorCode.INVALID_PRODUCER_ID_MAPPING, V2, ErrorCode.INVALID_PRODUCER_ID_MAPPING],
    [ErrorCode.CONCURRENT_TRANSACTIONS, V1, ErrorCode.NOT_ENOUGH_REPLICAS],
    [ErrorCode.CONCURRENT_TRANSACTIONS, V2, ErrorCode.CONCURRENT_TRANSACTIONS],
    [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, V2, ErrorCode.NOT_ENOUGH_REPLICAS],
  ]
  for (const [answer, version, expected] of cases) {
    const { broker, gate } = await begin()
    gate.always = answer
    deepEqual(errorsOf(await send(broker, [{}], { version })), [expected])
    deepEqual(await valuesIn(broker), [])
  }
})

test('an old epoch is refused without a question', async () => {
  const { broker, gate } = await begin()
  gate.always = ErrorCode.NONE
  await send(broker, [{ epoch: 3 }])
  await endTransaction(broker, 7, true, { producerEpoch: 4, transactionVersion: 2 })
  deepEqual(errorsOf(await send(broker, [{ epoch: 3, sequence: 1 }])), [ErrorCode.INVALID_PRODUCER_EPOCH])
  equal(gate.asked.length, 1)
  deepEqual(errorsOf(await send(broker, [{ epoch: 4 }])), [ErrorCode.NONE])
})

test('a batch that was admitted to a transaction that ends before the answer is there does not hang behind the marker', async () => {
  const { broker, gate } = await begin()
  const late = send(broker, [{}], { version: V1 })
  await settled()
  await endTransaction(broker, 7, false)
  await gate.answer(ErrorCode.NONE)
  deepEqual(errorsOf(await late), [ErrorCode.INVALID_TXN_STATE])
  equal(leaderOf(broker, 'orders').lastStableOffset, 1)
})

test('who leads no more when the answer comes appends nothing', async () => {
  const { broker, gate } = await begin()
  const late = send(broker, [{}])
  await settled()
  broker.logs.fail()
  await gate.answer(ErrorCode.NONE)
  deepEqual(errorsOf(await late), [ErrorCode.KAFKA_STORAGE_ERROR])
})

test('who has led again in between appends nothing: others may have written a marker', async () => {
  const { broker, gate } = await begin()
  const late = send(broker, [{}])
  await settled()
  const { log, state, config } = leaderOf(broker, 'orders')
  const anew = new Leader(broker.clock, 'orders', log, state, config)
  broker.context.replicas.leader = () => anew
  await gate.answer(ErrorCode.NONE)
  deepEqual(errorsOf(await late), [ErrorCode.NOT_LEADER_OR_FOLLOWER])
})

test('a duplicate of a batch of the open transaction is a success with its old offset', async () => {
  const { broker, gate } = await begin()
  gate.always = ErrorCode.NONE
  await send(broker, [{ value: 'a' }])
  const again = await send(broker, [{ value: 'a' }])
  deepEqual([errorsOf(again), again.responses[0]!.partitionResponses[0]!.baseOffset], [[ErrorCode.NONE], 0])
  deepEqual(await valuesIn(broker), ['a'])
})

test('a partition that is named twice gets both batches in order', async () => {
  const { broker, gate } = await begin()
  gate.always = ErrorCode.NONE
  const response = await send(broker, [{ value: 'a' }, { value: 'b', sequence: 1 }])
  deepEqual(errorsOf(response), [ErrorCode.NONE, ErrorCode.NONE])
  deepEqual(await valuesIn(broker), ['a', 'b'])
})

test('nothing is asked for clients before version 2 when verification is switched off', async () => {
  const { broker, gate } = await begin({ config: { 'transaction.partition.verification.enable': 'false' } })
  deepEqual(errorsOf(await send(broker, [{}], { version: V1 })), [ErrorCode.NONE])
  equal(gate.asked.length, 0)
  gate.always = ErrorCode.NONE
  await send(broker, [{ partition: 1 }], { version: V2 })
  equal(gate.asked.length, 1)
})

test('without a transactional id nothing of the request is taken; nor with batches of two producers', async () => {
  const { broker } = await begin()
  const unauthorized = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  deepEqual(errorsOf(await send(broker, [{}, { partition: 1 }], { transactionalId: null })), [unauthorized, unauthorized]) // prettier-ignore
  const mapping = ErrorCode.INVALID_PRODUCER_ID_MAPPING
  deepEqual(errorsOf(await send(broker, [{}, { partition: 1, producerId: 8 }])), [mapping, mapping])
  deepEqual(errorsOf(await send(broker, [{}, { partition: 1, epoch: 1 }])), [mapping, mapping])
  deepEqual([await valuesIn(broker), await valuesIn(broker, 1)], [[], []])
})
