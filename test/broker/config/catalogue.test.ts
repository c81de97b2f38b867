import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { brokerConfigKey, brokerConfigs, unknownBrokerKey } from '../../../broker/config/broker-keys.ts'
import { checkValue } from '../../../broker/config/config-key.ts'
import { environmentName } from '../../../broker/config/sources.ts'
import { topicConfigs } from '../../../broker/config/topic-config.ts'

for (const [of, keys] of [
  ['topic', topicConfigs],
  ['broker', brokerConfigs],
] as const) {
  test(`every default of a ${of} key is a value that the key accepts`, () => {
    const wrong = keys.flatMap(key => (key.default === null ? [] : (checkValue(key, key.default) ?? [])))
    deepEqual(wrong, [])
  })

  test(`no ${of} key is there twice, and each is described in sentences`, () => {
    const names = keys.map(key => key.name)
    deepEqual(names, [...new Set(names)])
    const silent = keys.filter(key => !/^[A-Z].*\.$/s.test(key.doc)).map(key => key.name)
    deepEqual(silent, [])
  })
}

test("every topic key's broker key exists, has its type and the same default", () => {
  for (const key of topicConfigs) {
    if (key.brokerKey === undefined) continue
    const broker = brokerConfigKey(key.brokerKey)
    ok(broker, `${key.name} -> ${key.brokerKey}`)
    equal(broker.honoured, key.honoured, key.name)
    equal(broker.type, key.type, key.name)
    if (broker.default !== null) equal(broker.default, key.default, key.name)
  }
})

test('every broker key has a name of its own in the environment', () => {
  const names = brokerConfigs.map(key => environmentName(key.name))
  equal(new Set(names).size, names.length)
})

test('passwords are sensitive, wherever they stand', () => {
  const sensitive = brokerConfigs.filter(key => key.isSensitive).map(key => key.type)
  ok(sensitive.length > 5)
  deepEqual(new Set(sensitive), new Set(['password']))
  equal(brokerConfigKey('listener.name.clients.ssl.keystore.password')?.isSensitive, true)
  equal(brokerConfigKey('listener.name.clients.plain.sasl.jaas.config')?.isSensitive, true)
  equal(brokerConfigKey('rsm.config.secret')?.isSensitive, true)
})

test('keys for one listener are known and have no effect', () => {
  equal(brokerConfigKey('listener.name.clients.max.connections')?.honoured, false)
  equal(brokerConfigKey('listener.name.clients.no.such.key'), undefined)
  equal(brokerConfigKey('listener.name.clients'), undefined)
})

test('an unknown key names the nearest one, the one for brokers, or when Kafka removed it', () => {
  equal(unknownBrokerKey('num.partition'), 'Unknown broker config name: num.partition. Did you mean num.partitions?')
  equal(
    unknownBrokerKey('log_retention_ms'),
    'Unknown broker config name: log_retention_ms. Did you mean log.retention.ms?',
  )
  ok(unknownBrokerKey('retention.ms').endsWith("It is a key of topics; log.retention.ms is the broker's."))
  ok(unknownBrokerKey('zookeeper.connect').includes('removed it in 4.0'))
  ok(unknownBrokerKey('something.else.entirely').endsWith('docs/configuration.md lists every key.'))
  ok(unknownBrokerKey('x'.repeat(100_000)).length < 300)
})
