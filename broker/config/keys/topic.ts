// Every key of a topic that Kafka 4.0 to 4.4 knows, with the broker key that supplies its default.
import type { ConfigKey } from '../config-key.ts'
import {
  MAX_LONG,
  atLeast,
  between,
  betweenOr,
  boolean,
  double,
  honoured,
  int,
  known,
  list,
  long,
  oneOf,
  string,
  throttledReplicas,
} from '../kinds.ts'

export const topicKeys: readonly ConfigKey[] = [
  honoured(
    'cleanup.policy',
    list('delete', oneOf('compact', 'delete')),
    'What happens to old records: delete them by time and size, or (compact) keep the last one of each key; empty keeps everything. Compaction itself is not performed yet.',
    { brokerKey: 'log.cleanup.policy' },
  ),
  honoured(
    'compression.type',
    string('producer', oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer')),
    'How the broker stores batches: as the producer sent them, uncompressed, or compressed again with this codec.',
    { brokerKey: 'compression.type' },
  ),
  honoured(
    'compression.gzip.level',
    int(-1, betweenOr(1, 9, -1)),
    "Level used when compression.type is gzip; -1 is the codec's own default.",
    { brokerKey: 'compression.gzip.level' },
  ),
  known('compression.lz4.level', int(9, between(1, 17)), 'Level of lz4 in Kafka; our codec has one.', {
    brokerKey: 'compression.lz4.level',
  }),
  honoured('compression.zstd.level', int(3, between(-131_072, 22)), 'Level used when compression.type is zstd.', {
    brokerKey: 'compression.zstd.level',
  }),
  honoured('delete.retention.ms', long(86_400_000, atLeast(0)), 'How long a tombstone survives in a compacted topic.', {
    brokerKey: 'log.cleaner.delete.retention.ms',
  }),
  known(
    'errors.deadletterqueue.group.enable',
    boolean(false),
    'Whether share groups may use this topic for dead letters.',
  ),
  honoured('file.delete.delay.ms', long(60_000, atLeast(0)), 'How long the file of a deleted segment stays on disk.', {
    brokerKey: 'log.segment.delete.delay.ms',
  }),
  honoured(
    'flush.messages',
    long(1, atLeast(1)),
    'Records that may be appended before they are written through to the disk (fsync). 1: nothing is acknowledged before it is on the disk.',
    { brokerKey: 'log.flush.interval.messages', kafkaDefault: MAX_LONG },
  ),
  honoured('flush.ms', long(MAX_LONG, atLeast(0)), 'The longest that a record may stay unflushed.', {
    brokerKey: 'log.flush.interval.ms',
  }),
  known(
    'follower.replication.throttled.replicas',
    list('', throttledReplicas),
    'Replicas whose fetching is throttled, as partition:broker entries, or * for all.',
  ),
  known(
    'index.interval.bytes',
    int(4096, atLeast(0)),
    "How far apart the entries of a segment's offset index are in Kafka; ours has an interval of its own.",
    { brokerKey: 'log.index.interval.bytes' },
  ),
  honoured('internal.segment.bytes', int(null), 'Overrides segment.bytes without its lower limit; for tests.', {
    isInternal: true,
  }),
  known(
    'leader.replication.throttled.replicas',
    list('', throttledReplicas),
    'Replicas whose leaders are throttled, as partition:broker entries, or * for all.',
  ),
  known(
    'local.retention.bytes',
    long(-2, atLeast(-2)),
    'How much of what is also in the tiered store stays on the local disk; -2 means as much as retention.bytes.',
    { brokerKey: 'log.local.retention.bytes' },
  ),
  known(
    'local.retention.ms',
    long(-2, atLeast(-2)),
    'How long records that are also in the tiered store stay on the local disk; -2 means as long as retention.ms.',
    { brokerKey: 'log.local.retention.ms' },
  ),
  honoured(
    'max.compaction.lag.ms',
    long(MAX_LONG, atLeast(1)),
    'Records older than this are compacted whatever the ratio is.',
    { brokerKey: 'log.cleaner.max.compaction.lag.ms' },
  ),
  known(
    'max.decompressed.message.bytes',
    int(2_147_483_639, between(1, 2_147_483_639)),
    'The largest size that a compressed batch may unpack to.',
    { brokerKey: 'max.decompressed.message.bytes' },
  ),
  honoured(
    'max.message.bytes',
    int(1_048_588, atLeast(0)),
    'The largest record batch that is accepted, after compression.',
    { brokerKey: 'message.max.bytes' },
  ),
  honoured(
    'message.timestamp.after.max.ms',
    long(3_600_000, atLeast(0)),
    'A record is refused when its time is further in the future than this.',
    { brokerKey: 'log.message.timestamp.after.max.ms' },
  ),
  honoured(
    'message.timestamp.before.max.ms',
    long(MAX_LONG, atLeast(0)),
    'A record is refused when its time is further in the past than this.',
    { brokerKey: 'log.message.timestamp.before.max.ms' },
  ),
  honoured(
    'message.timestamp.type',
    string('CreateTime', oneOf('CreateTime', 'LogAppendTime')),
    "Whether a record's time is the one its producer set or the one of its arrival.",
    { brokerKey: 'log.message.timestamp.type' },
  ),
  honoured(
    'min.cleanable.dirty.ratio',
    double(0.5, between(0, 1)),
    'The share of a log that must be uncleaned before it is compacted.',
    { brokerKey: 'log.cleaner.min.cleanable.ratio' },
  ),
  honoured('min.compaction.lag.ms', long(0, atLeast(0)), 'Records younger than this are not compacted.', {
    brokerKey: 'log.cleaner.min.compaction.lag.ms',
  }),
  honoured(
    'min.insync.replicas',
    int(1, atLeast(1)),
    'How many replicas must have a record before acks=all is answered; never more than the topic has.',
    { brokerKey: 'min.insync.replicas' },
  ),
  known('preallocate', boolean(false), 'Creates segment files at their full size in Kafka.', {
    brokerKey: 'log.preallocate',
  }),
  known(
    'remote.copy.lag.bytes',
    long(-1, atLeast(-1)),
    'How many bytes of closed segments may wait before they are copied to the tiered store.',
    { brokerKey: 'log.remote.copy.lag.bytes' },
  ),
  known(
    'remote.copy.lag.ms',
    long(0, atLeast(-1)),
    'How long a closed segment may wait before it is copied to the tiered store.',
    { brokerKey: 'log.remote.copy.lag.ms' },
  ),
  known('remote.log.copy.disable', boolean(false), 'Stops copying to the tiered store; what is there stays readable.'),
  known(
    'remote.log.delete.on.disable',
    boolean(false),
    'Deletes what is in the tiered store when tiered storage is switched off for the topic.',
  ),
  known('remote.storage.enable', boolean(false), 'Whether the topic uses tiered storage.'),
  honoured(
    'retention.bytes',
    long(-1),
    'How large a partition may grow before its oldest segments go; -1 means no limit.',
    { brokerKey: 'log.retention.bytes' },
  ),
  honoured('retention.ms', long(604_800_000, atLeast(-1)), 'How long records are kept; -1 keeps them for ever.', {
    brokerKey: 'log.retention.ms',
  }),
  honoured('segment.bytes', int(1_073_741_824, atLeast(1_048_576)), 'A segment is closed at this size.', {
    brokerKey: 'log.segment.bytes',
  }),
  known(
    'segment.index.bytes',
    int(10_485_760, atLeast(4)),
    'Size of an index file in Kafka; our indexes grow as needed.',
    { brokerKey: 'log.index.size.max.bytes' },
  ),
  honoured(
    'segment.jitter.ms',
    long(0, atLeast(0)),
    'Up to this much is taken off the age at which a segment is closed, so that not all are closed at once.',
    { brokerKey: 'log.roll.jitter.ms' },
  ),
  honoured('segment.ms', long(604_800_000, atLeast(1)), 'A segment is closed at this age.', {
    brokerKey: 'log.roll.ms',
  }),
  known(
    'unclean.leader.election.enable',
    boolean(false),
    'Whether a replica that is not in sync may become leader when no other is left, which loses records.',
    { brokerKey: 'unclean.leader.election.enable' },
  ),
]
