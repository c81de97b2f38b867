import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { parseBrokerConfig, type BrokerConfig } from '../../../broker/config/broker-config.ts'
import { checkTopicConfigs, topicConfig } from '../../../broker/config/topic-config.ts'

const broker = (values: Record<string, string> = {}): BrokerConfig => {
  const parsed = parseBrokerConfig(new Map(Object.entries(values)))
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
  return parsed.config
}
const overrides = (values: Record<string, string>): Map<string, string> => new Map(Object.entries(values))

test('a topic that sets nothing has the defaults of the broker, without a copy', () => {
  const config = broker()
  equal(topicConfig(new Map(), config), config.topicDefaults)
  equal(config.topicDefaults.retentionMs, 604_800_000)
  equal(config.topicDefaults.flushMessages, 1)
  equal(config.topicDefaults.flushMs, Number.MAX_SAFE_INTEGER)
})

test('what a topic sets counts before what the broker sets', () => {
  const config = broker({ 'log.retention.ms': '1000', 'message.max.bytes': '2000' })
  const topic = topicConfig(overrides({ 'retention.ms': '5', 'cleanup.policy': 'compact, delete' }), config)
  equal(topic.retentionMs, 5)
  equal(topic.maxMessageBytes, 2000)
  deepEqual(topic.cleanupPolicy, new Set(['compact', 'delete']))
})

test('milliseconds count before minutes before hours', () => {
  equal(broker({ 'log.retention.hours': '2' }).topicDefaults.retentionMs, 7_200_000)
  equal(broker({ 'log.retention.hours': '2', 'log.retention.minutes': '3' }).topicDefaults.retentionMs, 180_000)
  equal(broker({ 'log.retention.hours': '2', 'log.retention.ms': '4' }).topicDefaults.retentionMs, 4)
  equal(broker({ 'log.roll.hours': '1' }).topicDefaults.segmentMs, 3_600_000)
  equal(broker({ 'log.flush.scheduler.interval.ms': '9' }).topicDefaults.flushMs, 9)
})

test('every negative time or size is no limit', () => {
  equal(broker({ 'log.retention.hours': '-1' }).topicDefaults.retentionMs, -1)
  equal(broker({ 'log.retention.minutes': '-5' }).topicDefaults.retentionMs, -1)
  equal(topicConfig(overrides({ 'retention.bytes': '-7' }), broker()).retentionBytes, -1)
})

test('the largest hours do not lose precision', () => {
  equal(broker({ 'log.retention.hours': '2147483647' }).topicDefaults.retentionMs, 2_147_483_647 * 3_600_000)
})

test('internal.segment.bytes goes below the lower limit of segment.bytes', () => {
  equal(
    topicConfig(overrides({ 'segment.bytes': '2000000', 'internal.segment.bytes': '100' }), broker()).segmentBytes,
    100,
  )
})

test('overrides that contradict each other are refused', () => {
  equal(
    checkTopicConfigs(overrides({ 'min.compaction.lag.ms': '10', 'max.compaction.lag.ms': '5' })),
    'conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)',
  )
  equal(checkTopicConfigs(overrides({ 'retention.ms': '1', nonsense: '1' })), 'Unknown topic config name: nonsense')
  equal(checkTopicConfigs(overrides({ 'retention.ms': '1' })), null)
})
