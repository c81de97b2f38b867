// The clients of the suite: how each is started, what it can do, and where it reports a mistake in its own way. Every
// exception from "all clients see the same" is here, with its reason.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brokerKind } from './broker.ts'
import { nodeBinary } from './flotilla.ts'
import type { Assignor } from './group-commands.ts'
import { pathOf } from './installation.ts'
import { startKcat } from './kcat.ts'
import { startProgram } from './program.ts'
import type { Compression, Program } from './program.ts'

/** What not every client can do. */
export type Ability =
  | 'administration'
  | 'validateOnly'
  | 'own timestamps'
  | 'null headers'
  | 'max-timestamp'
  | 'errors of unknown topics when reading'
  | 'unknown partitions'
  | 'records of nothing'
  | 'negative partitions'
  | 'transactions'
  | 'transaction timeouts'
  | 'taking over transactional ids'
  | 'overlapping aborted transactions'
  | 'committed records'
  | 'commits by hand'
  | 'commits of one generation'
  | 'seeking'
  | 'pausing'
  | 'static members'
  | 'being fenced'
  | 'no reset'

/** Mistakes that some clients report in a way of their own. */
export type Mistake =
  | 'describe an unknown topic'
  | 'produce to an unknown topic'
  | 'produce to an unknown partition'
  | 'read an unknown topic'
  | 'read out of range'

export type ClientKind = {
  readonly name: string
  start(installation: ReadonlyMap<string, string>, bootstrap: string): Program
  readonly compressions: readonly Compression[]
  /** Abilities it lacks -> why. */
  readonly cannot: Partial<Record<Ability, string>>
  /** What it reports instead of Kafka's error code (null: nothing with a code) -> why. */
  readonly reports: Partial<Record<Mistake, { code: number | null; because: string }>>
  /** The assignors that its consumer brings, and what its members report in their own way. */
  readonly groups: { readonly assignors: readonly Assignor[] }
  /** The offset it gives for a time after the last record; Kafka's answer is -1. */
  readonly afterLast: 'none' | 'end offset'
}

const ALL: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const kcat: ClientKind = {
  name: 'kcat',
  start: (installation, bootstrap) => startKcat(pathOf(installation, 'kcat'), bootstrap),
  compressions: ALL,
  cannot: {
    'commits by hand': 'it commits by itself, every five seconds and when it gives partitions up',
    seeking: 'it reads on from where the group is',
    pausing: 'it has no command for that',
    administration: 'it reads and writes only',
    'own timestamps': 'it has no option for the timestamp of a record',
    'max-timestamp': 'its query mode takes timestamps only',
    'records of nothing': 'it skips empty input',
    transactions: 'it has none',
    'committed records': 'its program here reads what there is',
  },
  reports: {
    'produce to an unknown partition': {
      code: null,
      because: 'librdkafka finds it in the metadata: "Local: Unknown partition"',
    },
  },
  groups: { assignors: ['range', 'roundrobin', 'cooperative-sticky'] },
  afterLast: 'none',
}

const confluentKafka: ClientKind = {
  name: 'confluent-kafka',
  start: (installation, bootstrap) =>
    startProgram('confluent-kafka', [pathOf(installation, 'python'), here('python/client.py')], bootstrap),
  compressions: ALL,
  cannot: {
    'errors of unknown topics when reading': 'its consumer waits for the topic to appear',
    'negative partitions': 'its NewTopic takes no other negative number than -1',
  },
  reports: {
    'produce to an unknown partition': {
      code: -190,
      because: 'librdkafka finds it in the metadata: _UNKNOWN_PARTITION',
    },
    'read out of range': { code: -140, because: 'librdkafka reports _AUTO_OFFSET_RESET, with the text of the code' },
  },
  groups: { assignors: ['range', 'roundrobin', 'cooperative-sticky'] },
  afterLast: 'none',
}

const kafkaClients: ClientKind = {
  name: 'kafka-clients',
  start(installation, bootstrap) {
    const classPath = `${pathOf(installation, 'java')}:${join(pathOf(installation, 'kafka'), '*')}`
    return startProgram(
      'kafka-clients',
      ['java', '-XX:TieredStopAtLevel=1', '-Xmx512m', '-cp', classPath, 'Client'],
      bootstrap,
    )
  },
  compressions: ALL,
  cannot: {
    'errors of unknown topics when reading': 'its consumer waits for the topic to appear',
  },
  reports: {
    'produce to an unknown topic': {
      code: 7,
      because: 'its producer waits max.block.ms for metadata: a TimeoutException',
    },
    'produce to an unknown partition': {
      code: 7,
      because: 'its producer waits max.block.ms for the partition: a TimeoutException',
    },
  },
  groups: { assignors: ['range', 'roundrobin', 'sticky', 'cooperative-sticky'] },
  afterLast: 'none',
}

const franzGo: ClientKind = {
  name: 'franz-go',
  start: (installation, bootstrap) => startProgram('franz-go', [pathOf(installation, 'franz')], bootstrap),
  compressions: ALL,
  cannot: {
    'errors of unknown topics when reading': 'its consumer waits for the topic to appear',
  },
  reports: {
    'produce to an unknown partition': { code: null, because: 'its partitioner refuses the number before it sends' },
  },
  groups: { assignors: ['range', 'roundrobin', 'sticky', 'cooperative-sticky'] },
  afterLast: 'end offset',
}

const sarama: ClientKind = {
  name: 'sarama',
  start: (installation, bootstrap) => startProgram('sarama', [pathOf(installation, 'sarama')], bootstrap),
  compressions: ALL,
  cannot: {
    seeking: 'its consumer group cannot move; ResetOffset only commits',
    'no reset': 'it knows the oldest and the newest offset only',
    'max-timestamp': 'its ListOffsets request has a version without this question (KIP-734)',
  },
  reports: {
    'produce to an unknown partition': { code: null, because: 'its partitioner refuses the number before it sends' },
  },
  groups: { assignors: ['range', 'roundrobin', 'sticky', 'cooperative-sticky'] },
  afterLast: 'none',
}

const nodeProgram = (name: string, file: string): ClientKind['start'] => {
  return (installation, bootstrap) =>
    startProgram(name, [nodeBinary(), '--no-warnings', here(`node/${file}`), pathOf(installation, 'node')], bootstrap)
}

const kafkajs: ClientKind = {
  name: 'kafkajs',
  start: nodeProgram('kafkajs', 'kafkajs.mjs'),
  compressions: ALL,
  cannot: {
    'static members': 'its JoinGroup has no instance id',
    'no reset': 'its subscriptions start at the beginning or the end',
    'null headers': 'its encoder throws a TypeError',
    'max-timestamp': 'it only asks for the first and the last offset and for timestamps',
    ...(brokerKind === 'kafka' && {
      'overlapping aborted transactions':
        'it does not sort the aborted transactions, which Kafka answers in the order of their ends and Flotilla of their beginnings',
    }),
  },
  reports: {
    'produce to an unknown partition': {
      code: null,
      because: 'it sends nothing and then misses the answer: a TypeError',
    },
  },
  groups: { assignors: ['range', 'roundrobin'] },
  afterLast: 'end offset',
}

const platformatic: ClientKind = {
  name: '@platformatic/kafka',
  start: nodeProgram('@platformatic/kafka', 'platformatic.mjs'),
  compressions: ALL,
  cannot: {
    'being fenced': 'a member that is fenced joins again and takes its place back',
    'commits of one generation': 'when its commit is refused it joins again and repeats the commit',
    seeking: 'its stream cannot move',
    pausing: 'its stream pauses as a whole only',
    validateOnly: 'its createTopics has no such option',
    'unknown partitions': 'its producer takes the number modulo the number of partitions',
    'taking over transactional ids':
      'its first InitProducerId names producer 0 and epoch 0, which Kafka takes for a producer that was fenced',
    'transaction timeouts': 'its producer has no option for the time-out of a transaction',
    'committed records': 'only its stream of messages filters, and that always joins a group',
  },
  reports: {
    'describe an unknown topic': { code: null, because: 'its metadata() throws an Error of its own: "Unknown topic"' },
    'produce to an unknown topic': {
      code: null,
      because: 'its metadata() throws an Error of its own: "Unknown topic"',
    },
    'read an unknown topic': { code: null, because: 'its metadata() throws an Error of its own: "Unknown topic"' },
  },
  groups: { assignors: ['roundrobin', 'cooperative-sticky'] },
  afterLast: 'none',
}

export const clientKinds: readonly ClientKind[] = [
  kcat,
  confluentKafka,
  kafkaClients,
  franzGo,
  sarama,
  kafkajs,
  platformatic,
]

/** The client that prepares and looks for the others: it can do everything, and starts at once. */
export const helperKind = franzGo
