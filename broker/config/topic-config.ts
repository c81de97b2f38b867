// The configuration of one topic: the typed values that the broker acts on, made from the topic's own overrides and the broker's
// defaults as Kafka's LogConfig does. The catalogue with names, defaults and documentation is topic-keys.ts.
import type { BrokerConfig } from './broker-config.ts'
import type { ConfigKey } from './config-key.ts'

export type CleanupPolicy = 'delete' | 'compact'
export type CompressionType = 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export type TimestampType = 'CreateTime' | 'LogAppendTime'

/** -1 in a size or a time means "no limit"; Kafka's Long.MAX_VALUE reads as Number.MAX_SAFE_INTEGER. */
export type TopicConfig = {
  readonly cleanupPolicy: ReadonlySet<CleanupPolicy>
  readonly compressionType: CompressionType
  /** The level for the codec named by compressionType; meaningless for the other codecs. */
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
  readonly preallocate: boolean
  readonly retentionBytes: number
  readonly retentionMs: number
  readonly segmentBytes: number
  readonly segmentIndexBytes: number
  readonly segmentJitterMs: number
  readonly segmentMs: number
  readonly uncleanLeaderElectionEnable: boolean
}

/** What storage needs of a topic's configuration. */
export type LogConfig = Pick<
  TopicConfig,
  | 'cleanupPolicy'
  | 'fileDeleteDelayMs'
  | 'flushMessages'
  | 'flushMs'
  | 'indexIntervalBytes'
  | 'maxMessageBytes'
  | 'retentionBytes'
  | 'retentionMs'
  | 'segmentBytes'
  | 'segmentJitterMs'
  | 'segmentMs'
>

/** Every topic key that Kafka 4.x knows. */
export const topicConfigs: readonly ConfigKey[] = []

/** The typed configuration of a topic: its own `overrides`, else the broker's value, else the default. Overrides must have passed `checkTopicConfig`. */
export function topicConfig(_overrides: ReadonlyMap<string, string>, _broker: BrokerConfig): TopicConfig {
  throw new Error('topicConfig is about to exist')
}

/** Null when topics accept `value` for the key `name`, else a message like Kafka's. */
export function checkTopicConfig(_name: string, _value: string): string | null {
  return null
}
