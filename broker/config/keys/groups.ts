// Classic and consumer groups, and the topic in which they and their offsets are kept.
import type { ConfigKey } from '../config-key.ts'
import {
  MAX_INT,
  atLeast,
  boolean,
  honoured,
  int,
  known,
  list,
  long,
  oneOf,
  oneOfAnyCase,
  short,
  string,
} from '../kinds.ts'

export const groupKeys: readonly ConfigKey[] = [
  known(
    'group.coordinator.rebalance.protocols',
    list('classic,consumer,streams', oneOf('consumer', 'classic', 'share', 'streams')),
    'The kinds of groups that the coordinator serves.',
  ),
  known('group.coordinator.threads', int(4, atLeast(1)), 'Threads of the group coordinator in Kafka.'),
  known('group.coordinator.background.threads', int(2, atLeast(1)), 'Threads that compute assignments in Kafka.'),
  known(
    'group.coordinator.append.linger.ms',
    int(-1, atLeast(-1)),
    'How long the group coordinator collects records before it writes them; -1 adapts to the load.',
  ),
  known(
    'group.coordinator.cached.buffer.max.bytes',
    int(1_048_588, atLeast(524_288)),
    'The largest write buffer that a coordinator keeps for reuse.',
    { updateMode: 'cluster-wide' },
  ),
  honoured(
    'group.initial.rebalance.delay.ms',
    int(3000),
    'How long the first rebalance of an empty group waits for more members.',
  ),
  honoured(
    'group.min.session.timeout.ms',
    int(6000),
    'The shortest session timeout that a member of a classic group may ask for.',
  ),
  honoured(
    'group.max.session.timeout.ms',
    int(1_800_000),
    'The longest session timeout that a member of a classic group may ask for.',
  ),
  honoured('group.max.size', int(MAX_INT, atLeast(1)), 'How many members a classic group may have.'),
  known(
    'group.consumer.assignors',
    list('uniform,range'),
    'Server-side assignors of consumer groups; the first one is the default.',
  ),
  known(
    'group.consumer.assignor.offload.enable',
    boolean(true),
    'Whether assignments of consumer groups are computed on threads of their own.',
    { updateMode: 'cluster-wide', isInternal: true },
  ),
  known(
    'group.consumer.assignment.interval.ms',
    int(1000, atLeast(0)),
    'The shortest time between two assignments of a consumer group.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'group.consumer.min.assignment.interval.ms',
    int(0, atLeast(0)),
    "Lower bound for a group's own assignment interval.",
  ),
  known(
    'group.consumer.max.assignment.interval.ms',
    int(15_000, atLeast(0)),
    "Upper bound for a group's own assignment interval.",
  ),
  known(
    'group.consumer.heartbeat.interval.ms',
    int(5000, atLeast(1)),
    'How often a member of a consumer group reports.',
  ),
  known(
    'group.consumer.min.heartbeat.interval.ms',
    int(5000, atLeast(1)),
    "Lower bound for a group's own heartbeat interval.",
  ),
  known(
    'group.consumer.max.heartbeat.interval.ms',
    int(15_000, atLeast(1)),
    "Upper bound for a group's own heartbeat interval.",
  ),
  known(
    'group.consumer.session.timeout.ms',
    int(45_000, atLeast(1)),
    'A member of a consumer group that is silent for this long is removed.',
  ),
  known(
    'group.consumer.min.session.timeout.ms',
    int(45_000, atLeast(1)),
    "Lower bound for a group's own session timeout.",
  ),
  known(
    'group.consumer.max.session.timeout.ms',
    int(60_000, atLeast(1)),
    "Upper bound for a group's own session timeout.",
  ),
  known('group.consumer.max.size', int(MAX_INT, atLeast(1)), 'How many members a consumer group may have.'),
  known(
    'group.consumer.migration.policy',
    string('bidirectional', oneOfAnyCase('DISABLED', 'DOWNGRADE', 'UPGRADE', 'BIDIRECTIONAL')),
    'Whether classic groups turn into consumer groups, and back, while members change.',
  ),
  known(
    'group.consumer.regex.refresh.interval.ms',
    int(600_000, atLeast(10_000)),
    'How often regular expressions of subscriptions are matched again.',
    { isInternal: true },
  ),
  honoured('offset.metadata.max.bytes', int(4096), 'The longest text that may be committed together with an offset.'),
  honoured(
    'offsets.commit.timeout.ms',
    int(5000, atLeast(1)),
    'How long the commit of an offset may wait to be replicated.',
  ),
  known('offsets.load.buffer.size', int(5_242_880, atLeast(1)), 'Batch size when committed offsets are loaded.'),
  honoured(
    'offsets.retention.minutes',
    int(10_080, atLeast(1)),
    'How long committed offsets outlive the last member of their group.',
  ),
  honoured(
    'offsets.retention.check.interval.ms',
    long(600_000, atLeast(1)),
    'How often offsets that may go are looked for.',
  ),
  known('offsets.topic.compression.codec', int(0), 'Compression of the topic with committed offsets, by its number.'),
  honoured('offsets.topic.num.partitions', int(50, atLeast(1)), 'Partitions of the topic with committed offsets.'),
  honoured(
    'offsets.topic.replication.factor',
    short(3, atLeast(1)),
    'Replicas of the topic with committed offsets; at most as many as there are brokers when it is created.',
  ),
  honoured(
    'offsets.topic.segment.bytes',
    int(104_857_600, atLeast(1)),
    'Segment size of the topic with committed offsets.',
  ),
  known('group.coordinator.new.enable', boolean(true), 'Switched the newer group coordinator on in Kafka 4.0.', {
    isInternal: true,
  }),
]
