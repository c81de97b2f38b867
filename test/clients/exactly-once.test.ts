// Programs of Kafka's users that count on exactly-once, killed again and again, and the broker with them: copiers in Java and with librdkafka, and a word count with
// Kafka Streams over a real text. What comes out must be what went in, once and in order, and nobody may see an aborted record.
// FLOTILLA_CLIENTS_BROKER=kafka runs them against Apache Kafka, which is not killed. FLOTILLA_DEATHS: how often each program is killed (default 4).
import { deepEqual, equal, ok } from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, test } from 'vitest'
import { brokerKind, startBroker, type TestBroker } from './broker.ts'
import { newTopic, topicName } from './checks/check.ts'
import { helperKind } from './client-kinds.ts'
import { MortalProgram, readCommitted, type Read } from './exactly-once/programs.ts'
import { installed, pathOf } from './installation.ts'
import type { Client } from './program.ts'

const timeout = 900_000
const PARTITIONS = 3
const DEATHS = Number(process.env.FLOTILLA_DEATHS ?? 4)
// A transaction that times out while Apache Kafka's only node (4.4.0) is down is aborted before that node has loaded its groups: it becomes
// COMPLETE_ABORT without a marker in __consumer_offsets. Its offsets stay pending for ever, and every second run of the copiers stands still.
const BROKER_DEATHS = brokerKind === 'kafka' ? 0 : DEATHS

let broker: TestBroker
let helper: Client
let paths: ReadonlyMap<string, string>

beforeAll(async () => {
  paths = await installed('kcat', 'go', 'python', 'streams')
  broker = await startBroker({
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    // Dead producers hold readers up until their transaction times out and somebody looks.
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
    'group.initial.rebalance.delay.ms': '0',
  })
  helper = helperKind.start(paths, broker.bootstrap)
}, 600_000)
afterAll(async () => {
  await helper?.stop()
  await broker?.remove()
}, timeout)

/** Numbered values, and which of them went to which partition. */
async function numbered(topic: string, perPartition: number): Promise<string[][]> {
  const sent: string[][] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const values = Array.from({ length: perPartition }, (_, index) => `${partition}/${index}`)
    const records = values.map(value => ({ key: null, value: Buffer.from(value), headers: [] }))
    const init = { compression: 'none', acks: 'all', idempotent: true, timeoutMs: 60_000, autoCreate: false } as const
    await helper.run('produce', { topic, partition, records, ...init })
    sent.push(values)
  }
  return sent
}

async function readAll(topic: string): Promise<Read[][]> {
  const kcat = pathOf(paths, 'kcat')
  return Promise.all(
    Array.from({ length: PARTITIONS }, (_, partition) => readCommitted(kcat, broker.bootstrap, topic, partition)),
  )
}

/** Lets `programs` live and die, and the broker with them, until `isDone` and all have died often enough, or the time is up. */
async function untilDone(
  programs: readonly MortalProgram[],
  brokerDeaths: number,
  isDone: () => Promise<boolean>,
): Promise<void> {
  const lives = programs.map(program => program.live(DEATHS, () => 2000 + Math.random() * 5000))
  const deadline = performance.now() + 600_000
  let deathsLeft = brokerDeaths
  try {
    for (;;) {
      await sleep(500 + Math.random() * 4000)
      if (deathsLeft-- > 0) await broker.killAndRestart()
      const isOld = deathsLeft <= 0 && programs.every(({ deaths }) => deaths >= DEATHS)
      if (isOld && (await isDone())) return
      if (performance.now() > deadline) {
        throw new Error(
          programs.map(({ name, deaths, lastLines }) => `${name}, dead ${deaths} times:\n${lastLines}`).join('\n'),
        )
      }
    }
  } finally {
    await Promise.all(programs.map(program => program.end()))
    await Promise.all(lives)
  }
}

const copiers = {
  'kafka-clients': () => ['java', '-XX:TieredStopAtLevel=1', '-Xmx128m', '-cp', classpath(), 'Copier'],
  librdkafka: () => [pathOf(paths, 'python'), fileURLToPath(new URL('exactly-once/copier.py', import.meta.url))],
}

function classpath(): string {
  return `${pathOf(paths, 'exactlyOnce')}:${pathOf(paths, 'streams')}/*`
}

for (const [name, argv] of Object.entries(copiers)) {
  test(
    `two copiers with ${name} that are killed again and again copy every record once, in order`,
    { timeout },
    async () => {
      const bench = { broker, client: helper, helper }
      const input = await newTopic(bench, 'input', { partitions: PARTITIONS })
      const output = await newTopic(bench, 'output', { partitions: PARTITIONS })
      const sent = await numbered(input, 15_000)
      const group = topicName('copiers')
      const programs = [1, 2].map(index => {
        const args = [broker.bootstrap, input, output, group, `${output}-${index}`]
        return new MortalProgram(`copier ${index}`, [...argv(), ...args])
      })
      const total = sent.flat().length
      await untilDone(programs, BROKER_DEATHS, async () => (await readAll(output)).flat().length >= total)
      const copied = (await readAll(output)).map(records => records.map(({ value }) => value))
      deepEqual(copied, sent)
    },
  )
}

test('a word count with Kafka Streams that is killed again and again counts every word once', { timeout }, async () => {
  const bench = { broker, client: helper, helper }
  const input = await newTopic(bench, 'lines', { partitions: PARTITIONS })
  const output = await newTopic(bench, 'counts', { partitions: PARTITIONS })
  const text = await readFile(
    fileURLToPath(new URL('../../node_modules/typescript/ThirdPartyNoticeText.txt', import.meta.url)),
    'utf8',
  )
  const lines = text.split('\n').slice(0, 3000)
  const truth = new Map<string, number>()
  for (const word of lines.flatMap(line => line.split(/[^A-Za-z]+/)).filter(word => word !== '')) {
    truth.set(word, (truth.get(word) ?? 0) + 1)
  }
  ok(truth.size > 300, `only ${truth.size} words in the text`)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records = lines
      .filter((_, index) => index % PARTITIONS === partition)
      .map(line => ({ key: null, value: Buffer.from(line), headers: [] }))
    const init = { compression: 'none', acks: 'all', idempotent: true, timeoutMs: 60_000, autoCreate: false } as const
    await helper.run('produce', { topic: input, partition, records, ...init })
  }
  const stateDir = await mkdtemp(join(tmpdir(), 'flotilla-streams-'))
  try {
    const program = (index: number): MortalProgram => {
      const args = [broker.bootstrap, `words-${output}`, input, output, join(stateDir, String(index))]
      return new MortalProgram(`streams ${index}`, [
        'java',
        '-XX:TieredStopAtLevel=1',
        '-Xmx192m',
        '-cp',
        classpath(),
        'WordCount',
        ...args,
      ])
    }
    const total = [...truth.values()].reduce((sum, count) => sum + count, 0)
    await untilDone(
      [program(1)],
      Math.min(1, BROKER_DEATHS),
      async () => (await readAll(output)).flat().length >= total,
    )
  } finally {
    await rm(stateDir, { recursive: true, force: true })
  }
  const counted = new Map<string, number>()
  for (const { key, value } of (await readAll(output)).flat()) {
    equal(Number(value), (counted.get(key) ?? 0) + 1, `the counts of '${key}' go on by one`)
    counted.set(key, Number(value))
  }
  deepEqual([...counted].sort(), [...truth].sort())
})
