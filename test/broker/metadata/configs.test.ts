import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'vitest'
import {
  alterConfigs,
  ConfigOperation,
  incrementalAlterConfigs,
  ResourceType,
  type AlterConfigsOptions,
  type ConfigOperations,
} from '../../../broker/metadata/configs.ts'
import type { MetadataImage } from '../../../broker/metadata/image.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { created, decide, imageOf, registered } from './images.ts'

const { SET, DELETE, APPEND, SUBTRACT } = ConfigOperation
const image = imageOf(registered(1), registered(2), created('orders', [[1]], { 'retention.ms': '5' }), created('other'))

type Change = readonly [name: string, operation: number, value: string | null]

const topic = (name: string, ...changes: readonly Change[]): ConfigOperations =>
  resource(ResourceType.TOPIC, name, changes)
const broker = (name: string, ...changes: readonly Change[]): ConfigOperations =>
  resource(ResourceType.BROKER, name, changes)

function resource(resourceType: number, resourceName: string, changes: readonly Change[]): ConfigOperations {
  const configs = changes.map(([name, configOperation, value]) => ({ name, configOperation, value }))
  return { resourceType, resourceName, configs }
}

function alter(resources: readonly ConfigOperations[], before: MetadataImage = image, validateOnly = false) {
  return decide(before, (current, emit) => incrementalAlterConfigs(current, resources, { validateOnly }, emit))
}

const configsOf = (after: MetadataImage, name = 'orders') => Object.fromEntries(after.topics.get(name)!.configs)

test('a key is set, and one that has that value already is not written again', () => {
  const {
    answer,
    image: after,
    records,
  } = alter([topic('orders', ['retention.ms', SET, '5'], ['max.message.bytes', SET, '100'])])
  deepEqual(answer, [{ errorCode: 0, errorMessage: null, resourceType: ResourceType.TOPIC, resourceName: 'orders' }])
  deepEqual(configsOf(after), { 'retention.ms': '5', 'max.message.bytes': '100' })
  equal(records.length, 1)
})

test('a key is deleted, also one that was not set', () => {
  const { answer, image: after } = alter([
    topic('orders', ['retention.ms', DELETE, null], ['segment.ms', DELETE, null]),
  ])
  equal(answer[0]!.errorCode, ErrorCode.NONE)
  deepEqual(configsOf(after), {})
})

test('a list is extended and shortened from its default or what is set', () => {
  const first = alter([topic('orders', ['cleanup.policy', APPEND, 'compact'])])
  equal(configsOf(first.image)['cleanup.policy'], 'delete,compact')
  const second = alter([topic('orders', ['cleanup.policy', SUBTRACT, 'delete'])], first.image)
  equal(configsOf(second.image)['cleanup.policy'], 'compact')
  const again = alter([topic('orders', ['cleanup.policy', APPEND, 'compact'])], second.image)
  deepEqual(again.records, [])
})

test('what was set before a key became unknown can still be deleted', () => {
  const before = imageOf(created('orders', [[1]], { 'key.of.another.version': 'x' }))
  equal(alter([topic('orders', ['key.of.another.version', DELETE, null])], before).answer[0]!.errorCode, ErrorCode.NONE)
})

test('all changes of a resource are made or none, and another resource is not concerned', () => {
  const { answer, image: after } = alter([
    topic('orders', ['max.message.bytes', SET, '100'], ['retention.ms', SET, 'soon']),
    topic('other', ['retention.ms', SET, '7']),
  ])
  deepEqual(
    answer.map(({ errorCode }) => errorCode),
    [ErrorCode.INVALID_CONFIG, ErrorCode.NONE],
  )
  deepEqual(configsOf(after), { 'retention.ms': '5' })
  deepEqual(configsOf(after, 'other'), { 'retention.ms': '7' })
})

test('validating changes nothing', () => {
  const { answer, records } = alter([topic('orders', ['retention.ms', SET, '9'])], image, true)
  equal(answer[0]!.errorCode, ErrorCode.NONE)
  deepEqual(records, [])
})

test('keys of brokers are set for all of them or for one', () => {
  const { image: after } = alter([
    broker('', ['log.retention.ms', SET, '1000']),
    broker('2', ['log.retention.ms', SET, '2000']),
  ])
  deepEqual([...after.brokerConfigs.get('')!], [['log.retention.ms', '1000']])
  deepEqual([...after.brokerConfigs.get('2')!], [['log.retention.ms', '2000']])
  equal(after.brokerConfigs.has('1'), false)
})

test('changes that make no sense are refused with the reason, and nothing is changed', () => {
  const wrong: [ConfigOperations[], ErrorCode, RegExp][] = [
    [[topic('orders', ['retention.ms', SET, null])], ErrorCode.INVALID_REQUEST, /^Null value not supported for : ret/],
    [[topic('orders', ['retention.ms', 7, '1'])], ErrorCode.INVALID_REQUEST, /^Unknown operations type 7$/],
    [[topic('orders', ['retention.ms', APPEND, '1'])], ErrorCode.INVALID_CONFIG, /^Can't APPEND to key retention\.ms/],
    [[topic('orders', ['retention.ms', SUBTRACT, '1'])], ErrorCode.INVALID_CONFIG, /^Can't SUBTRACT to key/],
    [
      [topic('orders', ['no.such.key', SET, '1'])],
      ErrorCode.INVALID_CONFIG,
      /Unknown topic config name: no\.such\.key/,
    ],
    [[topic('orders', ['no.such.key', APPEND, '1'])], ErrorCode.INVALID_CONFIG, /Unknown topic config name/],
    [[topic('orders', ['cleanup.policy', APPEND, 'burn'])], ErrorCode.INVALID_CONFIG, /burn/],
    [
      [topic('orders', ['segment.ms', SET, '1'], ['segment.ms', SET, '2'])],
      ErrorCode.INVALID_REQUEST,
      /duplicate config keys: segment\.ms/,
    ],
    [
      [topic('orders', ['min.compaction.lag.ms', SET, '9'], ['max.compaction.lag.ms', SET, '8'])],
      ErrorCode.INVALID_CONFIG,
      /min\.compaction\.lag\.ms \(9\) > max\.compaction\.lag\.ms \(8\)/,
    ],
    [[topic('missing', ['retention.ms', SET, '1'])], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, /'missing' does not exist/],
    [[topic('', ['retention.ms', SET, '1'])], ErrorCode.INVALID_REQUEST, /^Default topic resources are not allowed/],
    [[topic('a b', ['retention.ms', SET, '1'])], ErrorCode.INVALID_TOPIC_EXCEPTION, /^Topic name is invalid/],
    [[broker('x', ['log.retention.ms', SET, '1'])], ErrorCode.INVALID_REQUEST, /^Node id must be an integer.*x$/],
    [
      [broker('9', ['log.retention.ms', SET, '1'])],
      ErrorCode.INVALID_REQUEST,
      /registered brokers \(1, 2\).*received 9/,
    ],
    [[broker('01', ['log.retention.ms', SET, '1'])], ErrorCode.INVALID_REQUEST, /received 01/],
    [
      [broker('1', ['log.dirs', SET, '/x'])],
      ErrorCode.INVALID_REQUEST,
      /^Cannot update these configs dynamically: \[log\.dirs\]/,
    ],
    [[broker('', ['advertised.listeners', SET, 'A://b:1'])], ErrorCode.INVALID_REQUEST, /^Cannot update these configs/],
    [[broker('1', ['log.retention.msec', SET, '1'])], ErrorCode.INVALID_CONFIG, /Did you mean log\.retention\.ms/],
    [[broker('1', ['log.retention.ms', SET, 'x'])], ErrorCode.INVALID_REQUEST, /Not a number/],
    [[broker('', ['max.connections', SET, '0'])], ErrorCode.INVALID_REQUEST, /nobody could set it back/],
    [[broker('1', ['max.connections.per.ip', SET, '0'])], ErrorCode.INVALID_REQUEST, /nobody could set it back/],
    [
      [broker('1', ['max.connections.per.ip.overrides', SET, 'a'])],
      ErrorCode.INVALID_REQUEST,
      /'a' is no address:count/,
    ],
    [[resource(ResourceType.BROKER_LOGGER, '1', [])], ErrorCode.INVALID_REQUEST, /flotilla\.log\.level/],
    [[resource(ResourceType.GROUP, '', [])], ErrorCode.INVALID_REQUEST, /^Default group resources are not allowed/],
    [[resource(ResourceType.CLIENT_METRICS, '', [])], ErrorCode.INVALID_REQUEST, /^Subscription name can't be empty/],
    [
      [resource(ResourceType.GROUP, 'g', [['nonsense', SET, '1']])],
      ErrorCode.INVALID_CONFIG,
      /^Unknown group config name: nonsense$/,
    ],
    [
      [resource(ResourceType.CLIENT_METRICS, 'm', [['nonsense', SET, '1']])],
      ErrorCode.INVALID_REQUEST,
      /^Unknown client metrics configuration: nonsense$/,
    ],
    [
      [resource(ResourceType.CLIENT_METRICS, 'm', [['interval.ms', SET, '99']])],
      ErrorCode.INVALID_REQUEST,
      /^Invalid value 99 for interval\.ms, interval must be between 100 and 3600000 \(1 hour\)$/,
    ],
    [
      [resource(ResourceType.CLIENT_METRICS, 'm', [['match', SET, 'client_id=[']])],
      ErrorCode.INVALID_CONFIG,
      /^Illegal client matching pattern: client_id=\[$/,
    ],
    [[resource(99, 'x', [])], ErrorCode.INVALID_REQUEST, /^Unknown resource type 99$/],
  ]
  for (const [resources, code, message] of wrong) {
    const { answer, records } = alter(resources)
    deepEqual(records, [], String(message))
    equal(answer[0]!.errorCode, code, `${message}: ${answer[0]!.errorMessage}`)
    match(answer[0]!.errorMessage!, message)
  }
})

test('a resource named twice is refused both times', () => {
  const { answer, records } = alter([
    topic('orders', ['segment.ms', SET, '1']),
    topic('orders', ['retention.ms', SET, '1']),
  ])
  deepEqual(records, [])
  deepEqual(
    answer.map(({ errorMessage }) => errorMessage),
    ['Each resource must appear at most once.', 'Each resource must appear at most once.'],
  )
})

function replace(resourceType: number, resourceName: string, configs: Readonly<Record<string, string | null>>) {
  const entries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  const resources = [{ resourceType, resourceName, configs: entries }]
  return decide(image, (current, emit) => alterConfigs(current, resources, { validateOnly: false }, emit))
}

test('replacing a configuration takes away what it does not name', () => {
  const { image: after } = replace(ResourceType.TOPIC, 'orders', { 'segment.ms': '100' })
  deepEqual(configsOf(after), { 'segment.ms': '100' })
})

test('replacing follows the rules of changing', () => {
  equal(replace(ResourceType.TOPIC, 'orders', { 'segment.ms': null }).answer[0]!.errorCode, ErrorCode.INVALID_REQUEST)
  equal(replace(ResourceType.TOPIC, 'orders', { 'no.such': '1' }).answer[0]!.errorCode, ErrorCode.INVALID_CONFIG)
  equal(replace(ResourceType.TOPIC, 'missing', {}).answer[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  match(replace(ResourceType.BROKER, '', {}).answer[0]!.errorMessage!, /^Node id must be an integer/)
})

test('groups and subscriptions to metrics keep what is set for them, and are gone with their last key', () => {
  const first = alter([
    resource(ResourceType.GROUP, 'g', [['consumer.session.timeout.ms', SET, '50000']]),
    resource(ResourceType.CLIENT_METRICS, 'm', [
      ['interval.ms', SET, '5000'],
      ['metrics', APPEND, 'org.apache'],
    ]),
  ])
  deepEqual(
    first.answer.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.NONE],
  )
  deepEqual([...first.image.groupConfigs.get('g')!], [['consumer.session.timeout.ms', '50000']])
  deepEqual(
    [...first.image.clientMetricsConfigs.get('m')!],
    [
      ['interval.ms', '5000'],
      ['metrics', 'org.apache'],
    ],
  )
  const second = alter(
    [
      resource(ResourceType.GROUP, 'g', [['consumer.session.timeout.ms', DELETE, null]]),
      resource(ResourceType.CLIENT_METRICS, 'm', [['metrics', DELETE, null]]),
    ],
    first.image,
  )
  equal(second.image.groupConfigs.size, 0)
  deepEqual([...second.image.clientMetricsConfigs.get('m')!], [['interval.ms', '5000']])
})

test('the bounds of a group are those of the broker', () => {
  const config = { explicit: new Map([['group.consumer.max.session.timeout.ms', '80000']]) }
  const wanted = [resource(ResourceType.GROUP, 'g', [['consumer.session.timeout.ms', SET, '70000']])]
  const ask = (options: AlterConfigsOptions) =>
    decide(image, (before, emit) => incrementalAlterConfigs(before, wanted, options, emit)).answer[0]!.errorCode
  equal(ask({ validateOnly: false }), ErrorCode.INVALID_CONFIG)
  equal(ask({ validateOnly: false, config }), ErrorCode.NONE)
})
