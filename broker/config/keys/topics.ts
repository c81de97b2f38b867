// Topics as a whole: their number of partitions and replicas, what they accept and how it is compressed.
import type { ConfigKey } from '../config-key.ts'
import { atLeast, between, betweenOr, boolean, honoured, int, javaClass, known, oneOf, string } from '../kinds.ts'

export const topicDefaultKeys: readonly ConfigKey[] = [
  honoured('num.partitions', int(1, atLeast(1)), 'Partitions of a topic that is created without saying how many.'),
  honoured('default.replication.factor', int(1), 'Replicas of a topic that is created without saying how many.'),
  honoured(
    'min.insync.replicas',
    int(1, atLeast(1)),
    'How many replicas must have a record before acks=all is answered; never more than the topic has.',
    { updateMode: 'cluster-wide' },
  ),
  honoured('auto.create.topics.enable', boolean(true), 'Whether asking for a topic that does not exist creates it.'),
  honoured('delete.topic.enable', boolean(true), 'Whether topics can be deleted.'),
  honoured(
    'message.max.bytes',
    int(1_048_588, atLeast(0)),
    'The largest record batch that is accepted, after compression.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'max.decompressed.message.bytes',
    int(2_147_483_639, between(1, 2_147_483_639)),
    'The largest size that a compressed batch may unpack to.',
    { updateMode: 'cluster-wide' },
  ),
  honoured(
    'compression.type',
    string('producer', oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer')),
    'How the broker stores batches: as the producer sent them, uncompressed, or compressed again with this codec.',
    { updateMode: 'cluster-wide' },
  ),
  honoured(
    'compression.gzip.level',
    int(-1, betweenOr(1, 9, -1)),
    "Level used when the broker compresses with gzip; -1 is the codec's own default.",
    { updateMode: 'cluster-wide' },
  ),
  known('compression.lz4.level', int(9, between(1, 17)), 'Level of lz4 in Kafka; our codec has one.', {
    updateMode: 'cluster-wide',
  }),
  honoured(
    'compression.zstd.level',
    int(3, between(-131_072, 22)),
    'Level used when the broker compresses with zstd.',
    { updateMode: 'cluster-wide' },
  ),
  known('create.topic.policy.class.name', javaClass(null), 'Java class that judges requests to create topics.'),
  known('alter.config.policy.class.name', javaClass(null), 'Java class that judges changes of configuration.'),
]
