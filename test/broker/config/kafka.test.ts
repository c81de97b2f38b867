// Our catalogues and parsers against Apache Kafka's own.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { brokerConfigs } from '../../../broker/config/broker-keys.ts'
import { checkValue, type ConfigKey, type ConfigType } from '../../../broker/config/config-key.ts'
import { parseProperties } from '../../../broker/config/properties.ts'
import { checkTopicConfig, topicConfigs } from '../../../broker/config/topic-config.ts'
import { seededNumbers } from '../../seeded.ts'
import { askKafka, whyNoOracle, type Question } from './kafka-oracle.ts'

type KafkaKey = { name: string; type: string; default: string | null; valid: string | null }

const withKafka = test.skipIf(whyNoOracle !== null)
const name = (title: string): string => (whyNoOracle === null ? title : `${title} (skipped: ${whyNoOracle})`)

// What we do not check as Kafka does, and why.
const OTHER_RULE = new Set([
  'authorizer.class.name', // "not null", which nothing written in a file can be
  'controller.quorum.voters', // "not empty" has no effect: it may be empty
  'controller.quorum.bootstrap.servers',
])

const theirs = once(
  () =>
    askKafka([
      ['catalogue', 'topic'],
      ['catalogue', 'broker'],
      ['modes', '-'],
    ]) as [KafkaKey[], KafkaKey[], Record<string, string>],
)

function once<T>(ask: () => T): () => T {
  let answer: { readonly value: T } | null = null
  return () => (answer ??= { value: ask() }).value
}

withKafka(name("every topic key of Kafka is known with Kafka's type, default and range"), () => {
  compare(topicConfigs, theirs()[0])
})

withKafka(name("every broker key of Kafka is known with Kafka's type, default and range"), () => {
  compare(brokerConfigs, theirs()[1])
})

function compare(ours: readonly ConfigKey[], theirs: readonly KafkaKey[]): void {
  const known = new Map(ours.map(key => [key.name, key]))
  deepEqual(
    theirs.map(key => asKafka(known.get(key.name), key)),
    theirs.map(withoutOddities),
  )
}

function asKafka(key: ConfigKey | undefined, { name }: KafkaKey): KafkaKey | string {
  if (key === undefined) return `${name} is missing`
  return {
    name,
    type: key.type,
    default: key.kafkaDefault === undefined ? key.default : key.kafkaDefault,
    valid: OTHER_RULE.has(name) ? null : (key.valid ?? null),
  }
}

function withoutOddities(key: KafkaKey): KafkaKey {
  return { ...key, valid: OTHER_RULE.has(key.name) || key.valid === '' ? null : key.valid }
}

// Keys that Kafka changes while a broker runs and we only read at its start.
const READ_AT_START: readonly string[] = ['listeners', 'listener.security.protocol.map', 'producer.id.expiration.ms']

withKafka(name('broker keys can change while a broker runs where they can in Kafka'), () => {
  const changeable = Object.entries(theirs()[2]).filter(([key]) => !READ_AT_START.includes(key))
  const ours = brokerConfigs.filter(key => key.updateMode !== 'read-only').map(key => [key.name, key.updateMode])
  deepEqual(Object.fromEntries(ours), Object.fromEntries(changeable))
})

const NUMBERS = [
  '0',
  '-0',
  '+5',
  '-1',
  '-2',
  ' 12 ',
  '1.5',
  '',
  'abc',
  '1e3',
  '0x10',
  '1_000',
  '32768',
  '2147483648',
  '1d',
  '.5',
  '5.',
]
const LONG_ONES = ['-2147483649', '9223372036854775807', '9223372036854775808', '99999999999999999999999999', '٣']
const WORDS = ['true', 'TRUE', ' false', 'yes', 'on', '']

withKafka(name('values are parsed, or refused, with the words of Kafka'), () => {
  const asked: (readonly [ConfigType, string])[] = [
    ...(['int', 'short', 'long', 'double'] as const).flatMap(type =>
      [...NUMBERS, ...LONG_ONES].map(text => [type, text] as const),
    ),
    ...WORDS.map(text => ['boolean', text] as const),
  ]
  const answers = askKafka(asked.map(([type, text]): Question => ['value', type.toUpperCase(), text]))
  for (const [index, [type, text]] of asked.entries()) {
    // Java reads digits of any script; nobody writes them in a configuration file.
    if (text === '٣') continue
    const answer = answers[index] as string | { error: string }
    const problem = checkValue({ name: 'some.key', type, default: null, doc: '', honoured: true }, text)
    equal(problem, typeof answer === 'string' ? null : answer.error, `${type} '${text}'`)
  }
})

const TOPIC_VALUES: Readonly<Record<string, readonly string[]>> = {
  'retention.ms': ['-5', '-1', '0', 'abc', ' 7 '],
  'cleanup.policy': ['delete,compac', '', 'delete,delete', 'DELETE', ' compact , delete '],
  'compression.type': ['zip', 'none', 'zstd', 'Gzip'],
  'compression.gzip.level': ['0', '12', '-1', '9'],
  'compression.zstd.level': ['99', '-131072', '-131073'],
  'min.insync.replicas': ['0', '1'],
  'max.message.bytes': ['-1', '0'],
  'segment.bytes': ['10', '1048576', '2147483648'],
  'message.timestamp.type': ['createtime', 'LogAppendTime'],
  'min.cleanable.dirty.ratio': ['1.2', '-0.1', '1', '0.5'],
  preallocate: ['maybe', 'True'],
  'leader.replication.throttled.replicas': ['*', '', '0:1,2:3'],
  'retention.bytes': ['-7'],
  'foo.bar': ['1'],
}

withKafka(name('topics take and refuse what they do in Kafka, with the same words'), () => {
  const asked = Object.entries(TOPIC_VALUES).flatMap(([key, values]) => values.map(value => [key, value] as const))
  const answers = askKafka(asked.map(([key, value]): Question => ['topic', key, value]))
  deepEqual(
    asked.map(([key, value]) => [key, value, checkTopicConfig(key, value)]),
    asked.map(([key, value], index) => [key, value, answers[index]]),
  )
})

withKafka(name('files are read as java.util.Properties reads them'), () => {
  const next = seededNumbers(4711)
  const pieces = [
    'a',
    'b.c',
    '=',
    ':',
    ' ',
    '\t',
    '\f',
    '\n',
    '\r\n',
    '\r',
    '\\',
    '\\\\',
    '#',
    '!',
    '\\n',
    '\\u0041',
    '\\t',
    'é',
    '\\\n',
    '\\=',
    '-',
  ]
  const texts = Array.from({ length: 3_000 }, () =>
    Array.from({ length: Math.floor(next() * 30) }, () => pieces[Math.floor(next() * pieces.length)]!).join(''),
  )
  const answers = askKafka(texts.map((text): Question => ['file', '-', text]))
  for (const [index, text] of texts.entries()) {
    const { settings, problems } = parseProperties(text)
    const answer = answers[index] as [string, string][] | { error: string }
    const theirs = new Map('error' in answer ? [] : answer)
    const hasNoKey = theirs.delete('') || 'error' in answer
    // A line without a key is a mistake to us, and an empty key to Java.
    if (problems.length > 0) ok(hasNoKey, JSON.stringify(text))
    else deepEqual(new Map(settings.map(({ name, value }) => [name, value])), theirs, JSON.stringify(text))
  }
})
