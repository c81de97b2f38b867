// The configuration of one topic: the typed values that the broker acts on, made from the topic's own overrides and the broker's
// defaults as Kafka's LogConfig does. Names, defaults and documentation are keys/topic.ts; the broker's defaults and their
// synonyms (log.retention.hours and the like) are topic-defaults.ts.
import { assert } from '../base/assert.ts'
import type { ConfigKey } from './config-key.ts'
import { booleanOf, checkValue, listOf, numberOf } from './config-key.ts'
import { topicKeys } from './keys/topic.ts'

export type CleanupPolicy = 'delete' | 'compact'
export type CompressionType = 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export type TimestampType = 'CreateTime' | 'LogAppendTime'

/** -1 in a size or a time means "no limit"; Kafka's Long.MAX_VALUE reads as Number.MAX_SAFE_INTEGER. */
export type TopicConfig = {
  /** Empty: everything is kept. */
  readonly cleanupPolicy: ReadonlySet<CleanupPolicy>
  readonly compressionType: CompressionType
  /** Each is used when compressionType names its codec; gzip -1 = the codec's own default. */
  readonly compressionLevels: { readonly gzip: number; readonly lz4: number; readonly zstd: number }
  readonly deleteRetentionMs: number
  readonly fileDeleteDelayMs: number
  /** fsync after this many records; 1 = every append is on disk before it counts as stored. */
  readonly flushMessages: number
  readonly flushMs: number
  readonly indexIntervalBytes: number
  readonly maxCompactionLagMs: number
  readonly maxMessageBytes: number
  readonly messageTimestampAfterMaxMs: number
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampType: TimestampType
  readonly minCleanableDirtyRatio: number
  readonly minCompactionLagMs: number
  readonly minInsyncReplicas: number
  readonly retentionBytes: number
  readonly retentionMs: number
  /** internal.segment.bytes where it is set, else segment.bytes. */
  readonly segmentBytes: number
  readonly segmentJitterMs: number
  readonly segmentMs: number
  readonly uncleanLeaderElectionEnable: boolean
}

/** What storage needs of a topic's configuration. */
export type LogConfig = Pick<
  TopicConfig,
  | 'cleanupPolicy'
  | 'deleteRetentionMs'
  | 'fileDeleteDelayMs'
  | 'flushMessages'
  | 'flushMs'
  | 'indexIntervalBytes'
  | 'maxCompactionLagMs'
  | 'maxMessageBytes'
  | 'minCleanableDirtyRatio'
  | 'minCompactionLagMs'
  | 'retentionBytes'
  | 'retentionMs'
  | 'segmentBytes'
  | 'segmentJitterMs'
  | 'segmentMs'
>

/** Every topic key that Kafka 4.x knows. */
export const topicConfigs: readonly ConfigKey[] = topicKeys

const byName: ReadonlyMap<string, ConfigKey> = new Map(topicConfigs.map(key => [key.name, key]))

export function topicConfigKey(name: string): ConfigKey | undefined {
  return byName.get(name)
}

/** What a topic gets that sets nothing itself. Part of BrokerConfig. */
export type TopicDefaults = {
  readonly topicDefaults: TopicConfig
  /** The same as texts, by topic key. */
  readonly topicDefaultTexts: ReadonlyMap<string, string>
}

/**
 * The typed configuration of a topic: its own `overrides`, else the broker's values. Overrides must have passed
 * `checkTopicConfigs`. Costs nothing without overrides, so it may be asked for every topic of a large cluster.
 */
export function topicConfig(overrides: ReadonlyMap<string, string>, broker: TopicDefaults): TopicConfig {
  if (overrides.size === 0) return broker.topicDefaults
  return readTopicConfig(name => overrides.get(name) ?? broker.topicDefaultTexts.get(name))
}

/** Reads the typed values; `textOf` knows every topic key that has a default. */
export function readTopicConfig(textOf: (name: string) => string | undefined): TopicConfig {
  const text = (name: string): string => {
    const value = textOf(name)
    assert(value !== undefined, `topic key ${name} has a value`)
    return value.trim()
  }
  const number = (name: string): number => numberOf(text(name))
  return {
    cleanupPolicy: new Set(listOf(text('cleanup.policy')) as CleanupPolicy[]),
    compressionType: text('compression.type') as CompressionType,
    compressionLevels: {
      gzip: number('compression.gzip.level'),
      lz4: number('compression.lz4.level'),
      zstd: number('compression.zstd.level'),
    },
    deleteRetentionMs: number('delete.retention.ms'),
    fileDeleteDelayMs: number('file.delete.delay.ms'),
    flushMessages: number('flush.messages'),
    flushMs: number('flush.ms'),
    indexIntervalBytes: number('index.interval.bytes'),
    maxCompactionLagMs: number('max.compaction.lag.ms'),
    maxMessageBytes: number('max.message.bytes'),
    messageTimestampAfterMaxMs: number('message.timestamp.after.max.ms'),
    messageTimestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    messageTimestampType: text('message.timestamp.type') as TimestampType,
    minCleanableDirtyRatio: number('min.cleanable.dirty.ratio'),
    minCompactionLagMs: number('min.compaction.lag.ms'),
    minInsyncReplicas: number('min.insync.replicas'),
    // Kafka accepts any negative number here.
    retentionBytes: Math.max(-1, number('retention.bytes')),
    retentionMs: number('retention.ms'),
    segmentBytes: numberOf(textOf('internal.segment.bytes') ?? text('segment.bytes')),
    segmentJitterMs: number('segment.jitter.ms'),
    segmentMs: number('segment.ms'),
    uncleanLeaderElectionEnable: booleanOf(text('unclean.leader.election.enable')),
  }
}

/** Null when topics accept `value` for the key `name`, else a message like Kafka's (for INVALID_CONFIG). */
export function checkTopicConfig(name: string, value: string): string | null {
  const key = byName.get(name)
  return key ? checkValue(key, value) : `Unknown topic config name: ${name}`
}

/** The same for all overrides of a topic, and for what they mean together. */
export function checkTopicConfigs(overrides: ReadonlyMap<string, string>): string | null {
  for (const [name, value] of overrides) {
    const problem = checkTopicConfig(name, value)
    if (problem) return problem
  }
  const least = overrides.get('min.compaction.lag.ms')
  const most = overrides.get('max.compaction.lag.ms')
  if (least !== undefined && most !== undefined && numberOf(least) > numberOf(most))
    return `conflict topic config setting min.compaction.lag.ms (${least}) > max.compaction.lag.ms (${most})`
  return null
}
