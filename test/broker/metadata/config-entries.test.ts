import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { parseBrokerConfig, type BrokerConfig } from '../../../broker/config/broker-config.ts'
import {
  brokerConfigEntries,
  ConfigSource,
  defaultBrokerConfigEntries,
  effectiveConfig,
  topicConfigEntries,
  type ConfigEntry,
} from '../../../broker/metadata/config-entries.ts'
import { emptyImage, type MetadataImage } from '../../../broker/metadata/image.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { imageOf } from './images.ts'

const { DYNAMIC_TOPIC_CONFIG, DYNAMIC_BROKER_CONFIG, DYNAMIC_DEFAULT_BROKER_CONFIG } = ConfigSource
const { STATIC_BROKER_CONFIG, DEFAULT_CONFIG } = ConfigSource

function config(values: Readonly<Record<string, string>> = {}): BrokerConfig {
  const parsed = parseBrokerConfig(new Map(Object.entries(values)))
  ok('config' in parsed, JSON.stringify(parsed))
  return parsed.config
}

function set(resource: string, key: string, value: string): MetadataRecord {
  return { kind: 'config-changed', type: 'broker', resource, key, value }
}

function topicEntry(
  name: string,
  overrides: Readonly<Record<string, string>> = {},
  image: MetadataImage = emptyImage,
  values: Readonly<Record<string, string>> = {},
): ConfigEntry {
  const [entry] = topicConfigEntries(new Map(Object.entries(overrides)), image, 1, config(values), new Set([name]))
  return entry!
}

function brokerEntry(
  name: string,
  image: MetadataImage = emptyImage,
  values: Readonly<Record<string, string>> = {},
): ConfigEntry {
  const [entry] = brokerConfigEntries(image, 1, config(values), new Set([name]))
  return entry!
}

test('a topic key that nobody set has its default', () => {
  const entry = topicEntry('max.message.bytes')
  equal(entry.value, '1048588')
  equal(entry.source, DEFAULT_CONFIG)
  deepEqual(entry.synonyms, [{ name: 'message.max.bytes', value: '1048588', source: DEFAULT_CONFIG }])
  equal(entry.type, 'int')
  equal(entry.isReadOnly, false)
  ok(entry.doc.length > 0)
})

test('the synonyms of a topic key are all that could count, the one in force first', () => {
  const image = imageOf(set('1', 'message.max.bytes', '3000'), set('', 'message.max.bytes', '2000'))
  const entry = topicEntry('max.message.bytes', { 'max.message.bytes': '4000' }, image, { 'message.max.bytes': '1000' })
  equal(entry.value, '4000')
  equal(entry.source, DYNAMIC_TOPIC_CONFIG)
  deepEqual(
    entry.synonyms.map(({ name, value, source }) => [name, value, source]),
    [
      ['max.message.bytes', '4000', DYNAMIC_TOPIC_CONFIG],
      ['message.max.bytes', '3000', DYNAMIC_BROKER_CONFIG],
      ['message.max.bytes', '2000', DYNAMIC_DEFAULT_BROKER_CONFIG],
      ['message.max.bytes', '1000', STATIC_BROKER_CONFIG],
      ['message.max.bytes', '1048588', DEFAULT_CONFIG],
    ],
  )
})

test('a topic follows the broker, and what was set while it runs comes before what it was started with', () => {
  const values = { 'message.max.bytes': '1000' }
  equal(topicEntry('max.message.bytes', {}, emptyImage, values).value, '1000')
  equal(topicEntry('max.message.bytes', {}, emptyImage, values).source, STATIC_BROKER_CONFIG)
  const forAll = imageOf(set('', 'message.max.bytes', '2000'))
  equal(topicEntry('max.message.bytes', {}, forAll, values).value, '2000')
  equal(topicEntry('max.message.bytes', {}, forAll, values).source, DYNAMIC_DEFAULT_BROKER_CONFIG)
  const forOne = imageOf(set('', 'message.max.bytes', '2000'), set('1', 'message.max.bytes', '3000'))
  equal(topicEntry('max.message.bytes', {}, forOne, values).value, '3000')
  const forAnother = imageOf(set('2', 'message.max.bytes', '3000'))
  equal(topicEntry('max.message.bytes', {}, forAnother, values).value, '1000')
})

test('hours become milliseconds, and as in Kafka a key that only hours stand for has no synonyms', () => {
  const entry = topicEntry('retention.ms', {}, emptyImage, { 'log.retention.hours': '2' })
  equal(entry.value, '7200000')
  deepEqual(entry.synonyms, [])
  equal(topicEntry('retention.ms').value, '604800000')
})

test('a broker key says where it comes from and whether it can change', () => {
  const image = imageOf(set('', 'log.retention.ms', '5'))
  const retention = brokerEntry('log.retention.ms', image, { 'log.retention.ms': '4', 'log.retention.hours': '3' })
  equal(retention.value, '5')
  equal(retention.isReadOnly, false)
  deepEqual(
    retention.synonyms.map(({ name, value, source }) => [name, value, source]),
    [
      ['log.retention.ms', '5', DYNAMIC_DEFAULT_BROKER_CONFIG],
      ['log.retention.ms', '4', STATIC_BROKER_CONFIG],
      ['log.retention.hours', '3', STATIC_BROKER_CONFIG],
      ['log.retention.hours', '168', DEFAULT_CONFIG],
    ],
  )
  const directory = brokerEntry('log.dirs', emptyImage, { 'log.dirs': '/data' })
  equal(directory.value, '/data')
  equal(directory.isReadOnly, true)
  equal(directory.source, STATIC_BROKER_CONFIG)
})

test('a sensitive value is never told, nor are those it would be otherwise', () => {
  const entry = brokerEntry('ssl.keystore.password', imageOf(set('1', 'ssl.keystore.password', 'secret')))
  equal(entry.value, null)
  equal(entry.isSensitive, true)
  equal(entry.source, DYNAMIC_BROKER_CONFIG)
  ok(!JSON.stringify(entry.synonyms).includes('secret'))
  equal(entry.synonyms[0]!.value, null)
})

test('keys are described in order, each once, and without those for tests', () => {
  for (const entries of [
    topicConfigEntries(new Map(), emptyImage, 1, config()),
    brokerConfigEntries(emptyImage, 1, config()),
  ]) {
    const names = entries.map(({ name }) => name)
    deepEqual(names, [...new Set(names)].sort())
    ok(names.length > 30)
  }
  ok(!topicConfigEntries(new Map(), emptyImage, 1, config()).some(({ name }) => name === 'internal.segment.bytes'))
})

test('the resource of all brokers has only what was set for them', () => {
  const image = imageOf(set('', 'log.retention.ms', '5'), set('1', 'log.segment.bytes', '2000000'))
  const entries = defaultBrokerConfigEntries(image)
  deepEqual(
    entries.map(({ name, value, source }) => [name, value, source]),
    [['log.retention.ms', '5', DYNAMIC_DEFAULT_BROKER_CONFIG]],
  )
  deepEqual(defaultBrokerConfigEntries(emptyImage), [])
})

test('only the keys asked for are described, and those that do not exist are left out', () => {
  const wanted = new Set(['retention.ms', 'no.such.key'])
  deepEqual(
    topicConfigEntries(new Map(), emptyImage, 1, config(), wanted).map(({ name }) => name),
    ['retention.ms'],
  )
})

test('the configuration in force has what was set while brokers run', () => {
  const image = imageOf(set('', 'log.retention.ms', '5'), set('1', 'log.segment.bytes', '2000000'))
  const effective = effectiveConfig(image, 1, config())
  equal(effective.topicDefaults.retentionMs, 5)
  equal(effective.topicDefaults.segmentBytes, 2000000)
  equal(effectiveConfig(image, 2, config()).topicDefaults.segmentBytes, 1073741824)
  const untouched = config()
  equal(effectiveConfig(emptyImage, 1, untouched), untouched)
})
