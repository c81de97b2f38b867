// Kafka's command line tools: what an administrator types, and what they must print.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { brokerKind, startBroker } from './broker.ts'
import type { TestBroker } from './broker.ts'
import { eventually, topicName } from './checks/check.ts'
import { againstBroker, kafkaTools } from './tools.ts'
import type { Tools } from './tools.ts'

const timeout = 240_000
let broker: TestBroker
let tools: Tools

beforeAll(async () => {
  tools = await kafkaTools()
  broker = await startBroker({ 'auto.create.topics.enable': 'false' })
}, 600_000)
afterAll(() => broker?.remove(), timeout)

const { succeeds, fails } = againstBroker(
  () => tools,
  () => broker,
)

async function newTopic(about: string, ...args: string[]): Promise<string> {
  const topic = topicName(about)
  equal((await succeeds('kafka-topics', ['--create', '--topic', topic, ...args])).trim(), `Created topic ${topic}.`)
  return topic
}

const produce = (topic: string, lines: readonly string[], ...args: string[]) =>
  succeeds('kafka-console-producer', ['--topic', topic, ...args], lines.map(line => `${line}\n`).join(''))

/** Reads `count` records of partition 0. */
const consume = (topic: string, count: number, ...args: string[]) =>
  succeeds('kafka-console-consumer', ['--topic', topic, '--partition', '0', '--max-messages', String(count), ...args])

describe('kafka-topics', { timeout }, () => {
  test('creates, lists, describes, extends and deletes a topic', async () => {
    const topic = await newTopic(
      'life',
      '--partitions',
      '3',
      '--replication-factor',
      '1',
      '--config',
      'retention.ms=600000',
    )
    await eventually(async () => ok((await succeeds('kafka-topics', ['--list'])).split('\n').includes(topic)))
    const described = await succeeds('kafka-topics', ['--describe', '--topic', topic])
    match(
      described,
      new RegExp(
        `^Topic: ${topic}\tTopicId: [\\w-]{22}\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: .*retention\\.ms=600000`,
      ),
    )
    match(described, /Partition: 2\tLeader: 1\tReplicas: 1\tIsr: 1/)
    await succeeds('kafka-topics', ['--alter', '--topic', topic, '--partitions', '5'])
    await eventually(async () =>
      match(await succeeds('kafka-topics', ['--describe', '--topic', topic]), /PartitionCount: 5/),
    )
    await succeeds('kafka-topics', ['--delete', '--topic', topic])
    await eventually(async () => ok(!(await succeeds('kafka-topics', ['--list'])).split('\n').includes(topic)))
  })

  test('says why it cannot create, extend, describe or delete', async () => {
    const topic = await newTopic('wrong', '--partitions', '2')
    await fails('kafka-topics', ['--create', '--topic', topic], new RegExp(`Topic '${topic}' already exists`))
    await fails(
      'kafka-topics',
      ['--create', '--topic', topicName('wrong'), '--replication-factor', '3'],
      /InvalidReplicationFactorException/,
    )
    await fails(
      'kafka-topics',
      ['--create', '--topic', topicName('wrong'), '--config', 'no.such.key=1'],
      /InvalidConfig|Unknown topic config name: no\.such\.key/,
    )
    await fails('kafka-topics', ['--alter', '--topic', topic, '--partitions', '2'], /InvalidPartitionsException/)
    await fails('kafka-topics', ['--describe', '--topic', topicName('missing')], /does not exist/)
    await fails('kafka-topics', ['--delete', '--topic', topicName('missing')], /does not exist/)
  })

  test('--if-not-exists and --if-exists make a second time harmless', async () => {
    const topic = await newTopic('twice')
    await succeeds('kafka-topics', ['--create', '--topic', topic, '--if-not-exists'])
    await succeeds('kafka-topics', ['--delete', '--topic', topicName('missing'), '--if-exists'])
  })
})

describe('kafka-configs', { timeout }, () => {
  test('changes, describes and removes the configuration of a topic', async () => {
    const topic = await newTopic('configs')
    const entity = ['--entity-type', 'topics', '--entity-name', topic]
    await succeeds('kafka-configs', [
      ...entity,
      '--alter',
      '--add-config',
      'max.message.bytes=2000,retention.ms=600000',
    ])
    await eventually(async () => {
      const described = await succeeds('kafka-configs', [...entity, '--describe'])
      match(
        described,
        /max\.message\.bytes=2000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:max\.message\.bytes=2000, DEFAULT_CONFIG:message\.max\.bytes=1048588\}/,
      )
      match(described, /retention\.ms=600000/)
    })
    await succeeds('kafka-configs', [...entity, '--alter', '--delete-config', 'max.message.bytes'])
    await eventually(async () => {
      const described = await succeeds('kafka-configs', [...entity, '--describe'])
      ok(!described.includes('max.message.bytes') && described.includes('retention.ms=600000'), described)
    })
  })

  test('--all shows every configuration with its default', async () => {
    const topic = await newTopic('all-configs')
    const described = await succeeds('kafka-configs', [
      '--entity-type',
      'topics',
      '--entity-name',
      topic,
      '--describe',
      '--all',
    ])
    for (const line of [
      'cleanup.policy=delete',
      'compression.type=producer',
      'max.message.bytes=1048588',
      'retention.ms=604800000',
      'segment.bytes=1073741824',
      'message.timestamp.type=CreateTime',
    ]) {
      ok(described.includes(`  ${line} sensitive=false`), `${line} in\n${described}`)
    }
  })

  test('refuses a key that Kafka does not know', async () => {
    const topic = await newTopic('unknown-config')
    await fails(
      'kafka-configs',
      ['--entity-type', 'topics', '--entity-name', topic, '--alter', '--add-config', 'no.such.key=1'],
      /Unknown topic config name: no\.such\.key/,
    )
  })

  test('changes a configuration of one broker, and of all of them', async () => {
    const one = ['--entity-type', 'brokers', '--entity-name', '1']
    await succeeds('kafka-configs', [...one, '--alter', '--add-config', 'message.max.bytes=2000000'])
    await eventually(async () =>
      match(
        await succeeds('kafka-configs', [...one, '--describe']),
        /message\.max\.bytes=2000000 sensitive=false synonyms=\{DYNAMIC_BROKER_CONFIG:message\.max\.bytes=2000000/,
      ),
    )
    const all = ['--entity-type', 'brokers', '--entity-default']
    await succeeds('kafka-configs', [...all, '--alter', '--add-config', 'log.retention.ms=700000'])
    await eventually(async () =>
      match(
        await succeeds('kafka-configs', [...all, '--describe']),
        /log\.retention\.ms=700000 sensitive=false synonyms=\{DYNAMIC_DEFAULT_BROKER_CONFIG:log\.retention\.ms=700000/,
      ),
    )
    await succeeds('kafka-configs', [...one, '--alter', '--delete-config', 'message.max.bytes'])
    await succeeds('kafka-configs', [...all, '--alter', '--delete-config', 'log.retention.ms'])
  })

  test('shows the configuration that a broker has been started with', async () => {
    const described = await succeeds('kafka-configs', [
      '--entity-type',
      'brokers',
      '--entity-name',
      '1',
      '--describe',
      '--all',
    ])
    match(
      described,
      /auto\.create\.topics\.enable=false .*STATIC_BROKER_CONFIG:auto\.create\.topics\.enable=false, DEFAULT_CONFIG:auto\.create\.topics\.enable=true/,
    )
  })
})

describe('the console producer and consumer', { timeout }, () => {
  test('pass lines on, with keys and headers', async () => {
    const topic = await newTopic('console')
    const properties = ['--reader-property', 'parse.key=true', '--reader-property', 'parse.headers=true']
    await produce(topic, ['a:1,b:2\tkey 1\tvalue 1', 'c:3\tkey 2\tvalue 2'], ...properties)
    const shown = [
      '--formatter-property',
      'print.key=true',
      '--formatter-property',
      'print.headers=true',
      '--formatter-property',
      'print.offset=true',
    ]
    equal(
      await consume(topic, 2, '--offset', 'earliest', ...shown),
      'Offset:0\ta:1,b:2\tkey 1\tvalue 1\nOffset:1\tc:3\tkey 2\tvalue 2\n',
    )
  })

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    test(`pass lines on with compression ${codec}`, async () => {
      const topic = await newTopic(`console-${codec}`)
      const lines = Array.from({ length: 200 }, (_, index) => `line ${index} ${'x'.repeat(index)}`)
      await produce(topic, lines, '--compression-codec', codec)
      equal(await consume(topic, lines.length, '--offset', 'earliest'), lines.map(line => `${line}\n`).join(''))
    })
  }

  test('read from an offset', async () => {
    const topic = await newTopic('console-offset')
    await produce(topic, ['zero', 'one', 'two', 'three'])
    equal(await consume(topic, 2, '--offset', '2'), 'two\nthree\n')
  })
})

describe('the other tools', { timeout }, () => {
  test('kafka-get-offsets prints the first and the next offset of each partition, and the offset of a time', async () => {
    const topic = await newTopic('offsets', '--partitions', '2')
    const before = Date.now()
    for (const line of ['1', '2', '3']) await succeeds('kafka-console-producer', ['--topic', topic], `${line}\n`)
    const offsets = async (...args: string[]) => (await succeeds('kafka-get-offsets', args)).trim().split('\n')
    const ends = (await offsets('--topic', topic)).map(line => Number(line.split(':')[2]))
    equal(ends.length, 2)
    equal(ends[0]! + ends[1]!, 3)
    deepEqual(await offsets('--topic', topic, '--time', 'earliest'), [`${topic}:0:0`, `${topic}:1:0`])
    const partition = ends[0]! > 0 ? 0 : 1
    deepEqual(await offsets('--topic-partitions', `${topic}:${partition}`, '--time', String(before)), [
      `${topic}:${partition}:0`,
    ])
    deepEqual(await offsets('--topic-partitions', `${topic}:${partition}`, '--time', 'max-timestamp'), [
      `${topic}:${partition}:${ends[partition]! - 1}`,
    ])
  })

  test('kafka-log-dirs shows the bytes of each partition', async () => {
    const topic = await newTopic('log-dirs', '--partitions', '2')
    await produce(topic, ['x'.repeat(10_000)])
    const printed = await succeeds('kafka-log-dirs', ['--describe', '--topic-list', topic])
    type LogDirs = {
      brokers: {
        broker: number
        logDirs: {
          error: string | null
          logDir: string
          partitions: { partition: string; size: number; offsetLag: number; isFuture: boolean }[]
        }[]
      }[]
    }
    const { brokers } = JSON.parse(printed.split('\n').find(line => line.startsWith('{'))!) as LogDirs
    equal(brokers.length, 1)
    const [{ error, logDir, partitions }] = brokers[0]!.logDirs as [LogDirs['brokers'][0]['logDirs'][0]]
    equal(error, null)
    match(logDir, /^\//)
    deepEqual(partitions.map(each => each.partition).sort(), [`${topic}-0`, `${topic}-1`])
    const size = partitions[0]!.size + partitions[1]!.size
    ok(size >= 10_000 && size < 11_000, `${size} bytes`)
  })

  test('kafka-delete-records removes what is before an offset', async () => {
    const topic = await newTopic('delete-records')
    await produce(topic, ['zero', 'one', 'two'])
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-delete-records-'))
    try {
      const file = join(folder, 'offsets.json')
      await writeFile(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 2 }] }))
      match(
        await succeeds('kafka-delete-records', ['--offset-json-file', file]),
        new RegExp(`partition: ${topic}-0\tlow_watermark: 2`),
      )
    } finally {
      await rm(folder, { recursive: true })
    }
    equal(await consume(topic, 1, '--offset', 'earliest'), 'two\n')
  })

  test('kafka-producer-perf-test sends all its records', async () => {
    const topic = await newTopic('perf', '--partitions', '3')
    const load = ['--num-records', '20000', '--record-size', '200', '--throughput', '-1']
    const { code, stdout, stderr } = await tools('kafka-producer-perf-test', [
      '--topic',
      topic,
      ...load,
      '--producer-props',
      `bootstrap.servers=${broker.bootstrap}`,
    ])
    equal(code, 0, stderr)
    match(stdout, /^20000 records sent, /m)
    const ends = (await succeeds('kafka-get-offsets', ['--topic', topic]))
      .trim()
      .split('\n')
      .map(line => Number(line.split(':')[2]))
    equal(
      ends.reduce((sum, end) => sum + end, 0),
      20_000,
    )
  })

  // It reads as a member of a consumer group.
  test.skipIf(brokerKind === 'flotilla')(
    'kafka-consumer-perf-test reads all records (needs consumer groups)',
    async () => {
      const topic = await newTopic('consumer-perf')
      await produce(
        topic,
        Array.from({ length: 1_000 }, (_, index) => `line ${index}`),
      )
      const printed = await succeeds('kafka-consumer-perf-test', [
        '--topic',
        topic,
        '--num-records',
        '1000',
        '--timeout',
        '60000',
      ])
      equal(printed.trim().split('\n').at(-1)!.split(', ')[4], '1000')
    },
  )

  test('kafka-broker-api-versions finds a version of each API that both sides speak', async () => {
    const printed = await succeeds('kafka-broker-api-versions', [])
    match(printed, new RegExp(`^${broker.host}:${broker.port} \\(id: 1 rack: null`))
    for (const api of [
      'Produce',
      'Fetch',
      'ListOffsets',
      'Metadata',
      'ApiVersions',
      'CreateTopics',
      'DescribeConfigs',
    ]) {
      match(printed, new RegExp(`\\b${api}\\(\\d+\\): \\d+ to \\d+ \\[usable: \\d+\\]`))
    }
  })

  test('kafka-cluster prints the id of the cluster', async () => {
    const { code, stdout, stderr } = await tools('kafka-cluster', [
      'cluster-id',
      '--bootstrap-server',
      broker.bootstrap,
    ])
    equal(code, 0, stderr)
    match(stdout, /^Cluster ID: [\w-]{22}$/m)
  })

  test('kafka-features prints the finalized metadata version', async () => {
    const { code, stdout, stderr } = await tools('kafka-features', ['--bootstrap-server', broker.bootstrap, 'describe'])
    equal(code, 0, stderr)
    match(stdout, /Feature: metadata\.version\s.*FinalizedVersionLevel: \S+/)
  })

  test('kafka-transactions shows the idempotent producers of a partition', async () => {
    const topic = await newTopic('producers')
    await produce(topic, ['one'])
    const where = ['describe-producers', '--topic', topic, '--partition', '0']
    const { code, stdout, stderr } = await tools('kafka-transactions', [
      '--bootstrap-server',
      broker.bootstrap,
      ...where,
    ])
    equal(code, 0, stderr)
    const [, producer] = stdout.trim().split('\n')
    match(producer!, /^\d+\s+0\s+-1\s+0\s+\d{13}\s+None/)
  })
})
