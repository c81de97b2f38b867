// Keys of what is neither a topic nor a broker: groups (KIP-848, KIP-932, KIP-1071) and subscriptions to clients' metrics (KIP-1000).
import type { ConfigKey } from '../config-key.ts'
import { atLeast, boolean, int, known, list, oneOf, string, type Rule } from '../kinds.ts'

const offsetReset: Rule = {
  valid: "earliest, latest or 'by_duration:<PnDTnHnMn.nS>'",
  validate: value =>
    /^(earliest|latest|by_duration:P(?=.)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)$/.test(value)
      ? null
      : `The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.`,
}

/** The same three of every kind of group that the coordinator assigns partitions for. */
function timing(kind: 'consumer' | 'share' | 'streams'): ConfigKey[] {
  const group = `a ${kind} group`
  return [
    known(
      `${kind}.assignment.interval.ms`,
      int(1000, atLeast(0)),
      `The shortest time between two assignments of ${group}.`,
      {
        brokerKey: `group.${kind}.assignment.interval.ms`,
      },
    ),
    known(`${kind}.heartbeat.interval.ms`, int(5000, atLeast(1)), `How often a member of ${group} reports.`, {
      brokerKey: `group.${kind}.heartbeat.interval.ms`,
    }),
    known(
      `${kind}.session.timeout.ms`,
      int(45_000, atLeast(1)),
      `After how much silence a member of ${group} is out.`,
      {
        brokerKey: `group.${kind}.session.timeout.ms`,
      },
    ),
  ]
}

export const groupConfigKeys: readonly ConfigKey[] = [
  ...timing('consumer'),
  known(
    'errors.deadletterqueue.copy.record.enable',
    boolean(false),
    'Whether dead letters of a share group hold the record itself.',
  ),
  known('errors.deadletterqueue.topic.name', string(''), 'The topic for dead letters of a share group; empty: none.'),
  ...timing('share'),
  known('share.auto.offset.reset', string('latest', offsetReset), 'Where a share group starts to read.'),
  known('share.delivery.count.limit', int(5, atLeast(2)), 'How often a share group delivers a record.', {
    brokerKey: 'group.share.delivery.count.limit',
  }),
  known(
    'share.isolation.level',
    string('read_uncommitted', oneOf('read_committed', 'read_uncommitted')),
    'Whether a share group gets records of transactions that are not committed.',
  ),
  known(
    'share.partition.max.record.locks',
    int(2000, atLeast(100)),
    'Records of a partition that may be locked at once.',
    {
      brokerKey: 'group.share.partition.max.record.locks',
    },
  ),
  known('share.record.lock.duration.ms', int(30_000, atLeast(1000)), 'How long a delivered record is locked.', {
    brokerKey: 'group.share.record.lock.duration.ms',
  }),
  known('share.renew.acknowledge.enable', boolean(true), 'Whether members may renew the lock of a record.'),
  ...timing('streams'),
  known('streams.assignor.name', string('sticky'), 'The assignor of a streams group.', {
    brokerKey: 'group.streams.assignors',
  }),
  known(
    'streams.initial.rebalance.delay.ms',
    int(3000, atLeast(0)),
    'How long the first rebalance of a streams group waits for more members.',
    { brokerKey: 'group.streams.initial.rebalance.delay.ms' },
  ),
  known('streams.num.standby.replicas', int(0, atLeast(0)), 'Standby replicas of each task of a streams group.', {
    brokerKey: 'group.streams.num.standby.replicas',
  }),
  known(
    'streams.rack.aware.assignment.tags',
    list(''),
    'Tags of clients by which standby replicas of a streams group are spread.',
    { brokerKey: 'group.streams.rack.aware.assignment.tags' },
  ),
]

export const clientMetricsKeys: readonly ConfigKey[] = [
  known('interval.ms', int(300_000), 'How often clients send their metrics.'),
  known('match', list(''), 'Which clients: selectors and patterns, as in client_id=app-.*; empty: all.'),
  known('metrics', list(''), "Prefixes of metrics' names; empty: none, *: all."),
]
