// DescribeConfigs, IncrementalAlterConfigs, AlterConfigs and ListConfigResources: the wire form of what test/broker/metadata specifies.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { alterConfigs } from '../../../broker/api/alter-configs.ts'
import { describeConfigs } from '../../../broker/api/describe-configs.ts'
import { incrementalAlterConfigs } from '../../../broker/api/incremental-alter-configs.ts'
import { listConfigResources } from '../../../broker/api/list-config-resources.ts'
import { ConfigOperation, ResourceType } from '../../../broker/metadata/configs.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { AlterConfigs } from '../../../broker/protocol/messages/alter-configs.ts'
import { DescribeConfigs } from '../../../broker/protocol/messages/describe-configs.ts'
import { IncrementalAlterConfigs } from '../../../broker/protocol/messages/incremental-alter-configs.ts'
import { ListConfigResources } from '../../../broker/protocol/messages/list-config-resources.ts'
import { testBroker, type TestBroker } from './fixture.ts'

const { TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP } = ResourceType

async function describe(
  broker: TestBroker,
  version: number,
  resourceType: number,
  resourceName: string,
  over: { keys?: readonly string[] | null; includeSynonyms?: boolean; includeDocumentation?: boolean } = {},
) {
  const { keys = null, ...flags } = over
  const { results } = await broker.ask(DescribeConfigs, describeConfigs, version, {
    resources: [{ resourceType, resourceName, configurationKeys: keys }],
    ...flags,
  })
  equal(results.length, 1)
  equal(results[0]!.resourceType, resourceType)
  equal(results[0]!.resourceName, resourceName)
  return results[0]!
}

test('in every version a topic is described with its own values and those it gets', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { configs: { 'retention.ms': '5' } })
  for (let version = 1; version <= 4; version++) {
    const { errorCode, configs } = await describe(broker, version, TOPIC, 'orders')
    equal(errorCode, ErrorCode.NONE)
    const retention = configs.find(({ name }) => name === 'retention.ms')!
    deepEqual([retention.value, retention.configSource, retention.readOnly], ['5', 1, false])
    equal(retention.configType, version >= 3 ? 5 : 0)
    equal(configs.find(({ name }) => name === 'cleanup.policy')!.value, 'delete')
  }
})

test('synonyms and documentation come when asked for', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders', { configs: { 'max.message.bytes': '5' } })
  const keys = ['max.message.bytes']
  const plain = await describe(broker, 4, TOPIC, 'orders', { keys })
  deepEqual(plain.configs[0]!.synonyms, [])
  equal(plain.configs[0]!.documentation, null)
  const full = await describe(broker, 4, TOPIC, 'orders', { keys, includeSynonyms: true, includeDocumentation: true })
  deepEqual(full.configs[0]!.synonyms, [
    { name: 'max.message.bytes', value: '5', source: 1 },
    { name: 'message.max.bytes', value: '1048588', source: 5 },
  ])
  ok(full.configs[0]!.documentation!.length > 10)
})

test('keys can be chosen; none chosen is all, and unknown ones are left out', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  const names = async (keys: readonly string[] | null) =>
    (await describe(broker, 4, TOPIC, 'orders', { keys })).configs.map(({ name }) => name)
  deepEqual(await names(['segment.ms', 'nonsense', 'retention.ms']), ['retention.ms', 'segment.ms'])
  ok((await names([])).length > 20)
  deepEqual(await names(null), await names([]))
})

test('the broker describes itself; what cannot change at run time is read-only', async () => {
  const broker = await testBroker()
  const { configs } = await describe(broker, 4, BROKER, '1', {
    keys: ['log.dirs', 'log.retention.ms', 'num.partitions'],
  })
  deepEqual(
    configs.map(({ name, readOnly }) => [name, readOnly]),
    [
      ['log.dirs', true],
      ['log.retention.ms', false],
      ['num.partitions', true],
    ],
  )
})

test('what was set for all brokers is described under the empty name', async () => {
  const broker = await testBroker()
  deepEqual((await describe(broker, 4, BROKER, '')).configs, [])
  await alter(broker, [[BROKER, '', 'log.retention.ms', ConfigOperation.SET, '5']])
  const { configs } = await describe(broker, 4, BROKER, '')
  deepEqual(
    configs.map(({ name, value, configSource }) => [name, value, configSource]),
    [['log.retention.ms', '5', 3]],
  )
})

test('what cannot be described has an error and a message', async () => {
  const broker = await testBroker()
  const wrong: [number, string, ErrorCode, RegExp][] = [
    [TOPIC, 'missing', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, /'missing' does not exist/],
    [TOPIC, 'a b', ErrorCode.INVALID_TOPIC_EXCEPTION, /^Topic name is invalid/],
    [TOPIC, '', ErrorCode.INVALID_TOPIC_EXCEPTION, /empty string/],
    [BROKER, '2', ErrorCode.INVALID_REQUEST, /^Unexpected broker id, expected 1 or empty string, but received 2$/],
    [BROKER, 'one', ErrorCode.INVALID_REQUEST, /^Broker id must be an integer, but it is: one$/],
    [BROKER_LOGGER, '2', ErrorCode.INVALID_REQUEST, /^Unexpected broker id/],
    [GROUP, '', ErrorCode.INVALID_REQUEST, /^Group name must not be empty$/],
    [CLIENT_METRICS, '', ErrorCode.INVALID_REQUEST, /^Client metrics subscription name must not be empty$/],
    [77, 'x', ErrorCode.INVALID_REQUEST, /^Unsupported resource type: 77$/],
  ]
  for (const [type, name, code, message] of wrong) {
    const { errorCode, errorMessage, configs } = await describe(broker, 4, type, name)
    equal(errorCode, code, String(message))
    match(errorMessage!, message)
    deepEqual(configs, [])
  }
})

test('a group is described with what it sets and what the broker gives it, whether it exists or not', async () => {
  const broker = await testBroker({ config: { 'group.consumer.heartbeat.interval.ms': '6000' } })
  await alter(broker, [[GROUP, 'g', 'consumer.session.timeout.ms', ConfigOperation.SET, '50000']])
  const keys = ['consumer.session.timeout.ms', 'consumer.heartbeat.interval.ms', 'share.auto.offset.reset']
  const { configs } = await describe(broker, 4, GROUP, 'g', { keys, includeSynonyms: true })
  deepEqual(
    configs.map(({ name, value, configSource, synonyms }) => [name, value, configSource, synonyms.length]),
    [
      ['consumer.heartbeat.interval.ms', '6000', 4, 2],
      ['consumer.session.timeout.ms', '50000', 8, 2],
      ['share.auto.offset.reset', 'latest', 5, 0],
    ],
  )
  ok((await describe(broker, 4, GROUP, 'nobody')).configs.length > 20)
})

test('a subscription to metrics is described and listed', async () => {
  const broker = await testBroker()
  await alter(broker, [[CLIENT_METRICS, 'm', 'interval.ms', ConfigOperation.SET, '5000']])
  const { configs } = await describe(broker, 4, CLIENT_METRICS, 'm')
  deepEqual(
    configs.map(({ name, value, configSource }) => [name, value, configSource]),
    [
      ['interval.ms', '5000', 7],
      ['match', '', 5],
      ['metrics', '', 5],
    ],
  )
  for (const version of [0, 1]) {
    deepEqual((await list(broker, version, [CLIENT_METRICS])).configResources, [
      { resourceName: 'm', resourceType: CLIENT_METRICS },
    ])
  }
})

test('a broker has no loggers to describe', async () => {
  const broker = await testBroker()
  const { errorCode, configs } = await describe(broker, 4, BROKER_LOGGER, '1')
  equal(errorCode, ErrorCode.NONE)
  deepEqual(configs, [])
})

type Change = readonly [type: number, resource: string, key: string, operation: number, value: string | null]

async function alter(broker: TestBroker, changes: readonly Change[], version = 1) {
  const { responses } = await broker.ask(IncrementalAlterConfigs, incrementalAlterConfigs, version, {
    resources: changes.map(([resourceType, resourceName, name, configOperation, value]) => ({
      resourceType,
      resourceName,
      configs: [{ name, configOperation, value }],
    })),
    validateOnly: false,
  })
  return responses
}

test('a change is in force for the log when the answer is there', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  for (const [version, value] of [
    [0, '1000'],
    [1, '2000'],
  ] as const) {
    const responses = await alter(broker, [[TOPIC, 'orders', 'retention.ms', ConfigOperation.SET, value]], version)
    deepEqual(responses, [{ errorCode: 0, errorMessage: null, resourceType: TOPIC, resourceName: 'orders' }])
    equal((broker.log('orders').config as { retentionMs: number }).retentionMs, Number(value))
  }
})

test('a change of a default for all brokers reaches the topics that do not say otherwise', async () => {
  const broker = await testBroker()
  await broker.createTopic('follows')
  await broker.createTopic('decides', { configs: { 'retention.ms': '7' } })
  await alter(broker, [[BROKER, '', 'log.retention.ms', ConfigOperation.SET, '1234']])
  const retentionOf = async (name: string) =>
    (await describe(broker, 4, TOPIC, name, { keys: ['retention.ms'] })).configs[0]!.value
  equal(await retentionOf('follows'), '1234')
  equal(await retentionOf('decides'), '7')
})

test('each resource has its own error', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  const responses = await alter(broker, [
    [TOPIC, 'orders', 'no.such.key', ConfigOperation.SET, '1'],
    [TOPIC, 'missing', 'retention.ms', ConfigOperation.SET, '1'],
  ])
  deepEqual(
    responses.map(({ errorCode, resourceName }) => [errorCode, resourceName]),
    [
      [ErrorCode.INVALID_CONFIG, 'orders'],
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'missing'],
    ],
  )
})

test('when the metadata log fails the client is sent to look for the controller', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  broker.metadataLog.refusesNext = true
  const responses = await alter(broker, [[TOPIC, 'orders', 'retention.ms', ConfigOperation.SET, '1']])
  deepEqual(
    responses.map(({ errorCode, resourceName }) => [errorCode, resourceName]),
    [[ErrorCode.NOT_CONTROLLER, 'orders']],
  )
})

test('in every version a whole configuration is replaced', async () => {
  const broker = await testBroker()
  for (let version = 0; version <= 2; version++) {
    const name = `topic-${version}`
    await broker.createTopic(name, { configs: { 'retention.ms': '5' } })
    const { responses } = await broker.ask(AlterConfigs, alterConfigs, version, {
      resources: [{ resourceType: TOPIC, resourceName: name, configs: [{ name: 'segment.ms', value: '9' }] }],
      validateOnly: false,
    })
    equal(responses[0]!.errorCode, ErrorCode.NONE)
    deepEqual([...broker.context.image().topics.get(name)!.configs], [['segment.ms', '9']])
  }
})

const list = (broker: TestBroker, version: number, resourceTypes: readonly number[]) =>
  broker.ask(ListConfigResources, listConfigResources, version, version === 0 ? {} : { resourceTypes })

test('topics and brokers are listed, all or by type', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  deepEqual((await list(broker, 1, [])).configResources, [
    { resourceName: 'orders', resourceType: TOPIC },
    { resourceName: '1', resourceType: BROKER },
    { resourceName: '2', resourceType: BROKER },
    { resourceName: '1', resourceType: BROKER_LOGGER },
    { resourceName: '2', resourceType: BROKER_LOGGER },
  ])
  deepEqual((await list(broker, 1, [TOPIC])).configResources, [{ resourceName: 'orders', resourceType: TOPIC }])
  deepEqual((await list(broker, 1, [GROUP])).configResources, [])
})

test('version 0 lists client metrics only, and an unknown type is not supported', async () => {
  const broker = await testBroker()
  await broker.createTopic('orders')
  deepEqual(await list(broker, 0, []), { throttleTimeMs: 0, errorCode: ErrorCode.NONE, configResources: [] })
  equal((await list(broker, 1, [TOPIC, 3])).errorCode, ErrorCode.UNSUPPORTED_VERSION)
})
