// The coordinator over the real metadata, replicas and journals, with logs in memory.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import type { EndTransaction, MarkerWriter } from '../../../../broker/replication/transactions.ts'
import { BROKER_ID, registerBroker, settled, testBroker } from '../../api/fixture.ts'

const TOPIC = '__transaction_state'
const ID = 'payments'
const ABORT_INTERVAL_MS = 10_000
const ADD_RETRY_MAX_MS = 100
const CONFIG = {
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': String(ABORT_INTERVAL_MS),
  'add.partitions.to.txn.retry.backoff.max.ms': String(ADD_RETRY_MAX_MS),
  'transactional.id.expiration.ms': '1000000',
}

type Markers = MarkerWriter & {
  readonly written: (EndTransaction & { readonly at: string })[]
  /** What the next writes are answered, by partition. */
  readonly refusals: Map<string, ErrorCode>
}

function markers(): Markers {
  const written: Markers['written'] = []
  const refusals = new Map<string, ErrorCode>()
  return {
    written,
    refusals,
    async write(topic, partition, end) {
      const at = `${topic}-${partition}`
      const errorCode = refusals.get(at) ?? ErrorCode.NONE
      if (errorCode === ErrorCode.NONE) written.push({ at, ...end })
      return errorCode
    },
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await settled()
}

async function started() {
  const writer = markers()
  const broker = await testBroker({ config: CONFIG, markerWriter: writer, sweepsTransactions: true })
  await broker.createTopic('orders', { partitions: 2 })
  await broker.createTopic(TOPIC)
  await settle()
  const coordinator = broker.context.transactionCoordinator
  const init = () => coordinator.initProducerId({ transactionalId: ID, timeoutMs: 60_000, expected: null })
  const add = (producer: { producerId: number; producerEpoch: number }, partition = 0) =>
    coordinator.admit({
      transactionalId: ID,
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      partitions: [{ topic: 'orders', partition }],
      canAdd: true,
    })
  const end = (producer: { producerId: number; producerEpoch: number }, isCommit: boolean) =>
    coordinator.endTransaction({
      transactionalId: ID,
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      isCommit,
      clientVersion: 2,
    })
  const stateOf = async () => {
    const described = await coordinator.describe(ID)
    return 'response' in described ? described.response.state : described.errorCode
  }
  return { broker, coordinator, writer, init, add, end, stateOf }
}

test('without its topic, or while it loads, the coordinator says so', async () => {
  const broker = await testBroker()
  const coordinator = broker.context.transactionCoordinator
  const request = { transactionalId: ID, timeoutMs: 1, expected: null }
  equal((await coordinator.initProducerId(request)).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  const creating = broker.createTopic(TOPIC)
  await creating
  await settle()
  deepEqual(await coordinator.initProducerId(request), { errorCode: 0, producerId: 0, producerEpoch: 0 })
})

test('a commit is answered, marked and complete', async () => {
  const { init, add, end, writer, stateOf } = await started()
  const producer = await init()
  deepEqual(await add(producer), [ErrorCode.NONE])
  deepEqual(await end(producer, true), { errorCode: 0, producerId: 0, producerEpoch: 1 })
  await settle()
  equal(await stateOf(), 'CompleteCommit')
  deepEqual(writer.written, [
    {
      at: 'orders-0',
      producerId: 0,
      producerEpoch: 1,
      coordinatorEpoch: 0,
      isCommit: true,
      transactionVersion: 2,
    },
  ])
})

test('no marker is written before the decision is committed', async () => {
  const { broker, init, add, end, writer } = await started()
  const producer = await init()
  await add(producer)
  broker.log(TOPIC).isHeld = true
  const ending = end(producer, true)
  await settle()
  equal(writer.written.length, 0)
  broker.log(TOPIC).isHeld = false
  broker.log(TOPIC).flushAll()
  await ending
  await settle()
  equal(writer.written.length, 1)
})

test('the next transaction begins as soon as the last one is complete, and not before', async () => {
  const { broker, init, add, end, writer } = await started()
  writer.refusals.set('orders-0', ErrorCode.NOT_LEADER_OR_FOLLOWER)
  const producer = await init()
  await add(producer)
  const next = await end(producer, true)
  let answer: readonly ErrorCode[] | null = null
  void add(next, 1).then(codes => void (answer = codes))
  await settle()
  equal(answer, null)
  writer.refusals.clear()
  broker.clock.advance(20)
  await settle()
  deepEqual(answer, [ErrorCode.NONE])
})

test('who waits too long for the last end is told that it is not complete', async () => {
  const { broker, init, add, end, writer } = await started()
  writer.refusals.set('orders-0', ErrorCode.NOT_LEADER_OR_FOLLOWER)
  const producer = await init()
  await add(producer)
  const next = await end(producer, true)
  const adding = add(next, 1)
  await settle()
  broker.clock.advance(ADD_RETRY_MAX_MS)
  deepEqual(await adding, [ErrorCode.CONCURRENT_TRANSACTIONS])
})

test('a coordinator that takes over writes the markers that are missing', async () => {
  const { broker, init, add, end, writer, stateOf } = await started()
  writer.refusals.set('orders-0', ErrorCode.NOT_LEADER_OR_FOLLOWER)
  const producer = await init()
  await add(producer)
  await end(producer, true)
  await registerBroker(broker.context, BROKER_ID)
  writer.refusals.clear()
  await settle()
  equal(await stateOf(), 'CompleteCommit')
  deepEqual(
    writer.written.map(({ at, coordinatorEpoch }) => [at, coordinatorEpoch]),
    [['orders-0', 1]],
  )
})

test('an end that cannot be written is not answered as one, and changes nothing', async () => {
  const { broker, init, add, end, writer, stateOf } = await started()
  const producer = await init()
  await add(producer)
  broker.log(TOPIC).refusesNext = true
  equal((await end(producer, true)).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  broker.clock.advance(100)
  await settle()
  equal(await stateOf(), 'Ongoing')
  equal(writer.written.length, 0)
  equal((await end(producer, true)).errorCode, ErrorCode.NONE)
})

test('an end is complete even if the topic takes no records for a while after the markers', async () => {
  const { broker, init, add, end, writer, stateOf } = await started()
  writer.refusals.set('orders-0', ErrorCode.NOT_LEADER_OR_FOLLOWER)
  const producer = await init()
  await add(producer)
  await end(producer, true)
  broker.log(TOPIC).isFull = true
  writer.refusals.clear()
  broker.clock.advance(20)
  await settle()
  equal(await stateOf(), 'PrepareCommit')
  broker.log(TOPIC).isFull = false
  broker.clock.advance(1000)
  await settle()
  equal(await stateOf(), 'CompleteCommit')
})

test('a transaction that takes too long is aborted at the next look', async () => {
  const { broker, init, add, writer, stateOf } = await started()
  const producer = await init()
  await add(producer)
  broker.clock.advance(60_000)
  await settle()
  equal(await stateOf(), 'Ongoing')
  broker.clock.advance(10_000)
  await settle()
  equal(await stateOf(), 'CompleteAbort')
  deepEqual(
    writer.written.map(({ producerEpoch, isCommit }) => [producerEpoch, isCommit]),
    [[1, false]],
  )
  deepEqual(await add(producer), [ErrorCode.PRODUCER_FENCED])
})

test('a transaction that was ongoing when the coordinator changed keeps its time-out', async () => {
  const { broker, init, add, stateOf } = await started()
  await add(await init())
  broker.clock.advance(40_000)
  await registerBroker(broker.context, BROKER_ID)
  for (let sweep = 0; sweep < 2; sweep++) {
    await settle()
    equal(await stateOf(), 'Ongoing')
    broker.clock.advance(ABORT_INTERVAL_MS)
  }
  await settle()
  broker.clock.advance(ABORT_INTERVAL_MS)
  await settle()
  equal(await stateOf(), 'CompleteAbort')
})

test('an id that nobody uses is forgotten', async () => {
  const { broker, init, coordinator, stateOf } = await started()
  await init()
  broker.clock.advance(3_600_000)
  await settle()
  equal(await stateOf(), ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)
  deepEqual(await coordinator.list({ states: new Set(), producerIds: new Set(), durationMs: -1, matches: null }), {
    response: [],
  })
})

test('a leader that only looks learns what is in the transaction', async () => {
  const { init, add, coordinator } = await started()
  const { producerId, producerEpoch } = await init()
  await add({ producerId, producerEpoch })
  const partitions = [
    { topic: 'orders', partition: 0 },
    { topic: 'orders', partition: 1 },
  ]
  const request = { transactionalId: ID, producerId, producerEpoch, partitions, canAdd: false }
  deepEqual(await coordinator.admit(request), [ErrorCode.NONE, ErrorCode.TRANSACTION_ABORTABLE])
})

test('after it was closed no sweep runs', async () => {
  const { coordinator, init, broker } = await started()
  await init()
  coordinator.close()
  await settle()
  equal(broker.clock.timers, 0)
})
