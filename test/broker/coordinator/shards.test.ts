// Shards over the real metadata, replicas and journals, with logs in memory.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { Shards } from '../../../broker/coordinator/shards.ts'
import type { Shard } from '../../../broker/coordinator/shard.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { RecordCodec } from '../../../broker/replication/replicated-journal.ts'
import { BROKER_ID, registerBroker, settled, testBroker, type TestBroker } from '../api/fixture.ts'

type Counts = Map<string, number>
type Counted = { readonly key: string; readonly count: number }

const TOPIC = '__consumer_offsets'

const codec: RecordCodec<Counted> = {
  encode: ({ key, count }) => ({ key: Buffer.from(key), value: Buffer.from(String(count)) }),
  decode: (key, value) => ({ key: String(key), count: Number(String(value)) }),
  decodeMarker: () => null,
}

function shardsOf(broker: TestBroker) {
  const events: string[] = []
  const { clock, log, brokerId, replicas, loader } = broker.context
  const shards = new Shards<Counts, Counted>({
    clock,
    log,
    brokerId,
    topicName: TOPIC,
    leader: (topicId, partition) => replicas.leader(topicId, partition),
    codec,
    machine: partition => ({
      create: () => new Map(),
      replay: (state, { key, count }) => void state.set(key, count),
      onLoaded: state => void events.push(`${partition} loaded with ${state.size}`),
      onLost: errorCode => void events.push(`${partition} lost: ${errorCode}`),
    }),
    commitTimeoutMs: 5000,
  })
  loader.subscribe(shards.apply)
  return { shards, events }
}

const increment =
  (key: string) =>
  (state: Counts, emit: (record: Counted) => void): number => {
    emit({ key, count: (state.get(key) ?? 0) + 1 })
    return state.get(key)!
  }

function loaded(shard: Shard<Counts, Counted> | ErrorCode): Shard<Counts, Counted> {
  if (typeof shard === 'number') throw new Error(`no shard: ${shard}`)
  return shard
}

/** Lets a load run to its end; disks of memory need a few turns. */
async function untilLoaded(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await settled()
}

test('without the topic there is no coordinator; once it is there, its leader loads it and answers', async () => {
  const broker = await testBroker()
  const { shards } = shardsOf(broker)
  equal(shards.find('a'), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  const creating = broker.createTopic(TOPIC)
  await creating
  await untilLoaded()
  deepEqual(await loaded(shards.find('a')).write(increment('a')), { response: 1 })
  deepEqual(await loaded(shards.find('a')).read(state => state.get('a')), { response: 1 })
})

test('while the state is loading, requests are told so', async () => {
  const broker = await testBroker()
  await broker.createTopic(TOPIC)
  const { shards } = shardsOf(broker)
  equal(shards.find('a'), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  await untilLoaded()
  equal(typeof shards.find('a'), 'object')
})

test('a partition that is led elsewhere has its coordinator elsewhere, and one without a leader has none', async () => {
  const broker = await testBroker()
  await broker.createTopic(TOPIC, { assignments: [[2], [BROKER_ID]] })
  const { shards } = shardsOf(broker)
  await untilLoaded()
  equal(shards.at(0), ErrorCode.NOT_COORDINATOR)
  equal(typeof shards.at(1), 'object')
  const epoch = broker.context.image().brokers.get(2)!.brokerEpoch
  await broker.context.controller.setFenced(2, epoch, true)
  equal(shards.at(0), ErrorCode.COORDINATOR_NOT_AVAILABLE)
})

test('a leader that reads the log has everything that was committed before', async () => {
  const broker = await testBroker()
  await broker.createTopic(TOPIC)
  const first = shardsOf(broker)
  await untilLoaded()
  for (const key of ['a', 'b', 'a']) await loaded(first.shards.find(key)).write(increment(key))
  const second = shardsOf(broker)
  await untilLoaded()
  const shard = loaded(second.shards.find('a'))
  deepEqual(await shard.read(state => [...state]), { response: [['a', 2], ['b', 1]] }) // prettier-ignore
  deepEqual(second.events, ['0 loaded with 2'])
})

test('a new leader epoch is a new reign: the state is dropped and read again', async () => {
  const broker = await testBroker()
  await broker.createTopic(TOPIC)
  const { shards, events } = shardsOf(broker)
  await untilLoaded()
  const before = loaded(shards.find('a'))
  await before.write(increment('a'))
  await registerBroker(broker.context, BROKER_ID)
  await untilLoaded()
  deepEqual(events, ['0 loaded with 0', `0 lost: ${ErrorCode.NOT_COORDINATOR}`, '0 loaded with 1'])
  deepEqual(await before.write(increment('a')), { errorCode: ErrorCode.NOT_COORDINATOR })
  deepEqual(await loaded(shards.find('a')).write(increment('a')), { response: 2 })
})

test('an append that fails costs the state; it is read again after a pause, without what was lost', async () => {
  const broker = await testBroker()
  await broker.createTopic(TOPIC)
  const { shards, events } = shardsOf(broker)
  await untilLoaded()
  await loaded(shards.find('a')).write(increment('a'))
  broker.log(TOPIC).refusesNext = true
  const answer = await loaded(shards.find('a')).write(increment('a'))
  equal('errorCode' in answer, true)
  equal(shards.find('a'), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  broker.clock.advance(100)
  await untilLoaded()
  deepEqual(await loaded(shards.find('a')).read(state => state.get('a')), { response: 1 })
  equal(events.length, 3)
})

test('a partition that takes no records is not written to, keeps its state, and goes on reading', async () => {
  const broker = await testBroker()
  await broker.createTopic(TOPIC)
  const { shards, events } = shardsOf(broker)
  await untilLoaded()
  const shard = loaded(shards.find('a'))
  await shard.write(increment('a'))
  broker.log(TOPIC).isFull = true
  deepEqual(await shard.write(increment('a')), { errorCode: ErrorCode.NOT_COORDINATOR })
  deepEqual(await shard.read(state => state.get('a')), { response: 1 })
  broker.log(TOPIC).isFull = false
  deepEqual(await shard.write(increment('a')), { response: 2 })
  deepEqual(events, ['0 loaded with 0'])
})

test('an answer does not wait for ever until its records are committed', async () => {
  const broker = await testBroker()
  await broker.createTopic(TOPIC)
  const { shards } = shardsOf(broker)
  await untilLoaded()
  broker.log(TOPIC).isHeld = true
  const writing = loaded(shards.find('a')).write(increment('a'))
  await settled()
  broker.clock.advance(5000)
  deepEqual(await writing, { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE })
  broker.log(TOPIC).flushAll()
  deepEqual(await loaded(shards.find('a')).read(state => state.get('a')), { response: 1 })
})

test('a deleted topic takes its coordinators with it', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic(TOPIC)
  const { shards, events } = shardsOf(broker)
  await untilLoaded()
  await broker.context.controller.deleteTopics([{ name: null, topicId }])
  equal(shards.find('a'), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  deepEqual(events.at(-1), `0 lost: ${ErrorCode.COORDINATOR_NOT_AVAILABLE}`)
})
