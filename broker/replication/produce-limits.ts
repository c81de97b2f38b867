// What a topic's configuration says about the batches that clients produce.
import type { TopicConfig } from '../config/topic-config.ts'
import type { ProduceLimits } from '../records/validate.ts'

/** What the rules of a topic say about produced batches. */
export function produceLimits(config: TopicConfig): ProduceLimits {
  const { compressionType, compressionLevels } = config
  return {
    maxMessageBytes: config.maxMessageBytes,
    segmentBytes: config.segmentBytes,
    isCompacted: config.cleanupPolicy.has('compact'),
    timestampType: config.messageTimestampType,
    timestampBeforeMaxMs: config.messageTimestampBeforeMaxMs,
    timestampAfterMaxMs: config.messageTimestampAfterMaxMs,
    compressionType: compressionType === 'uncompressed' ? 'none' : compressionType,
    ...(compressionType === 'gzip' || compressionType === 'lz4' || compressionType === 'zstd'
      ? { compressionLevel: compressionLevels[compressionType] }
      : {}),
  }
}
