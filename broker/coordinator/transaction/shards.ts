// The partitions of `__transaction_state` that this broker leads: shards.ts for transactional ids. See coordinator.ts for what is asked of
// them and shard.ts for what each does.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Uuid } from '../../base/uuid.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { Leader } from '../../replication/leader.ts'
import type { MarkerWriter } from '../../replication/transactions.ts'
import { Shards } from '../shards.ts'
import { transactionCodec } from './codec.ts'
import { TransactionShard } from './shard.ts'
import type { TransactionRecord, TransactionsState } from './state.ts'

export type TransactionShards = Shards<TransactionsState, TransactionRecord, TransactionShard>

export type TransactionShardsOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly brokerId: number
  /** `replicas.leader`. */
  readonly leader: (topicId: Uuid, partition: number) => Leader | ErrorCode
  readonly writer: MarkerWriter
  /** Whether the partition is in the metadata. */
  readonly exists: (topic: string, partition: number) => boolean
  /** How long an answer may wait until its records are committed. */
  readonly commitTimeoutMs: number
}

export function transactionShards(options: TransactionShardsOptions): TransactionShards {
  const { clock, log, brokerId, leader, writer, exists, commitTimeoutMs } = options
  return new Shards({
    clock,
    log,
    brokerId,
    topicName: '__transaction_state',
    leader,
    codec: transactionCodec,
    machine: (_partition, coordinatorEpoch) => new TransactionShard({ clock, log, coordinatorEpoch, writer, exists }),
    commitTimeoutMs,
  })
}
