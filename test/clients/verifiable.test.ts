// Kafka's own VerifiableProducer and VerifiableConsumer, which its system tests use: they report every record that was
// acknowledged and every one that was read. A consumer and a producer are killed on the way.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, test } from 'vitest'
import { startBroker, type TestBroker } from './broker.ts'
import { eventually, newTopic, topicName } from './checks/check.ts'
import { helperKind } from './client-kinds.ts'
import { installed } from './installation.ts'
import type { Client } from './program.ts'
import { toolCommands, type ToolName } from './tools.ts'

const timeout = 240_000
const PARTITIONS = 4
const RECORDS = 4_000
let broker: TestBroker
let helper: Client
let commandOf: (name: ToolName) => readonly string[]
const running: Verifiable[] = []

beforeAll(async () => {
  const installation = await installed('kafka', 'go')
  commandOf = await toolCommands()
  broker = await startBroker({
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
  })
  helper = helperKind.start(installation, broker.bootstrap)
}, 600_000)
afterAll(async () => {
  await Promise.all(running.map(each => each.end('SIGKILL')))
  await helper?.stop()
  await broker?.remove()
}, timeout)

type Report = {
  name: string
  value?: string
  partition?: number
  offset?: number
  sent?: number
  acked?: number
  success?: boolean
  offsets?: { partition: number; offset: number }[]
}

/** One of the two programs, and what it has reported. */
class Verifiable {
  readonly reports: Report[] = []
  readonly #child: ChildProcess
  #isGone = false

  constructor(name: 'kafka-verifiable-producer' | 'kafka-verifiable-consumer', args: readonly string[]) {
    const [command, ...own] = commandOf(name)
    const child = spawn(command!, [...own, '--bootstrap-server', broker.bootstrap, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    this.#child = child
    const killNow = () => child.kill('SIGKILL')
    process.once('exit', killNow)
    child.once('exit', () => {
      this.#isGone = true
      process.removeListener('exit', killNow)
    })
    createInterface({ input: child.stdout }).on('line', line => {
      if (line.startsWith('{')) this.reports.push(JSON.parse(line) as Report)
    })
    running.push(this)
  }

  named(name: string): Report[] {
    return this.reports.filter(report => report.name === name)
  }

  /** Resolves when its output has ended as well. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#isGone) return
    this.#child.kill(signal)
    await once(this.#child, 'close')
  }

  /** Waits until it ends by itself. */
  async ended(): Promise<void> {
    if (!this.#isGone) await once(this.#child, 'close')
  }
}

const nameOf = ({ partition, offset }: Report) => `${partition}@${offset}`

test(
  'what VerifiableProducer saw acknowledged is what VerifiableConsumers read, though one of each is killed',
  { timeout },
  async () => {
    const topic = await newTopic({ broker, client: helper, helper }, 'verified', { partitions: PARTITIONS })
    const group = topicName('verified')
    const reading = ['--topic', topic, '--group-id', group, '--reset-policy', 'earliest', '--session-timeout', '4000']
    const consume = () => new Verifiable('kafka-verifiable-consumer', [...reading, '--verbose'])
    const produce = (prefix: string, count: number) => {
      const args = ['--topic', topic, '--max-messages', String(count), '--throughput', '500', '--acks', '-1']
      return new Verifiable('kafka-verifiable-producer', [...args, '--value-prefix', prefix])
    }
    const consumers = [consume(), consume()]
    const doomedProducer = produce('1', 1_000_000)
    const producer = produce('2', RECORDS)
    await eventually(async () => {
      for (const consumer of consumers) ok(consumer.named('record_data').length > 200)
    })
    await consumers[0]!.end('SIGKILL')
    await doomedProducer.end('SIGKILL')
    await producer.ended()
    const [total] = producer.named('tool_data')
    equal(total!.sent, RECORDS)
    equal(total!.acked, RECORDS)

    const acknowledged = [doomedProducer, producer].flatMap(each => each.named('producer_send_success'))
    const read = () => consumers.flatMap(consumer => consumer.named('record_data'))
    await eventually(async () => {
      const offsets = new Set(read().map(nameOf))
      deepEqual(acknowledged.filter(record => !offsets.has(nameOf(record))).slice(0, 3), [])
    })
    const values = new Map(read().map(record => [nameOf(record), record.value]))
    for (const record of acknowledged) equal(values.get(nameOf(record)), record.value)

    // What the heir read twice are records that the dead one had not committed.
    const committed = new Map<number, number>()
    for (const { offsets } of consumers[0]!.named('offsets_committed').filter(({ success }) => success)) {
      for (const { partition, offset } of offsets!) committed.set(partition, offset)
    }
    const firstRead = new Set(consumers[0]!.named('record_data').map(nameOf))
    const again = consumers[1]!.named('record_data').filter(record => firstRead.has(nameOf(record)))
    deepEqual(
      again.filter(({ partition, offset }) => offset! < (committed.get(partition!) ?? 0)),
      [],
    )
    await consumers[1]!.end('SIGTERM')
    equal(consumers[1]!.named('shutdown_complete').length, 1)
  },
)
