// Transactions of every client that has them: committed, aborted, open, fenced and late ones, read by all the others; a broker that is killed in
// the middle; and Kafka's tool for transactions.
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { batchBytes, newProducerId, produceBytes, type BatchInit } from './batch-bytes.ts'
import { startBroker } from './broker.ts'
import type { TestBroker } from './broker.ts'
import { check, eventually, newTopic, produce, textRecord } from './checks/check.ts'
import type { Bench } from './checks/check.ts'
import { read, TransactionalProducer, transactionChecks } from './checks/transactions.ts'
import { clientKinds, helperKind } from './client-kinds.ts'
import { installed } from './installation.ts'
import { ClientError, type Client } from './program.ts'
import { againstBroker, kafkaTools, type Tools } from './tools.ts'
import { Wire } from './wire.ts'

const timeout = 180_000
const kinds = clientKinds.filter(({ cannot }) => cannot.transactions === undefined)
const readers = kinds.filter(({ cannot }) => cannot['committed records'] === undefined)
const heirs = kinds.filter(({ cannot }) => cannot['taking over transactional ids'] === undefined)
let broker: TestBroker
let tools: Tools
const clients = new Map<string, Client>()
let helper: Client

beforeAll(async () => {
  const installation = await installed()
  broker = await startBroker({
    'auto.create.topics.enable': 'false',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  })
  for (const kind of kinds) clients.set(kind.name, kind.start(installation, broker.bootstrap))
  helper = helperKind.start(installation, broker.bootstrap)
  tools = await kafkaTools()
}, 600_000)

afterAll(async () => {
  await Promise.all([...clients.values(), helper].map(client => client?.stop()))
  await broker?.remove()
}, timeout)

const benchFor = (name: string): Bench => ({ broker, client: clients.get(name)!, helper })

for (const kind of kinds) {
  describe(kind.name, { timeout }, () => transactionChecks({ kind, bench: () => benchFor(kind.name) }))
}

describe('between clients', { timeout }, () => {
  let topic: string
  const committed: string[] = []

  // All write to one partition by turns; every second transaction is aborted, and all are open at the same time for a while.
  beforeAll(async () => {
    topic = await newTopic(benchFor(kinds[0]!.name), 'mixed')
    for (let round = 0; round < 4; round++) {
      const open: { producer: TransactionalProducer; values: string[]; commit: boolean }[] = []
      for (const [at, kind] of kinds.entries()) {
        const producer = await TransactionalProducer.open(clients.get(kind.name)!)
        const values = ['first', 'second'].map(which => `${kind.name} ${round} ${which}`)
        await producer.begin()
        await producer.send(topic, values)
        open.push({ producer, values, commit: (round + at) % 2 === 0 })
      }
      for (const { producer, values, commit } of open.reverse()) {
        await producer.end(commit)
        await producer.close()
        if (commit) committed.push(...values)
      }
    }
    await produce(helper, topic, [textRecord('key', 'the end')])
    committed.push('the end')
  }, timeout)

  for (const reader of readers) {
    const suite = { kind: reader, bench: () => benchFor(reader.name) }
    check(
      suite,
      `${reader.name} reads exactly what was committed by all of them`,
      ['overlapping aborted transactions'],
      async () => {
        const found = await read(clients.get(reader.name)!, topic, committed.length)
        deepEqual([...found].sort(), [...committed].sort())
        deepEqual(found.at(-1), 'the end')
      },
    )
  }
})

describe('a broker that is killed', { timeout }, () => {
  test('what was committed before is committed after, what was aborted aborted, and what was open can be ended', async () => {
    const topic = await newTopic(benchFor(kinds[0]!.name), 'killed')
    const producers: TransactionalProducer[] = []
    for (const kind of heirs) {
      const producer = await TransactionalProducer.open(clients.get(kind.name)!)
      await producer.transact(topic, [`${kind.name} committed`], true)
      await producer.transact(topic, [`${kind.name} aborted`], false)
      await producer.begin()
      await producer.send(topic, [`${kind.name} open`])
      producers.push(producer)
    }
    await broker.killAndRestart()
    const expected = heirs.map(({ name }) => `${name} committed`)
    // An heir ends what its predecessor had begun; one of the same client, so that it asks with its own versions.
    for (const [at, kind] of heirs.entries()) {
      const heir = await eventually(() =>
        TransactionalProducer.open(clients.get(kind.name)!, producers[at]!.transactionalId),
      )
      await heir.transact(topic, [`${kind.name} heir`], true)
      await heir.close()
      expected.push(`${kind.name} heir`)
    }
    deepEqual(await eventually(() => read(helper, topic, expected.length)), expected)
    for (const producer of producers) await producer.close().catch(() => {})
  })
})

describe('a transactional batch that no client sends', { timeout }, () => {
  const TRANSACTIONAL = 0x10
  const INVALID_TXN_STATE = 48
  const INVALID_PRODUCER_ID_MAPPING = 49
  const TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53
  let topic: string
  let wire: Wire
  let producerId: number
  const transactionalId = `by-hand-${process.pid}`
  const batch = (init: BatchInit) =>
    batchBytes({ attributes: TRANSACTIONAL, producerId, producerEpoch: 0, baseSequence: 0, ...init })
  const { succeeds } = againstBroker(
    () => tools,
    () => broker,
  )

  beforeAll(async () => {
    topic = await newTopic(benchFor(kinds[0]!.name), 'by-hand')
    // With it the topic of the coordinator is there.
    await (await TransactionalProducer.open(helper)).close()
    wire = await Wire.open(broker)
    producerId = await newProducerId(wire, transactionalId)
  }, timeout)
  afterAll(() => wire?.destroy())

  const errorOf = async (records: Buffer, id?: string) =>
    (await produceBytes(wire, topic, records, id === undefined ? {} : { transactionalId: id }))!.errorCode

  test('is refused without a transactional id, with an unknown one, and for a partition that is not in the transaction', async () => {
    equal(await errorOf(batch({})), TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    equal(await errorOf(batch({}), 'nobody'), INVALID_PRODUCER_ID_MAPPING)
    equal(await errorOf(batch({ producerId: producerId + 1000 }), transactionalId), INVALID_PRODUCER_ID_MAPPING)
    equal(await errorOf(batch({}), transactionalId), INVALID_TXN_STATE)
    equal((await helper.run('listOffsets', { topic, partition: 0, at: 'latest' })).offset, 0)
  })

  test('hangs when verification is switched off; kafka-transactions finds it and ends it', async () => {
    const key = 'transaction.partition.verification.enable'
    const alter = ['--alter', '--entity-type', 'brokers', '--entity-default']
    await succeeds('kafka-configs', [...alter, '--add-config', `${key}=false`])
    try {
      // Older than any transaction may get, so that the tool looks at it.
      const records = batch({ values: ['lost'], baseTimestamp: Date.now() - 86_400_000 })
      await eventually(async () => equal(await errorOf(records, transactionalId), 0))
      await produce(helper, topic, [textRecord('key', 'kept')])
      const found = await succeeds('kafka-transactions', ['find-hanging', '--topic', topic])
      match(found, new RegExp(`^${topic}\\s+0\\s+${producerId}\\s+0\\s`, 'm'))
      await succeeds('kafka-transactions', ['abort', '--topic', topic, '--partition', '0', '--start-offset', '0'])
      deepEqual(await read(helper, topic, 1), ['kept'])
      ok(!(await succeeds('kafka-transactions', ['find-hanging', '--topic', topic])).includes(topic))
    } finally {
      await succeeds('kafka-configs', [...alter, '--delete-config', key])
    }
  })
})

describe('kafka-transactions', { timeout }, () => {
  const { succeeds, fails } = againstBroker(
    () => tools,
    () => broker,
  )
  const client = () => clients.get('kafka-clients')!

  test('lists and describes transactions and the producers of a partition', async () => {
    const topic = await newTopic(benchFor('kafka-clients'), 'described')
    const producer = await TransactionalProducer.open(client())
    await producer.begin()
    await producer.send(topic, ['a'])
    const { transactionalId } = producer
    match(await succeeds('kafka-transactions', ['list']), new RegExp(`^${transactionalId}\\s.*Ongoing`, 'm'))
    const described = await succeeds('kafka-transactions', ['describe', '--transactional-id', transactionalId])
    match(described, new RegExp(`${transactionalId}.*Ongoing.*${topic}-0`))
    const active = await succeeds('kafka-transactions', ['describe-producers', '--topic', topic, '--partition', '0'])
    // ProducerId, ProducerEpoch, LatestCoordinatorEpoch, LastSequence, LastTimestamp, CurrentTransactionStartOffset
    match(active, /^\d+\s+\d+\s+-1\s+0\s+\d+\s+0\s*$/m)
    await producer.end(true)
    const ended = await eventually(async () => {
      const text = await succeeds('kafka-transactions', ['describe', '--transactional-id', transactionalId])
      ok(text.includes('CompleteCommit'))
      return text
    })
    match(ended, /CompleteCommit/)
    await producer.close()
  })

  test('aborts a transaction of a partition, and then the reader goes on', async () => {
    const topic = await newTopic(benchFor('kafka-clients'), 'ended-by-hand')
    const producer = await TransactionalProducer.open(client())
    await producer.begin()
    await producer.send(topic, ['lost'])
    await produce(helper, topic, [textRecord('key', 'kept')])
    await succeeds('kafka-transactions', ['abort', '--topic', topic, '--partition', '0', '--start-offset', '0'])
    deepEqual(await read(helper, topic, 1), ['kept'])
    await producer.close()
  })

  test('aborts it with what brokers before 3.0 had to be told, too', async () => {
    const topic = await newTopic(benchFor('kafka-clients'), 'ended-the-old-way')
    const producer = await TransactionalProducer.open(client())
    await producer.begin()
    await producer.send(topic, ['lost'])
    await produce(helper, topic, [textRecord('key', 'kept')])
    const where = ['--topic', topic, '--partition', '0']
    const [, row] = (await succeeds('kafka-transactions', ['describe-producers', ...where])).trim().split('\n')
    const [producerId, producerEpoch] = row!.split(/\s+/)
    const who = ['--producer-id', producerId!, '--producer-epoch', producerEpoch!, '--coordinator-epoch', '0']
    await succeeds('kafka-transactions', ['abort', ...where, ...who])
    deepEqual(await read(helper, topic, 1), ['kept'])
    await producer.close()
  })

  test('ends a transaction by its id and fences its producer', async () => {
    const topic = await newTopic(benchFor('kafka-clients'), 'terminated')
    const producer = await TransactionalProducer.open(client())
    await producer.begin()
    await producer.send(topic, ['lost'])
    await produce(helper, topic, [textRecord('key', 'kept')])
    const { transactionalId } = producer
    await succeeds('kafka-transactions', ['forceTerminateTransaction', '--transactionalId', transactionalId])
    deepEqual(await read(helper, topic, 1), ['kept'])
    await rejects(producer.end(true), ClientError)
    await producer.close()
  })

  test('lists transactions that are older than a time, or whose ids look like something', async () => {
    const topic = await newTopic(benchFor('kafka-clients'), 'filtered')
    const producer = await TransactionalProducer.open(client())
    await producer.begin()
    await producer.send(topic, ['a'])
    const { transactionalId } = producer
    const list = async (...filters: string[]) => {
      const printed = await succeeds('kafka-transactions', ['list', ...filters])
      return printed
        .split('\n')
        .filter(line => line.startsWith(`${transactionalId} `) || line.startsWith(`${transactionalId}\t`)).length
    }
    equal(await list('--duration-filter', '1'), 1)
    equal(await list('--duration-filter', '3600000'), 0)
    equal(await list('--transactional-id-pattern', `${transactionalId.slice(0, -1)}.`), 1)
    equal(await list('--transactional-id-pattern', 'another.*'), 0)
    await producer.end(true)
    await producer.close()
  })

  test('says that it knows no such id, and that no transaction begins at an offset', async () => {
    const topic = await newTopic(benchFor('kafka-clients'), 'nothing')
    await fails('kafka-transactions', ['describe', '--transactional-id', 'nobody'], /the ID could not be found/)
    const nowhere = ['--topic', topic, '--partition', '0', '--start-offset', '0']
    await fails('kafka-transactions', ['abort', ...nowhere], /Could not find any open transactions/)
  })

  test('finds no hanging transaction where there is none', async () => {
    const topic = await newTopic(benchFor('kafka-clients'), 'hanging')
    const producer = await TransactionalProducer.open(client())
    await producer.transact(topic, ['a'], true)
    for (const where of [
      ['--topic', topic],
      ['--topic', topic, '--partition', '0'],
      ['--broker-id', '1'],
    ]) {
      const found = await succeeds('kafka-transactions', ['find-hanging', ...where])
      ok(!found.includes(topic), found)
    }
    await producer.close()
  })
})
