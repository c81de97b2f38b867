import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import {
  brokerValue,
  parseBrokerConfig,
  withDynamicConfig,
  type BrokerConfig,
  type ParseOptions,
} from '../../../broker/config/broker-config.ts'

const parse = (values: Record<string, string>, options: ParseOptions = {}) =>
  parseBrokerConfig(new Map(Object.entries(values)), options)
const configOf = (values: Record<string, string> = {}, options: ParseOptions = {}): BrokerConfig => {
  const parsed = parse(values, options)
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
  return parsed.config
}
const errorsOf = (values: Record<string, string>, options: ParseOptions = {}): readonly string[] => {
  const parsed = parse(values, options)
  return 'errors' in parsed ? parsed.errors : []
}

test('a broker starts without any configuration', () => {
  const config = configOf()
  equal(config.nodeId, 1)
  equal(config.logDir, './data')
  deepEqual(config.listeners, [{ name: 'PLAINTEXT', host: '', port: 9092, securityProtocol: 'PLAINTEXT' }])
  equal(config.topicDefaults.flushMessages, 1)
})

test('the server.properties of a Kafka controller-and-broker works as it is', () => {
  const config = configOf({
    'process.roles': 'broker,controller',
    'node.id': '7',
    'controller.quorum.bootstrap.servers': 'localhost:9093',
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'inter.broker.listener.name': 'PLAINTEXT',
    'advertised.listeners': 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'num.network.threads': '3',
    'log.dirs': '/var/lib/kafka',
    'offsets.topic.replication.factor': '1',
    'log.retention.hours': '168',
  })
  equal(config.nodeId, 7)
  equal(config.logDir, '/var/lib/kafka')
  deepEqual(config.advertisedListeners, [
    { name: 'PLAINTEXT', host: 'localhost', port: 9092, securityProtocol: 'PLAINTEXT' },
  ])
})

test('all that is wrong is said at once, each with the place it came from', () => {
  const origin = (name: string): string | undefined => (name === 'num.partitions' ? 'x.properties line 3' : undefined)
  deepEqual(errorsOf({ 'num.partitions': '0', 'log.retention.hour': '1' }, { origin }), [
    'x.properties line 3: Invalid value 0 for configuration num.partitions: Value must be at least 1',
    'Unknown broker config name: log.retention.hour. Did you mean log.retention.hours?',
  ])
})

const REFUSED: readonly (readonly [title: string, values: Record<string, string>, expected: string])[] = [
  ['two data directories', { 'log.dirs': '/a,/b' }, 'a broker has exactly one'],
  ['no data directory', { 'log.dirs': ' ' }, 'a broker has exactly one'],
  ['a retention of nothing', { 'log.retention.minutes': '0' }, 'unlimited (-1) or, greater than or equal to 1'],
  ['a roll time of nothing', { 'log.roll.ms': '0' }, 'log.roll.ms must be greater than or equal to 1'],
  ['two different ids', { 'node.id': '1', 'broker.id': '2' }, 'differ'],
  ['a negative id', { 'broker.id': '-1' }, '0 or more'],
  ['a process that is only a controller', { 'process.roles': 'controller' }, 'names no broker'],
  ['no connections at all', { 'max.connections.per.ip': '0' }, 'max.connections.per.ip.overrides'],
  ['an override without a count', { 'max.connections.per.ip.overrides': 'a' }, "'a' is no address:count"],
  ['a cluster id that is none', { 'flotilla.cluster.id': 'mine' }, '22 characters'],
]

for (const [title, values, expected] of REFUSED)
  test(`${title}: refused, with the fix`, () => {
    const errors = errorsOf(values)
    equal(errors.length, 1)
    ok(errors[0]!.includes(expected), errors[0]!)
  })

test('broker.id is the older name of node.id', () => {
  equal(configOf({ 'broker.id': '5' }).nodeId, 5)
  equal(configOf({ 'broker.id': '5', 'node.id': '5' }).nodeId, 5)
})

test('the bound on all requests may be below the size of one: the server lets a single larger one finish', () => {
  equal(errorsOf({ 'queued.max.request.bytes': '1000' }).length, 0)
})

test('no limit is a number that nothing reaches', () => {
  equal(configOf({ 'queued.max.request.bytes': '-1' }).queuedMaxRequestBytes, Number.MAX_SAFE_INTEGER)
  equal(configOf({ 'connections.max.idle.ms': '-7' }).connectionsMaxIdleMs, -1)
})

test('limits for single addresses are read, also for IPv6', () => {
  const { maxConnectionsPerIpOverrides } = configOf({ 'max.connections.per.ip.overrides': '127.0.0.1:5, ::1:7' })
  deepEqual(maxConnectionsPerIpOverrides, new Map([['127.0.0.1', 5], ['::1', 7]])) // prettier-ignore
})

test('explicit holds what was set, honoured or not, and the rest has its default', () => {
  const config = configOf({ 'log.cleaner.threads': '3', 'num.partitions': ' 4 ' })
  deepEqual(config.explicit, new Map([['log.cleaner.threads', '3'], ['num.partitions', '4']])) // prettier-ignore
  equal(brokerValue(config, 'num.partitions'), '4')
  equal(brokerValue(config, 'fetch.max.bytes'), '57671680')
  equal(brokerValue(config, 'broker.rack'), null)
})

test("what was set while it runs counts first: this broker's before all brokers'", () => {
  const config = configOf({ 'log.retention.hours': '1', 'message.max.bytes': '10' })
  const ofThis = new Map([['log.retention.ms', '2']])
  const ofAll = new Map([['log.retention.ms', '3'], ['message.max.bytes', '20']]) // prettier-ignore
  const { config: changed } = withDynamicConfig(config, ofThis, ofAll)
  equal(changed.topicDefaults.retentionMs, 2)
  equal(changed.topicDefaults.maxMessageBytes, 20)
  equal(changed.explicit, config.explicit)
  equal(withDynamicConfig(config, new Map(), new Map()).config, config)
})

test('what cannot change while it runs is left out and named', () => {
  const config = configOf()
  const { config: same, refused } = withDynamicConfig(config, new Map([['node.id', '9']]), new Map([['x', '1']]))
  equal(same.nodeId, 1)
  deepEqual(new Set(refused), new Set(['node.id', 'x']))
})
