// Quotas as an administrator sets them with Kafka's tools, and what clients feel of them.
import { equal, match, ok } from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import { startBroker, type TestBroker } from './broker.ts'
import { eventually, topicName } from './checks/check.ts'
import { againstBroker, kafkaTools, type Tools } from './tools.ts'

const timeout = 240_000
let broker: TestBroker
let tools: Tools

beforeAll(async () => {
  tools = await kafkaTools()
  // Short windows, so that not the first ten seconds are free.
  broker = await startBroker({ 'quota.window.num': '2' })
}, 600_000)
afterAll(() => broker?.remove(), timeout)

const { succeeds, fails } = againstBroker(
  () => tools,
  () => broker,
)

const alter = (...args: string[]) => succeeds('kafka-configs', ['--alter', ...args])
const describe = (...args: string[]) => succeeds('kafka-configs', ['--describe', ...args])

/** What the producer reports: bytes a second of its records, and the longest time it was told to wait. */
async function produce(clientId: string, records: number): Promise<{ bytesPerSecond: number; throttleMs: number }> {
  const size = 1000
  const load = ['--num-records', String(records), '--record-size', String(size), '--throughput', '-1']
  const properties = [`bootstrap.servers=${broker.bootstrap}`, `client.id=${clientId}`]
  const { stdout, stderr } = await tools('kafka-producer-perf-test', [
    '--topic',
    topicName('quota'),
    ...load,
    '--print-metrics',
    '--producer-props',
    ...properties,
  ])
  const rate = /^\d+ records sent, (\d+(?:\.\d+)?) records\/sec.* ms 99\.9th/m.exec(stdout)
  const throttle = /produce-throttle-time-max\S*\s*:\s*(\d+(?:\.\d+)?)/.exec(stdout)
  ok(rate !== null && throttle !== null, stdout + stderr)
  return { bytesPerSecond: Number(rate[1]) * size, throttleMs: Number(throttle[1]) }
}

test(
  'a producer sends no faster than the quota of its client id, and others as fast as they can',
  { timeout },
  async () => {
    const entity = ['--entity-type', 'clients', '--entity-name', 'slow']
    await alter(...entity, '--add-config', 'producer_byte_rate=500000')
    match(await describe(...entity), /client-id 'slow' are producer_byte_rate=500000\.0/)
    const slow = await produce('slow', 3_000)
    ok(slow.throttleMs > 0)
    // The first window is free, so three megabytes take five seconds at least, and a little less for the estimate of the rate.
    ok(slow.bytesPerSecond < 700_000, `${slow.bytesPerSecond} bytes a second`)
    const fast = await produce('fast', 3_000)
    ok(fast.throttleMs === 0)
    await alter(...entity, '--delete-config', 'producer_byte_rate')
    await eventually(async () => ok((await produce('slow', 3_000)).throttleMs === 0))
  },
)

test('a consumer reads no faster than the quota of its client id, and gets every record', { timeout }, async () => {
  const topic = topicName('consumer-quota')
  const load = ['--num-records', '3000', '--record-size', '1000', '--throughput', '-1']
  const properties = ['--producer-props', `bootstrap.servers=${broker.bootstrap}`]
  const produced = await tools('kafka-producer-perf-test', ['--topic', topic, ...load, ...properties])
  ok(produced.code === 0, produced.stderr)
  const entity = ['--entity-type', 'clients', '--entity-name', 'slow-reader']
  await alter(...entity, '--add-config', 'consumer_byte_rate=500000')
  const startedMs = performance.now()
  const lines = await succeeds('kafka-console-consumer', [
    '--topic',
    topic,
    ...['--partition', '0', '--offset', 'earliest', '--max-messages', '3000'],
    ...['--command-property', 'client.id=slow-reader'],
  ])
  const elapsedMs = performance.now() - startedMs
  equal(lines.trimEnd().split('\n').length, 3_000)
  // Three megabytes at half a megabyte a second, of which the first window is free.
  ok(elapsedMs > 3_500, `${elapsedMs} ms`)
  await alter(...entity, '--delete-config', 'consumer_byte_rate')
})

test('quotas of users, client ids, both and addresses are set, described and removed', { timeout }, async () => {
  const entities: [string[], string, RegExp][] = [
    [['--entity-type', 'users', '--entity-name', 'alice'], 'consumer_byte_rate=2048', /user-principal 'alice' are/],
    [['--entity-type', 'users', '--entity-default'], 'request_percentage=25.5', /default user-principal are/],
    [
      ['--entity-type', 'users', '--entity-name', 'alice', '--entity-type', 'clients', '--entity-default'],
      'controller_mutation_rate=1.5',
      /user-principal 'alice', the default client-id are/,
    ],
    [['--entity-type', 'ips', '--entity-name', '10.0.0.1'], 'connection_creation_rate=20', /ip '10\.0\.0\.1' are/],
  ]
  for (const [entity, config, shown] of entities) {
    await alter(...entity, '--add-config', config)
    const described = await describe(...entity)
    match(described, shown)
    ok(described.includes(config), described)
    await alter(...entity, '--delete-config', config.slice(0, config.indexOf('=')))
  }
})

test('a quota that is none is refused', { timeout }, async () => {
  const entity = ['--entity-type', 'clients', '--entity-name', 'x', '--alter', '--add-config']
  await fails('kafka-configs', [...entity, 'producer_byte_rate=0'], /must be greater than 0/)
  await fails('kafka-configs', [...entity, 'no_such_rate=5'], /no_such_rate/)
})

test('who creates topics faster than the quota is refused, and gets them later', { timeout }, async () => {
  const entity = ['--entity-type', 'users', '--entity-default']
  await alter(...entity, '--add-config', 'controller_mutation_rate=4')
  const first = topicName('mutation')
  // The burst is eleven seconds of the rate, 44 partitions; 150 are given on credit.
  await succeeds('kafka-topics', ['--create', '--topic', first, '--partitions', '150'])
  const next = ['--create', '--topic', `${first}-2`, '--partitions', '1']
  await fails('kafka-topics', next, /throttling quota has been exceeded/)
  await eventually(() => succeeds('kafka-topics', next))
  await alter(...entity, '--delete-config', 'controller_mutation_rate')
})
