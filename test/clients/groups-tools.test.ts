// kafka-consumer-groups in all its forms, and kafka-configs for groups.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import { startBroker, type TestBroker } from './broker.ts'
import { newTopic, produce, textRecord, topicName } from './checks/check.ts'
import { haveCommitted } from './checks/groups.ts'
import { helperKind } from './client-kinds.ts'
import { installed } from './installation.ts'
import { Crew, ownerOf, shareAll } from './members.ts'
import type { Client } from './program.ts'
import { againstBroker, kafkaTools, type Tools } from './tools.ts'

const timeout = 240_000
const RECORDS = 10
/** The record with offset n of every partition is n hours younger than this. */
const FIRST_TIMESTAMP = Date.now() - 24 * 3_600_000
let broker: TestBroker
let tools: Tools
let helper: Client
let crew: Crew
let folder: string
let topic: string
let otherTopic: string

beforeAll(async () => {
  const installation = await installed('kafka', 'go')
  tools = await kafkaTools()
  broker = await startBroker({ 'auto.create.topics.enable': 'false', 'group.initial.rebalance.delay.ms': '0' })
  helper = helperKind.start(installation, broker.bootstrap)
  crew = new Crew(kind => kind.start(installation, broker.bootstrap))
  folder = await mkdtemp(join(tmpdir(), 'flotilla-groups-tools-'))
  const bench = { broker, client: helper, helper }
  topic = await newTopic(bench, 'reset', { partitions: 2 })
  otherTopic = await newTopic(bench, 'other')
  for (const [name, partition] of [
    [topic, 0],
    [topic, 1],
    [otherTopic, 0],
  ] as const) {
    const records = Array.from({ length: RECORDS }, (_, offset) =>
      textRecord(null, String(offset), { timestamp: FIRST_TIMESTAMP + offset * 3_600_000 }),
    )
    await produce(helper, name, records, { partition })
  }
}, 600_000)

afterEach(() => crew?.dismiss(), timeout)
afterAll(async () => {
  await crew?.stop()
  await helper?.stop()
  await broker?.remove()
  if (folder !== undefined) await rm(folder, { recursive: true })
}, timeout)

const { run, succeeds, fails } = againstBroker(
  () => tools,
  () => broker,
)
const groups = (...args: string[]) => succeeds('kafka-consumer-groups', args)

/** A group without members that has committed 5 everywhere. */
async function emptyGroup(): Promise<string> {
  const group = topicName('group')
  const member = await crew.join(helperKind, { group, topics: [topic, otherTopic] })
  await member.hasRead(3 * RECORDS)
  await member.commit([
    { topic, partition: 0, offset: 5 },
    { topic, partition: 1, offset: 5 },
    { topic: otherTopic, partition: 0, offset: 5 },
  ])
  await member.leave()
  return group
}

/** The columns of the lines of a table that begin with the group. */
const rows = (table: string, group: string) =>
  table.split('\n').flatMap(line => (line.startsWith(`${group} `) ? [line.trim().split(/\s+/)] : []))

describe('kafka-consumer-groups', { timeout }, () => {
  test('lists groups, with their states and types, and describes one with members', async () => {
    const group = topicName('live')
    const membership = { group, topics: [topic] }
    const members = [await crew.join(helperKind, membership), await crew.join(helperKind, membership)]
    await shareAll(members, topic, 2)
    await ownerOf(members, topic, 0).commit([{ topic, partition: 0, offset: RECORDS }])
    ok((await groups('--list')).split('\n').includes(group))
    match(
      await groups('--list', '--state', 'stable', '--type', 'classic'),
      new RegExp(`^${group}\\s+Classic\\s+Stable`, 'im'),
    )
    equal((await groups('--list', '--state', 'empty')).includes(group), false)

    const offsets = rows(await groups('--describe', '--group', group), group)
    equal(offsets.length, 2)
    // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ...
    deepEqual(offsets.map(row => row.slice(3, 6)).sort(), [
      ['-', String(RECORDS), '-'],
      [String(RECORDS), String(RECORDS), '0'],
    ])
    const shown = rows(await groups('--describe', '--group', group, '--members', '--verbose'), group)
    deepEqual(
      shown.map(row => row.find(cell => cell.startsWith(topic))).sort(),
      // The assignment, in the words of this tool.
      [`${topic}:0`, `${topic}:1`],
    )
    const [state] = rows(await groups('--describe', '--group', group, '--state'), group)
    deepEqual(state!.slice(-3), ['range', 'Stable', '2'])
  })

  test('refuses to reset, delete or forget offsets while the group has members', async () => {
    const group = topicName('busy')
    const member = await crew.join(helperKind, { group, topics: [topic] })
    await shareAll([member], topic, 2)
    await member.hasRead(2 * RECORDS)
    await member.commit()
    const reset = ['--reset-offsets', '--group', group, '--to-earliest', '--topic', topic, '--execute']
    const answer = await run('kafka-consumer-groups', reset)
    match(
      answer.stdout + answer.stderr,
      /can only be reset if the group .* is inactive, but the current state is Stable/,
    )
    const deleted = await run('kafka-consumer-groups', ['--delete', '--group', group])
    match(deleted.stdout + deleted.stderr, /GroupNotEmptyException/)
    const forgotten = await run('kafka-consumer-groups', ['--delete-offsets', '--group', group, '--topic', topic])
    match(forgotten.stdout + forgotten.stderr, /GroupSubscribedToTopic|actively subscribed/i)
    await haveCommitted(helper, group, topic, [RECORDS, RECORDS])
  })

  test('resets offsets in every form', async () => {
    const group = await emptyGroup()
    const reset = (...args: string[]) => groups('--reset-offsets', '--group', group, ...args)
    const all = ['--topic', topic, '--execute']
    const hours = Math.floor((Date.now() - FIRST_TIMESTAMP) / 3_600_000)
    const forms: [string[], number[]][] = [
      [
        ['--to-earliest', ...all],
        [0, 0],
      ],
      [
        ['--to-latest', ...all],
        [10, 10],
      ],
      [
        ['--to-offset', '4', ...all],
        [4, 4],
      ],
      // Beyond the ends of the log: the nearest one.
      [
        ['--to-offset', '400', ...all],
        [10, 10],
      ],
      [
        ['--shift-by', '-3', ...all],
        [7, 7],
      ],
      [
        ['--shift-by', '2', '--topic', `${topic}:1`, '--execute'],
        [7, 9],
      ],
      [
        ['--to-current', ...all],
        [7, 9],
      ],
      [
        ['--to-offset', '1', '--topic', `${topic}:0,1`, '--execute'],
        [1, 1],
      ],
      [
        ['--to-datetime', new Date(FIRST_TIMESTAMP + 2.5 * 3_600_000).toISOString().replace('Z', ''), ...all],
        [3, 3],
      ],
      [
        ['--by-duration', `PT${hours - 7}H`, ...all],
        [8, 8],
      ],
      // Shown, and not done.
      [
        ['--to-earliest', '--topic', topic, '--dry-run'],
        [8, 8],
      ],
    ]
    for (const [args, expected] of forms) {
      await reset(...args)
      await haveCommitted(helper, group, topic, expected)
    }
    await haveCommitted(helper, group, otherTopic, [5])
    await reset('--to-earliest', '--all-topics', '--execute')
    await haveCommitted(helper, group, topic, [0, 0])
    await haveCommitted(helper, group, otherTopic, [0])
  })

  test('resets offsets to what it has exported', async () => {
    const group = await emptyGroup()
    const exported = await groups(
      '--reset-offsets',
      '--group',
      group,
      '--to-current',
      '--all-topics',
      '--export',
      '--dry-run',
    )
    deepEqual(
      exported
        .trim()
        .split('\n')
        .map(line => line.replaceAll('"', ''))
        .sort(),
      [`${otherTopic},0,5`, `${topic},0,5`, `${topic},1,5`].sort(),
    )
    const path = join(folder, 'offsets.csv')
    await writeFile(path, exported.replace(/5$/gm, '6'))
    await groups('--reset-offsets', '--group', group, '--from-file', path, '--execute')
    await haveCommitted(helper, group, topic, [6, 6])
    await haveCommitted(helper, group, otherTopic, [6])
  })

  test('resets offsets of several groups, and shows what a reset of all would do', async () => {
    const some = [await emptyGroup(), await emptyGroup()]
    const named = some.flatMap(group => ['--group', group])
    await groups('--reset-offsets', ...named, '--to-offset', '3', '--topic', topic, '--execute')
    for (const group of some) await haveCommitted(helper, group, topic, [3, 3])
    const shown = await groups('--reset-offsets', '--all-groups', '--to-latest', '--topic', `${topic}:1`, '--dry-run')
    for (const group of some) {
      deepEqual(rows(shown, group), [[group, topic, '1', String(RECORDS)]])
      await haveCommitted(helper, group, topic, [3, 3])
    }
  })

  test('makes a group by resetting offsets that nobody has committed', async () => {
    const group = topicName('made')
    await groups('--reset-offsets', '--group', group, '--to-offset', '2', '--topic', topic, '--execute')
    await haveCommitted(helper, group, topic, [2, 2])
    match(await groups('--describe', '--group', group, '--state'), /Empty/)
  })

  test('forgets offsets of a topic or a partition, and deletes groups', async () => {
    const group = await emptyGroup()
    await groups('--delete-offsets', '--group', group, '--topic', `${topic}:0`)
    deepEqual((await helper.run('groupOffsets', { group })).offsets.length, 2)
    await groups('--delete-offsets', '--group', group, '--topic', otherTopic)
    deepEqual((await helper.run('groupOffsets', { group })).offsets, [{ topic, partition: 1, offset: 5 }])
    match(await groups('--delete', '--group', group), /was successful/)
    equal((await groups('--list')).split('\n').includes(group), false)
    const again = await run('kafka-consumer-groups', ['--delete', '--group', group])
    match(again.stdout + again.stderr, /GroupIdNotFoundException/)
    const unknown = await run('kafka-consumer-groups', ['--describe', '--group', group])
    match(unknown.stdout + unknown.stderr, /not found|does not exist|GroupIdNotFound/i)
  })
})

describe('kafka-configs for groups', { timeout }, () => {
  test('sets, shows and removes the configuration of a group', async () => {
    const entity = ['--entity-type', 'groups', '--entity-name', topicName('configured')]
    const key = 'consumer.session.timeout.ms'
    await succeeds('kafka-configs', ['--alter', ...entity, '--add-config', `${key}=50000`])
    match(await succeeds('kafka-configs', ['--describe', ...entity]), /consumer\.session\.timeout\.ms=50000/)
    await fails('kafka-configs', ['--alter', ...entity, '--add-config', `${key}=1`], /session\.timeout/)
    await succeeds('kafka-configs', ['--alter', ...entity, '--delete-config', key])
    equal((await succeeds('kafka-configs', ['--describe', ...entity])).includes('=50000'), false)
  })
})
