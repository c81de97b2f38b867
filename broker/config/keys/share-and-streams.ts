// Share groups, the topic in which their state is kept, their dead letters, and streams groups.
import type { ConfigKey } from '../config-key.ts'
import { MAX_INT, atLeast, between, boolean, int, javaClass, known, list, long, short, string } from '../kinds.ts'

export const shareAndStreamsKeys: readonly ConfigKey[] = [
  known('group.share.assignors', list('simple'), 'Assignors of share groups.'),
  known(
    'group.share.assignor.offload.enable',
    boolean(true),
    'Whether assignments of share groups are computed on threads of their own.',
    { updateMode: 'cluster-wide', isInternal: true },
  ),
  known(
    'group.share.assignment.interval.ms',
    int(1000, atLeast(0)),
    'The shortest time between two assignments of a share group.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'group.share.min.assignment.interval.ms',
    int(0, atLeast(0)),
    "Lower bound for a share group's own assignment interval.",
  ),
  known(
    'group.share.max.assignment.interval.ms',
    int(15_000, atLeast(0)),
    "Upper bound for a share group's own assignment interval.",
  ),
  known(
    'group.share.delivery.count.limit',
    int(5, between(2, 10)),
    'How often a record is delivered before a share group gives it up.',
  ),
  known(
    'group.share.min.delivery.count.limit',
    int(2, between(2, 5)),
    "Lower bound for a share group's own delivery limit.",
  ),
  known(
    'group.share.max.delivery.count.limit',
    int(10, between(5, 25)),
    "Upper bound for a share group's own delivery limit.",
  ),
  known(
    'group.share.dlq.manager.class.name',
    string('org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager'),
    'Java class that writes dead letters of share groups.',
    { isInternal: true },
  ),
  known('group.share.heartbeat.interval.ms', int(5000, atLeast(1)), 'How often a member of a share group reports.'),
  known(
    'group.share.min.heartbeat.interval.ms',
    int(5000, atLeast(1)),
    "Lower bound for a share group's own heartbeat interval.",
  ),
  known(
    'group.share.max.heartbeat.interval.ms',
    int(15_000, atLeast(1)),
    "Upper bound for a share group's own heartbeat interval.",
  ),
  known(
    'group.share.session.timeout.ms',
    int(45_000, atLeast(1)),
    'A member of a share group that is silent for this long is removed.',
  ),
  known(
    'group.share.min.session.timeout.ms',
    int(45_000, atLeast(1)),
    "Lower bound for a share group's own session timeout.",
  ),
  known(
    'group.share.max.session.timeout.ms',
    int(60_000, atLeast(1)),
    "Upper bound for a share group's own session timeout.",
  ),
  known(
    'group.share.initialize.retry.interval.ms',
    int(30_000, atLeast(1)),
    'How long to wait before the state of a share group is initialised again.',
    { isInternal: true },
  ),
  known(
    'group.share.partition.max.record.locks',
    int(2000, between(100, 10_000)),
    'How many records of one partition may be out for delivery.',
  ),
  known(
    'group.share.min.partition.max.record.locks',
    int(100, between(100, 2000)),
    "Lower bound for a share group's own limit of records out for delivery.",
  ),
  known(
    'group.share.max.partition.max.record.locks',
    int(4000, between(2000, 10_000)),
    "Upper bound for a share group's own limit of records out for delivery.",
  ),
  known(
    'group.share.record.lock.duration.ms',
    int(30_000, between(1000, 3_600_000)),
    'How long a delivered record stays reserved for its consumer.',
  ),
  known(
    'group.share.min.record.lock.duration.ms',
    int(15_000, between(1000, 30_000)),
    "Lower bound for a share group's own reservation time.",
  ),
  known(
    'group.share.max.record.lock.duration.ms',
    int(60_000, between(30_000, 3_600_000)),
    "Upper bound for a share group's own reservation time.",
  ),
  known('group.share.max.share.sessions', int(2000, atLeast(1)), 'Share sessions that a broker remembers.'),
  known('group.share.max.size', int(200, between(1, 1000)), 'How many members a share group may have.'),
  known(
    'group.share.persister.class.name',
    string('org.apache.kafka.server.share.persister.DefaultStatePersister'),
    'Java class that stores the state of share groups.',
    { isInternal: true },
  ),
  known('group.share.enable', boolean(false), 'Switched share groups on in Kafka 4.1.', { isInternal: true }),
  known('group.streams.assignors', list('sticky'), 'Assignors of streams groups; the first one is the default.'),
  known(
    'group.streams.assignor.offload.enable',
    boolean(true),
    'Whether assignments of streams groups are computed on threads of their own.',
    { updateMode: 'cluster-wide', isInternal: true },
  ),
  known(
    'group.streams.acceptable.recovery.lag',
    long(10_000, atLeast(0)),
    'How far behind a replica of a task may be and still take it over.',
    { isInternal: true },
  ),
  known(
    'group.streams.assignment.interval.ms',
    int(1000, atLeast(0)),
    'The shortest time between two assignments of a streams group.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'group.streams.min.assignment.interval.ms',
    int(0, atLeast(0)),
    "Lower bound for a streams group's own assignment interval.",
  ),
  known(
    'group.streams.max.assignment.interval.ms',
    int(15_000, atLeast(0)),
    "Upper bound for a streams group's own assignment interval.",
  ),
  known('group.streams.heartbeat.interval.ms', int(5000, atLeast(1)), 'How often a member of a streams group reports.'),
  known(
    'group.streams.min.heartbeat.interval.ms',
    int(5000, atLeast(1)),
    "Lower bound for a streams group's own heartbeat interval.",
  ),
  known(
    'group.streams.max.heartbeat.interval.ms',
    int(15_000, atLeast(1)),
    "Upper bound for a streams group's own heartbeat interval.",
  ),
  known(
    'group.streams.session.timeout.ms',
    int(45_000, atLeast(1)),
    'A member of a streams group that is silent for this long is removed.',
  ),
  known(
    'group.streams.min.session.timeout.ms',
    int(45_000, atLeast(1)),
    "Lower bound for a streams group's own session timeout.",
  ),
  known(
    'group.streams.max.session.timeout.ms',
    int(60_000, atLeast(1)),
    "Upper bound for a streams group's own session timeout.",
  ),
  known(
    'group.streams.initial.rebalance.delay.ms',
    int(3000, atLeast(0)),
    'How long the first rebalance of a streams group waits for more members.',
  ),
  known('group.streams.max.size', int(MAX_INT, atLeast(1)), 'How many members a streams group may have.'),
  known('group.streams.num.standby.replicas', int(0, atLeast(0)), "Standby copies of each task's state."),
  known(
    'group.streams.max.standby.replicas',
    int(2, atLeast(0)),
    "Upper bound for a streams group's own number of standby copies.",
  ),
  known(
    'group.streams.num.warmup.replicas',
    int(2, atLeast(0)),
    'Extra copies that may warm up at once for a move of tasks.',
    { isInternal: true },
  ),
  known(
    'group.streams.max.warmup.replicas',
    int(20, atLeast(0)),
    "Upper bound for a streams group's own number of warm-up copies.",
    { isInternal: true },
  ),
  known('group.streams.rack.aware.assignment.tags', list(''), 'Client tags across which standby copies are spread.'),
  known(
    'group.streams.task.offset.interval.ms',
    int(60_000, atLeast(1)),
    'How often members report the offsets of their tasks.',
    { isInternal: true },
  ),
  known(
    'group.streams.min.task.offset.interval.ms',
    int(15_000, atLeast(1)),
    "Lower bound for a streams group's own report interval.",
    { isInternal: true },
  ),
  known(
    'group.streams.topology.description.plugin.class',
    javaClass(null),
    'Java class that receives descriptions of topologies.',
  ),
  known(
    'errors.deadletterqueue.auto.create.topics.enable',
    boolean(false),
    'Whether dead-letter topics are created when they are needed.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'errors.deadletterqueue.topic.name.prefix',
    string('dlq.'),
    'What the names of dead-letter topics must begin with.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'share.coordinator.append.linger.ms',
    int(-1, atLeast(-1)),
    'How long the share coordinator collects records before it writes them; -1 adapts to the load.',
  ),
  known(
    'share.coordinator.cached.buffer.max.bytes',
    int(1_048_588, atLeast(524_288)),
    'The largest write buffer that the share coordinator keeps for reuse.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'share.coordinator.cold.partition.snapshot.interval.ms',
    int(300_000, atLeast(1)),
    'How often idle share partitions are written as snapshots.',
    { isInternal: true },
  ),
  known(
    'share.coordinator.load.buffer.size',
    int(5_242_880, atLeast(1)),
    'Batch size when the state of share groups is loaded.',
  ),
  known(
    'share.coordinator.snapshot.update.records.per.snapshot',
    int(500, between(0, 500)),
    'Changes that are written between two snapshots of a share partition.',
  ),
  known(
    'share.coordinator.state.topic.compression.codec',
    int(0),
    'Compression of the topic with the state of share groups, by its number.',
  ),
  known(
    'share.coordinator.state.topic.min.isr',
    short(2, atLeast(1)),
    'The min.insync.replicas of the topic with the state of share groups.',
  ),
  known(
    'share.coordinator.state.topic.num.partitions',
    int(50, atLeast(1)),
    'Partitions of the topic with the state of share groups.',
  ),
  known(
    'share.coordinator.state.topic.prune.interval.ms',
    int(300_000, atLeast(1)),
    'How often superseded records of that topic are deleted.',
    { isInternal: true },
  ),
  known(
    'share.coordinator.state.topic.replication.factor',
    short(3, atLeast(1)),
    'Replicas of the topic with the state of share groups.',
  ),
  known(
    'share.coordinator.state.topic.segment.bytes',
    int(104_857_600, atLeast(1)),
    'Segment size of the topic with the state of share groups.',
  ),
  known('share.coordinator.threads', int(1, atLeast(1)), 'Threads of the share coordinator in Kafka.'),
  known(
    'share.coordinator.write.timeout.ms',
    int(5000, atLeast(1)),
    'How long a write of the share coordinator may wait to be replicated.',
  ),
  known('group.share.max.groups', short(10, between(1, 100)), 'How many share groups Kafka 4.0 allowed.'),
  known('share.fetch.max.fetch.records', int(MAX_INT), 'The most records that one share fetch carried in Kafka 4.0.', {
    isInternal: true,
  }),
]
