import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { brokerConfigKey } from '../../../broker/config/broker-keys.ts'
import { groupConfigKeys, groupConfigProblem, illegalMatch } from '../../../broker/config/resource-config.ts'

const broker = (values: Readonly<Record<string, string>> = {}) => ({ explicit: new Map(Object.entries(values)) })
const problem = (name: string, value: string, config = broker()) => groupConfigProblem(new Map([[name, value]]), config)

test('every key of a group that has a default on the broker names a key that exists, with the same default', () => {
  for (const { name, brokerKey, default: value } of groupConfigKeys) {
    if (brokerKey !== undefined) equal(brokerConfigKey(brokerKey)?.default, value, name)
  }
  ok(groupConfigKeys.length > 20)
})

test('a group stays within the bounds that the broker sets, in the words of Kafka', () => {
  equal(problem('consumer.session.timeout.ms', '50000'), null)
  equal(
    problem('consumer.session.timeout.ms', '70000'),
    'consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.',
  )
  equal(
    problem('consumer.session.timeout.ms', '70000', broker({ 'group.consumer.max.session.timeout.ms': '80000' })),
    null,
  )
  equal(problem('streams.num.standby.replicas', '5'), 'streams.num.standby.replicas must be less than or equal to 2')
  equal(
    problem('share.partition.max.record.locks', '99999'),
    'share.partition.max.record.locks must be in the range 100 to 4000 inclusive.',
  )
  equal(
    problem('consumer.heartbeat.interval.ms', '0'),
    'Invalid value 0 for configuration consumer.heartbeat.interval.ms: Value must be at least 1',
  )
})

test('what a group cannot be is said', () => {
  equal(problem('nonsense', '1'), 'Unknown group config name: nonsense')
  equal(
    problem('errors.deadletterqueue.topic.name', '__x'),
    "errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'",
  )
  equal(
    problem('streams.assignor.name', 'x'),
    "streams.assignor.name 'x' is not a registered task assignor. Registered assignors are: [sticky].",
  )
  equal(
    problem('share.isolation.level', 'x'),
    'Invalid value x for configuration share.isolation.level: String must be one of: read_committed, read_uncommitted',
  )
})

test('a share group starts at an end of the log, or some time ago', () => {
  const accepted = ['earliest', 'latest', 'by_duration:PT1H', 'by_duration:P1DT2H3M4.5S', 'by_duration:P2D']
  deepEqual(
    accepted.map(value => problem('share.auto.offset.reset', value)),
    accepted.map(() => null),
  )
  for (const value of ['x', 'none', 'by_duration:', 'by_duration:P', 'by_duration:PT', 'by_duration:1H']) {
    ok(problem('share.auto.offset.reset', value) !== null, value)
  }
})

test('a selector of clients is a known property and a pattern', () => {
  equal(illegalMatch(''), null)
  equal(illegalMatch('client_id=app-.*, client_software_name=b'), null)
  for (const match of ['foo=bar', 'client_id', 'client_id=a=b', 'client_id=[']) {
    equal(illegalMatch(match), `Illegal client matching pattern: ${match}`)
  }
})
