// Kafka's command line tools for a cluster: users, ACLs, delegation tokens, leaders, reassignments, features and the quorum. Against
// one broker most of them have little to do; they must say so, and not fail.
import { equal, match, ok } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { startBroker, type TestBroker } from './broker.ts'
import { topicName } from './checks/check.ts'
import { againstBroker, kafkaTools, type ToolName, type Tools } from './tools.ts'

const timeout = 240_000
let broker: TestBroker
let tools: Tools
let folder: string

beforeAll(async () => {
  tools = await kafkaTools()
  broker = await startBroker()
  folder = await mkdtemp(join(tmpdir(), 'flotilla-admin-tools-'))
}, 600_000)
afterAll(async () => {
  await broker?.remove()
  if (folder !== undefined) await rm(folder, { recursive: true })
}, timeout)

const { run, succeeds, fails } = againstBroker(
  () => tools,
  () => broker,
)

async function newTopic(about: string, ...args: string[]): Promise<string> {
  const topic = topicName(about)
  await succeeds('kafka-topics', ['--create', '--topic', topic, ...args])
  return topic
}

async function jsonFile(name: string, content: unknown): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(content))
  return path
}

describe('kafka-configs for users', { timeout }, () => {
  const alice = ['--entity-type', 'users', '--entity-name', 'alice']
  const shown = async () => succeeds('kafka-configs', ['--describe', ...alice])

  test('sets SCRAM credentials, shows their iterations and never a secret, and deletes them', async () => {
    const both = 'SCRAM-SHA-256=[iterations=8192,password=secret],SCRAM-SHA-512=[password=secret]'
    await succeeds('kafka-configs', ['--alter', ...alice, '--add-config', 'SCRAM-SHA-256=[password=secret]'])
    match(await shown(), /user-principal 'alice' are SCRAM-SHA-256=iterations=4096$/m)
    // One user may be altered once in a request, so the tool cannot set both at once.
    await fails('kafka-configs', ['--alter', ...alice, '--add-config', both], /cannot be altered twice/)
    await succeeds('kafka-configs', ['--alter', ...alice, '--add-config', 'SCRAM-SHA-512=[password=secret]'])
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      ok((await shown()).includes(`${mechanism}=iterations=4096`))
    }
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      await succeeds('kafka-configs', ['--alter', ...alice, '--delete-config', mechanism])
    }
    equal((await shown()).includes('SCRAM'), false)
  })

  test('says what is wrong with a credential', async () => {
    const weak = 'SCRAM-SHA-256=[iterations=4095,password=secret]'
    await fails('kafka-configs', ['--alter', ...alice, '--add-config', weak], /4095/)
    await fails('kafka-configs', ['--alter', ...alice, '--delete-config', 'SCRAM-SHA-256'], /SCRAM-SHA-256/)
  })
})

describe('what is off', { timeout }, () => {
  test('kafka-acls says that no authorizer is configured', async () => {
    const { stdout, stderr } = await run('kafka-acls', ['--list'])
    match(stdout + stderr, /No Authorizer is configured/)
    const acl = ['--add', '--allow-principal', 'User:a', '--operation', 'Read', '--topic', 't']
    const added = await run('kafka-acls', acl)
    match(added.stdout + added.stderr, /No Authorizer is configured/)
  })

  test('kafka-delegation-tokens says that they are not allowed', async () => {
    const config = join(folder, 'empty.properties')
    await writeFile(config, '')
    const describeTokens = ['--describe', '--command-config', config]
    const { stdout, stderr } = await run('kafka-delegation-tokens', describeTokens)
    match(stdout + stderr, /Delegation Token requests are not allowed/)
  })
})

describe('the tools for partitions', { timeout }, () => {
  test('kafka-leader-election finds that no election is needed', async () => {
    const topic = await newTopic('election')
    const one = ['--election-type', 'preferred', '--topic', topic, '--partition', '0']
    match(
      await succeeds('kafka-leader-election', one),
      new RegExp(`Valid replica already elected for partitions ${topic}-0`),
    )
    await succeeds('kafka-leader-election', ['--election-type', 'unclean', '--all-topic-partitions'])
    const missing = ['--election-type', 'preferred', '--topic', topicName('missing'), '--partition', '0']
    await fails('kafka-leader-election', missing, /No such topic as missing/)
  })

  test('kafka-reassign-partitions accepts where a partition is already, lists nothing, and knows no other broker', async () => {
    const topic = await newTopic('reassign')
    const plan = (...replicas: number[]) => ({ version: 1, partitions: [{ topic, partition: 0, replicas }] })
    const same = await jsonFile('same.json', plan(1))
    const execute = await succeeds('kafka-reassign-partitions', ['--execute', '--reassignment-json-file', same])
    match(execute, new RegExp(`Successfully started partition reassignment for ${topic}-0`))
    const verify = await succeeds('kafka-reassign-partitions', ['--verify', '--reassignment-json-file', same])
    match(verify, new RegExp(`Reassignment of partition ${topic}-0 is completed`))
    match(await succeeds('kafka-reassign-partitions', ['--list']), /No partition reassignments found/)
    const other = await jsonFile('other.json', plan(1, 2))
    await fails('kafka-reassign-partitions', ['--execute', '--reassignment-json-file', other], /Unknown broker id 2/)
  })

  test('kafka-reassign-partitions generates a plan', async () => {
    const topic = await newTopic('plan', '--partitions', '2')
    const topics = await jsonFile('topics.json', { version: 1, topics: [{ topic }] })
    const generate = ['--generate', '--topics-to-move-json-file', topics, '--broker-list', '1']
    match(await succeeds('kafka-reassign-partitions', generate), /Proposed partition reassignment configuration/)
  })
})

describe('the tools for the cluster', { timeout }, () => {
  /** Tools whose command comes before their flags. */
  const subcommand = async (name: ToolName, ...args: string[]) => {
    const { code, stdout, stderr } = await tools(name, ['--bootstrap-server', broker.bootstrap, ...args])
    return { code, output: stdout + stderr }
  }

  test('kafka-features describes levels, and keeps them within what is supported', async () => {
    const described = await subcommand('kafka-features', 'describe')
    const level = /Feature: metadata\.version\s.*FinalizedVersionLevel: (\S+)/.exec(described.output)?.[1]
    ok(level !== undefined, described.output)
    const lower = await subcommand('kafka-features', 'downgrade', '--feature', 'metadata.version=8')
    ok(lower.code !== 0)
    match(lower.output, /Could not downgrade metadata\.version to 8\. .*Refusing to perform the requested downgrade/)
    const unknown = await subcommand('kafka-features', 'upgrade', '--feature', 'metadata.version=999')
    ok(unknown.code !== 0)
    match(unknown.output, /only supports versions 7-33/)
  })

  test('kafka-metadata-quorum shows one voter that is its own leader', async () => {
    const status = await subcommand('kafka-metadata-quorum', 'describe', '--status')
    equal(status.code, 0, status.output)
    match(status.output, /^LeaderId:\s+1$/m)
    match(status.output, /^MaxFollowerLag:\s+0$/m)
    const epoch = Number(/^LeaderEpoch:\s+(\d+)$/m.exec(status.output)?.[1])
    const highWatermark = Number(/^HighWatermark:\s+(\d+)$/m.exec(status.output)?.[1])
    ok(epoch >= 1 && highWatermark >= 1, status.output)
    await newTopic('quorum')
    const replication = await subcommand('kafka-metadata-quorum', 'describe', '--replication')
    equal(replication.code, 0, replication.output)
    const leader = /^1\s+\S+\s+(\d+)\s+0\s+\d+\s+\d+\s+Leader/m.exec(replication.output)
    ok(leader !== null && Number(leader[1]) > highWatermark, replication.output)
  })

  test('kafka-client-metrics keeps subscriptions, and says what is wrong with one', async () => {
    const named = ['--name', 'm']
    const metrics = ['--metrics', 'org.apache.kafka.producer', '--match', 'client_id=app-.*']
    await succeeds('kafka-client-metrics', ['--alter', ...named, ...metrics, '--interval', '5000'])
    match(await succeeds('kafka-client-metrics', ['--list']), /^m$/m)
    const described = await succeeds('kafka-client-metrics', ['--describe', ...named])
    match(described, /interval\.ms=5000/)
    match(described, /match=client_id=app-\.\*/)
    await fails('kafka-client-metrics', ['--alter', ...named, '--interval', '5'], /must be between 100 and 3600000/)
    await fails(
      'kafka-client-metrics',
      ['--alter', ...named, '--match', 'no_such=x'],
      /Illegal client matching pattern/,
    )
    await succeeds('kafka-client-metrics', ['--delete', ...named])
  })

  test('kafka-cluster unregisters no broker that does not exist', async () => {
    const { stdout, stderr } = await tools('kafka-cluster', [
      'unregister',
      '--bootstrap-server',
      broker.bootstrap,
      '--id',
      '77',
    ])
    match(stdout + stderr, /Broker ID 77 is not currently registered/)
  })
})
