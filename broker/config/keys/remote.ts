// Tiered storage.
import type { ConfigKey } from '../config-key.ts'
import { MAX_LONG, atLeast, between, boolean, double, int, known, long, nonEmpty, string } from '../kinds.ts'

export const remoteKeys: readonly ConfigKey[] = [
  known('remote.log.storage.system.enable', boolean(false), 'Whether the broker uses tiered storage at all.'),
  known('remote.log.storage.manager.class.name', string(null, nonEmpty), 'Java class that talks to the tiered store.'),
  known('remote.log.storage.manager.class.path', string(null), 'Where that class is.'),
  known(
    'remote.log.storage.manager.impl.prefix',
    string('rsm.config.', nonEmpty),
    'Prefix of the keys that are handed to that class.',
  ),
  known(
    'remote.log.metadata.manager.class.name',
    string('org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager', nonEmpty),
    'Java class that remembers what is in the tiered store.',
  ),
  known('remote.log.metadata.manager.class.path', string(null), 'Where that class is.'),
  known(
    'remote.log.metadata.manager.impl.prefix',
    string('rlmm.config.', nonEmpty),
    'Prefix of the keys that are handed to that class.',
  ),
  known('remote.log.metadata.manager.listener.name', string(null, nonEmpty), 'Listener that this class connects to.'),
  known(
    'remote.log.metadata.custom.metadata.max.bytes',
    int(128, atLeast(0)),
    'The most that the tiered store may attach to one segment.',
  ),
  known(
    'remote.log.index.file.cache.total.size.bytes',
    long(1_073_741_824, atLeast(1)),
    'Disk space for indexes fetched from the tiered store.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'remote.log.index.file.cache.ttl.ms',
    long(900_000, atLeast(-1)),
    'How long such an index stays when nobody uses it; -1 means until the space is needed.',
    { isInternal: true },
  ),
  known('remote.log.manager.thread.pool.size', int(2, atLeast(1)), 'Threads for tiered storage in Kafka.'),
  known(
    'remote.log.manager.copier.thread.pool.size',
    int(10, atLeast(1)),
    'Threads that copy segments to the tiered store in Kafka.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'remote.log.manager.expiration.thread.pool.size',
    int(10, atLeast(1)),
    'Threads that delete segments from the tiered store in Kafka.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'remote.log.manager.follower.thread.pool.size',
    int(2, atLeast(1)),
    'Threads that follow what others copied in Kafka.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'remote.log.manager.task.interval.ms',
    long(30_000, atLeast(1)),
    'How often segments to copy or delete are looked for.',
  ),
  known('remote.log.manager.task.retry.backoff.ms', long(500, atLeast(1)), 'The first pause after a failed copy.', {
    isInternal: true,
  }),
  known(
    'remote.log.manager.task.retry.backoff.max.ms',
    long(30_000, atLeast(1)),
    'The longest pause after failed copies.',
    { isInternal: true },
  ),
  known(
    'remote.log.manager.task.retry.jitter',
    double(0.2, between(0, 0.5)),
    'How much chance there is in those pauses.',
    { isInternal: true },
  ),
  known(
    'remote.log.manager.copy.max.bytes.per.second',
    long(MAX_LONG, atLeast(1)),
    'Bytes per second that may be copied to the tiered store.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'remote.log.manager.copy.quota.window.num',
    int(11, atLeast(1)),
    'How many windows Kafka keeps to measure that.',
  ),
  known('remote.log.manager.copy.quota.window.size.seconds', int(1, atLeast(1)), 'How long each of those windows is.'),
  known(
    'remote.log.manager.fetch.max.bytes.per.second',
    long(MAX_LONG, atLeast(1)),
    'Bytes per second that may be read from the tiered store.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'remote.log.manager.fetch.quota.window.num',
    int(11, atLeast(1)),
    'How many windows Kafka keeps to measure that.',
  ),
  known('remote.log.manager.fetch.quota.window.size.seconds', int(1, atLeast(1)), 'How long each of those windows is.'),
  known('remote.log.reader.threads', int(10, atLeast(1)), 'Threads that read from the tiered store in Kafka.', {
    updateMode: 'cluster-wide',
  }),
  known('remote.log.reader.max.pending.tasks', int(100, atLeast(1)), 'Reads from the tiered store that may wait.'),
  known('remote.fetch.max.wait.ms', int(500, atLeast(1)), 'How long a fetch may wait for the tiered store.', {
    updateMode: 'cluster-wide',
  }),
  known(
    'remote.list.offsets.request.timeout.ms',
    long(30_000, atLeast(1)),
    'How long a search by time may wait for the tiered store.',
    { updateMode: 'cluster-wide' },
  ),
]
