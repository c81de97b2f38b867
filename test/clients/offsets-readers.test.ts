// Programs that watch consumer groups. Some read __consumer_offsets themselves, as Burrow does: one on franz-go and its own idea of the formats
// (go/offsets), prometheus-kafka-consumer-group-exporter, Kafka's formatters. Others ask as an administrator, as kafka_exporter does: kadm,
// kafkatop, kafka-consumer-groups. All of them must come to the same numbers.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { brokerKind, startBroker, type TestBroker } from './broker.ts'
import { eventually, newTopic, produce, textRecord, topicName } from './checks/check.ts'
import { helperKind } from './client-kinds.ts'
import { installed, pathOf } from './installation.ts'
import type { Client, Isolation } from './program.ts'
import { freePort } from './server-process.ts'
import { againstBroker, kafkaTools, type Tools } from './tools.ts'

const timeout = 180_000
const INTERNAL = '__consumer_offsets'

let installation: ReadonlyMap<string, string>
let broker: TestBroker
let helper: Client
let tools: Tools
/** Three partitions of 10, 20 and 30 records. */
let topic: string

beforeAll(async () => {
  installation = await installed('kafka', 'go', 'readers')
  tools = await kafkaTools()
  broker = await startBroker({
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'log.cleaner.backoff.ms': '100',
    'offsets.topic.num.partitions': '5',
  })
  helper = helperKind.start(installation, broker.bootstrap)
  topic = await filledTopic()
}, 600_000)
afterAll(async () => {
  await helper?.stop()
  await broker?.remove()
}, timeout)

const { succeeds } = againstBroker(
  () => tools,
  () => broker,
)

async function filledTopic(): Promise<string> {
  const name = await newTopic({ broker, client: helper, helper }, 'orders', { partitions: 3 })
  for (const partition of [0, 1, 2]) {
    const records = Array.from({ length: 10 * (partition + 1) }, (_, index) => textRecord(null, String(index)))
    await produce(helper, name, records, { partition })
  }
  return name
}

type Committed = { group: string; topic: string; partition: number; offset: number; metadata: string }
type GroupChange = {
  group: string
  isDeleted: boolean
  generation?: number
  members?: { clientId: string; topics: string[]; assigned: Record<string, number[]> }[]
}
type Seen = { offsets: Committed[]; groups: GroupChange[]; records: number }
type Lag = { topic: string; partition: number; offset: number; lag: number }

async function offsetsProgram(command: string, ...args: (string | number)[]): Promise<unknown> {
  const argv = [command, broker.bootstrap, ...args.map(String)]
  const { stdout } = await promisify(execFile)(pathOf(installation, 'offsets'), argv)
  return JSON.parse(stdout)
}

/** What the internal topic says of a group to somebody who reads it from the beginning. */
async function read(group: string, isolation: Isolation = 'read_committed'): Promise<Seen> {
  const seen = (await offsetsProgram('read', isolation)) as Seen
  const isOfGroup = (each: { group: string }): boolean => each.group === group
  return { ...seen, offsets: seen.offsets.filter(isOfGroup), groups: seen.groups.filter(isOfGroup) }
}

const commit = (group: string, partition: number, offset: number, metadata = '', name = topic) =>
  offsetsProgram('commit', group, name, partition, offset, offset, metadata)

/** Partition -> offset. */
async function offsetsRead(group: string, isolation?: Isolation): Promise<Record<string, number>> {
  const { offsets } = await read(group, isolation)
  return Object.fromEntries(offsets.map(each => [`${each.topic}-${each.partition}`, each.offset]))
}

/** A partition's CURRENT-OFFSET and LAG as kafka-consumer-groups prints them. */
async function described(group: string): Promise<Lag[]> {
  const printed = await succeeds('kafka-consumer-groups', ['--describe', '--group', group])
  return printed
    .split('\n')
    .map(line => line.split(/\s+/))
    .filter(([name, , , offset]) => name === group && offset !== '-')
    .map(([, name, partition, offset, , lag]) => ({
      topic: name!,
      partition: Number(partition),
      offset: Number(offset),
      lag: Number(lag),
    }))
    .sort((a, b) => a.partition - b.partition)
}

describe('a reader of the internal topic', { timeout }, () => {
  test('finds the newest commit of each partition, with its metadata', async () => {
    const group = topicName('newest')
    await commit(group, 0, 3, 'first')
    await commit(group, 0, 7, 'second')
    await commit(group, 2, 30, 'größer €')
    const at = (partition: number, offset: number, metadata: string) => ({ group, topic, partition, offset, metadata })
    deepEqual((await read(group)).offsets, [at(0, 7, 'second'), at(2, 30, 'größer €')])
  })

  test('finds the members of a group with what they subscribe and are assigned, and that they have left', async () => {
    const group = topicName('members')
    const args = ['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '60']
    await succeeds('kafka-console-consumer', args)
    const { groups, offsets } = await read(group)
    deepEqual(
      offsets.map(({ partition, offset }) => [partition, offset]),
      [
        [0, 10],
        [1, 20],
        [2, 30],
      ],
    )
    const joined = groups.find(({ members }) => members?.length === 1)!
    deepEqual(joined.members, [{ clientId: 'console-consumer', topics: [topic], assigned: { [topic]: [0, 1, 2] } }])
    const last = groups.at(-1)!
    deepEqual(last.members, [])
    ok(last.generation! > joined.generation!)
  })

  test('finds offsets, groups and topics gone once they are deleted', async () => {
    const [kept, deleted] = [topicName('kept'), topicName('deleted')]
    const other = await filledTopic()
    for (const group of [kept, deleted]) {
      await commit(group, 0, 1)
      await commit(group, 1, 2)
      await commit(group, 1, 3, '', other)
    }
    await succeeds('kafka-consumer-groups', ['--delete-offsets', '--group', kept, '--topic', `${topic}:0`])
    deepEqual(await offsetsRead(kept), { [`${topic}-1`]: 2, [`${other}-1`]: 3 })
    await succeeds('kafka-consumer-groups', ['--delete', '--group', deleted])
    const { offsets, groups } = await read(deleted)
    deepEqual([offsets, groups.at(-1)], [[], { group: deleted, isDeleted: true }])
    await helper.run('deleteTopic', { topic: other })
    await eventually(async () => deepEqual(await offsetsRead(kept), { [`${topic}-1`]: 2 }))
  })

  test('finds offsets of a transaction when it has committed, and never those of one that has aborted', async () => {
    const group = topicName('transactional')
    const id = `${group}-id`
    await commit(group, 0, 1)
    const begin = (offset: number) => offsetsProgram('begin', id, group, topic, 0, offset) as Promise<Producer>
    type Producer = { producerId: number; producerEpoch: number }
    const end = async (outcome: 'commit' | 'abort', { producerId, producerEpoch }: Producer, offset: number) => {
      await offsetsProgram('end', id, producerId, producerEpoch, outcome)
      // The marker follows the answer; then the transaction no longer holds back who reads what is committed.
      await eventually(async () => deepEqual(await offsetsRead(group), { [`${topic}-0`]: offset }))
      deepEqual(
        (await described(group)).map(each => each.offset),
        [offset],
      )
    }
    const aborted = await begin(5)
    deepEqual(await offsetsRead(group), { [`${topic}-0`]: 1 })
    deepEqual(await offsetsRead(group, 'read_uncommitted'), { [`${topic}-0`]: 5 })
    await end('abort', aborted, 1)
    await end('commit', await begin(6), 6)
  })

  test('finds the same when the topic has been compacted', async () => {
    const group = topicName('compacted')
    for (const [key, value] of [
      ['internal.segment.bytes', '10000'],
      ['min.cleanable.dirty.ratio', '0'],
    ] as const) {
      await helper.run('alterConfig', { topic: INTERNAL, key, value })
    }
    await offsetsProgram('commit', group, topic, 0, 1, 300, 'a')
    await offsetsProgram('commit', group, topic, 1, 1, 100, 'b')
    await offsetsProgram('commit', group, topic, 0, 301, 302, 'c')
    const before = await read(group)
    deepEqual(
      before.offsets.map(({ partition, offset, metadata }) => [partition, offset, metadata]),
      [
        [0, 302, 'c'],
        [1, 100, 'b'],
      ],
    )
    await eventually(async () => {
      const after = await read(group)
      deepEqual(after.offsets, before.offsets)
      ok(after.records < 300, `${after.records} records`)
    })
  })
})

describe('programs that watch groups', { timeout }, () => {
  let group: string
  /** Partition 2 has no commit. */
  const lags = () => [
    { topic, partition: 0, offset: 10, lag: 0 },
    { topic, partition: 1, offset: 5, lag: 15 },
  ]

  beforeAll(async () => {
    group = topicName('watched')
    await commit(group, 1, 4)
    await commit(group, 0, 10)
    await commit(group, 1, 5)
  }, timeout)

  test('Burrow’s way: the end of each partition less what the internal topic says', async () => {
    const { offsets } = await read(group)
    const found: Lag[] = []
    for (const { topic: name, partition, offset } of offsets) {
      const { offset: end } = await helper.run('listOffsets', { topic: name, partition, at: 'latest' })
      found.push({ topic: name, partition, offset, lag: end - offset })
    }
    deepEqual(found, lags())
  })

  test('kafka_exporter’s way: kadm.Lag', async () => {
    deepEqual(await offsetsProgram('lag', group), { state: 'Empty', partitions: lags() })
  })

  test('kafka-consumer-groups --describe', async () => {
    deepEqual(await described(group), lags())
  })

  test('kafkatop', async () => {
    const { stdout } = await promisify(execFile)(join(pathOf(installation, 'readers'), 'kafkatop'), [
      ...['--kafka-broker', broker.bootstrap, '--all', '--summary-json', '--group-filter-pattern', `^${group}$`],
    ])
    const summary = JSON.parse(stdout) as Record<string, { state: string; topics: Record<string, object> }>
    match(summary[group]!.state, /EMPTY/)
    deepEqual(summary[group]!.topics, { [topic]: { partitions: 2, lag_max: 15, lag_min: 0 } })
  })

  // Its lag comes from a version of ListOffsets that Kafka 4 has no more; the offsets it reads from the topic.
  const isTooOld = brokerKind === 'kafka' // 4.4 writes version 4 of a commit, which the exporter does not know; Flotilla writes version 3
  test.skipIf(isTooOld)('prometheus-kafka-consumer-group-exporter', async () => {
    const port = await freePort()
    const command = join(pathOf(installation, 'readers'), 'prometheus-kafka-consumer-group-exporter')
    const child = spawn(command, ['-b', broker.bootstrap, '-p', String(port), '--from-start'], { stdio: 'ignore' })
    const killOnExit = (): void => void child.kill('SIGKILL')
    process.once('exit', killOnExit)
    try {
      await eventually(async () => {
        const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
        for (const { partition, offset } of lags()) {
          const labels = `{group="${group}",partition="${partition}",topic="${topic}"}`
          ok(metrics.includes(`kafka_consumer_group_offset${labels} ${offset}.0`), metrics)
        }
      })
    } finally {
      child.kill('SIGKILL')
      process.removeListener('exit', killOnExit)
    }
  })

  test('Kafka’s formatter of offsets', async () => {
    const { partition } = await partitionOf(group)
    const printed = await succeeds('kafka-console-consumer', [
      ...['--topic', INTERNAL, '--partition', String(partition), '--offset', 'earliest', '--timeout-ms', '3000'],
      ...['--formatter', 'org.apache.kafka.tools.consumer.OffsetsMessageFormatter'],
    ])
    type Line = { key: { data: Committed }; value: { data: { offset: number } } | null }
    const found = printed
      // Its lines have no ends.
      .split(/(?<=\})(?=\{|\d)/)
      .filter(text => text.startsWith('{'))
      .map(line => JSON.parse(line) as Line)
      .filter(({ key }) => key.data.group === group)
    const newest = new Map(found.map(({ key, value }) => [key.data.partition, value?.data.offset]))
    deepEqual(
      [...newest].sort(([a], [b]) => a - b),
      [
        [0, 10],
        [1, 5],
      ],
    )
  })
})

/** Where the internal topic keeps a group: Java's String.hashCode modulo the number of partitions. */
async function partitionOf(group: string): Promise<{ partition: number }> {
  const { partitions } = await helper.run('describeTopic', { topic: INTERNAL })
  equal(partitions.length, 5)
  let hash = 0
  for (let at = 0; at < group.length; at++) hash = (Math.imul(hash, 31) + group.charCodeAt(at)) | 0
  return { partition: Math.abs(hash) % partitions.length }
}
