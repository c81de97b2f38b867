// Transactions and the topic in which they are kept.
import type { ConfigKey } from '../config-key.ts'
import { atLeast, boolean, honoured, int, known, short } from '../kinds.ts'

export const transactionKeys: readonly ConfigKey[] = [
  honoured(
    'transaction.max.timeout.ms',
    int(900_000, atLeast(1)),
    'The longest transaction timeout that a producer may ask for.',
  ),
  honoured(
    'transaction.abort.timed.out.transaction.cleanup.interval.ms',
    int(10_000, atLeast(1)),
    'How often transactions that took too long are looked for and aborted.',
  ),
  honoured(
    'transaction.remove.expired.transaction.cleanup.interval.ms',
    int(3_600_000, atLeast(1)),
    'How often transactional ids that may be forgotten are looked for.',
  ),
  honoured(
    'transactional.id.expiration.ms',
    int(604_800_000, atLeast(1)),
    'A transactional id that is unused for this long is forgotten.',
  ),
  honoured(
    'transaction.partition.verification.enable',
    boolean(true),
    'Whether a leader asks the coordinator if a partition belongs to the transaction before it appends; of producers with transaction version 2 always.',
    { updateMode: 'cluster-wide' },
  ),
  known(
    'transaction.two.phase.commit.enable',
    boolean(false),
    'Whether producers may take part in transactions of other systems (two-phase commit).',
  ),
  known(
    'transaction.state.log.load.buffer.size',
    int(5_242_880, atLeast(1)),
    'Batch size when transactions are loaded.',
  ),
  honoured(
    'transaction.state.log.min.isr',
    int(2, atLeast(1)),
    'The min.insync.replicas of the topic with transactions.',
  ),
  honoured('transaction.state.log.num.partitions', int(50, atLeast(1)), 'Partitions of the topic with transactions.'),
  honoured(
    'transaction.state.log.replication.factor',
    short(3, atLeast(1)),
    'Replicas of the topic with transactions; at most as many as there are brokers when it is created.',
  ),
  honoured(
    'transaction.state.log.segment.bytes',
    int(104_857_600, atLeast(1)),
    'Segment size of the topic with transactions.',
  ),
  known(
    'add.partitions.to.txn.retry.backoff.ms',
    int(20, atLeast(1)),
    'How long the broker pauses before it adds a partition to a transaction again.',
  ),
  honoured(
    'add.partitions.to.txn.retry.backoff.max.ms',
    int(100, atLeast(0)),
    'How long a partition that is to join a transaction waits while the end of the last one is being written.',
  ),
]
