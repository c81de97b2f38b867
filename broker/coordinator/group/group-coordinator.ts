// The groups that this broker coordinates: finds the partition that keeps a group and hands the request to it. The one entrance for API
// handlers and for the coordinator of transactions. Not here: the wire format (api/), and the decisions (join.ts, sync.ts, ...).
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import type { Uuid } from '../../base/uuid.ts'
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { MetadataDelta } from '../../metadata/publisher.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { EndTransactionMarker } from '../../records/control.ts'
import type { Leader } from '../../replication/leader.ts'
import type { TransactionOf } from '../../replication/replicated-journal.ts'
import type { Answered } from '../shard.ts'
import { Shards } from '../shards.ts'
import { failedJoin, failedSync, type GroupSettings, type JoinAnswer, type SyncAnswer } from './decision.ts'
import { describeGroup, listGroups, nothing } from './description.ts'
import type { GroupDescription, GroupFilter, ListedGroup } from './description.ts'
import { GroupShard } from './group-shard.ts'
import { join, type JoinRequest } from './join.ts'
import { heartbeat, leave, type HeartbeatRequest, type LeavingMember } from './membership.ts'
import * as offsets from './offsets.ts'
import type { CommitAnswer, CommitRequest, Committer, FetchedOffset, OffsetToCommit } from './offsets.ts'
import { groupCodec, type GroupRecord } from './record.ts'
import type { GroupsState } from './state.ts'
import { sync, type SyncRequest } from './sync.ts'
import { deleteGroup } from './upkeep.ts'

export type GroupCoordinatorOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly brokerId: number
  readonly config: BrokerConfig
  /** `replicas.leader`. */
  readonly leader: (topicId: Uuid, partition: number) => Leader | ErrorCode
}

/** Groups of one partition; a hundred thousand may be in one, should the topic have one partition only. */
const MAX_GROUPS = 200_000
/** A generation with all its members is one batch; far above what max.message.bytes lets Kafka write. */
const MAX_GROUP_BYTES = 32 * 1024 * 1024

type Partition = { readonly topic: string; readonly partition: number }

export class GroupCoordinator {
  readonly #shards: Shards<GroupsState, GroupRecord, GroupShard>

  constructor(options: GroupCoordinatorOptions) {
    const { clock, random, log, brokerId, config, leader } = options
    const settings = settingsOf(config)
    this.#shards = new Shards({
      clock,
      log,
      brokerId,
      topicName: '__consumer_offsets',
      leader,
      codec: groupCodec,
      machine: () => {
        const { offsetsRetentionCheckIntervalMs } = config
        return new GroupShard({ clock, random, settings, offsetsRetentionCheckIntervalMs })
      },
      commitTimeoutMs: config.offsetsCommitTimeoutMs,
    })
  }

  /** The publisher's subscriber: subscribe it after the replicas. Offsets of deleted topics go with them. */
  readonly apply = (delta: MetadataDelta, image: MetadataImage): void => {
    this.#shards.apply(delta, image)
    if (delta.deletedTopics.size === 0) return
    const names = [...delta.deletedTopics.values()].map(({ name }) => name)
    for (const { machine } of this.#shards.all()) machine.forgetTopics(names)
  }

  /** Resolves when no groups are being read from the log. */
  loaded(): Promise<void> {
    return this.#shards.idle()
  }

  /** Nothing is answered any more. */
  close(): void {
    this.#shards.close()
  }

  /** Resolves when the group's next generation begins, or with an error. `signal`: the client is gone. */
  async join(request: JoinRequest, signal: AbortSignal): Promise<JoinAnswer> {
    const shard = this.#find(request.groupId)
    if (typeof shard === 'number') return failedJoin(shard, request.memberId)
    return shard.join(signal, (state, ticket, decision) => join(state, request, ticket, decision))
  }

  /** Resolves when the leader has assigned. */
  async sync(request: SyncRequest, signal: AbortSignal): Promise<SyncAnswer> {
    const shard = this.#find(request.groupId)
    if (typeof shard === 'number') return failedSync(shard)
    return shard.sync(signal, (state, ticket, decision) => sync(state, request, ticket, decision))
  }

  async heartbeat(request: HeartbeatRequest): Promise<ErrorCode> {
    const shard = this.#find(request.groupId)
    if (typeof shard === 'number') return shard
    return errorOrResponse(await shard.read((state, decision) => heartbeat(state, request, decision)))
  }

  /** One error for all members, or one for each. */
  async leave(groupId: string, members: readonly LeavingMember[]): Promise<ErrorCode | readonly ErrorCode[]> {
    const shard = this.#find(groupId)
    if (typeof shard === 'number') return shard
    return errorOrResponse(await shard.write((state, decision) => leave(state, groupId, members, decision)))
  }

  async commitOffsets(request: CommitRequest): Promise<CommitAnswer> {
    const shard = this.#find(request.groupId)
    if (typeof shard === 'number') return shard
    return errorOrResponse(await shard.write((state, decision) => offsets.commitOffsets(state, request, decision)))
  }

  /**
   * TxnOffsetCommit: the offsets are pending until `completeTransaction`. The caller has made sure that the transaction is open and that
   * the group's partition takes part in it.
   */
  async commitTransactionalOffsets(
    request: Committer & { readonly offsets: readonly OffsetToCommit[] },
    transaction: TransactionOf,
  ): Promise<CommitAnswer> {
    const shard = this.#find(request.groupId)
    if (typeof shard === 'number') return shard
    return errorOrResponse(
      await shard.write((state, decision) => offsets.commitTransactionalOffsets(state, request, transaction, decision)),
    )
  }

  /** Writes the marker into a partition of `__consumer_offsets`: what the transaction has committed for its groups counts, or is forgotten. */
  async completeTransaction(partition: number, marker: EndTransactionMarker & TransactionOf): Promise<ErrorCode> {
    const shard = this.#shards.at(partition)
    if (typeof shard === 'number') return shard
    const written = await shard.machine.write((_state, decision) => {
      offsets.completeTransaction(marker, decision)
      return ErrorCode.NONE
    })
    return errorOrResponse(written)
  }

  /** The partition of `__consumer_offsets` that keeps the group, to be named in the group's transactions; -1 while there is no topic. */
  partitionOf(groupId: string): number {
    return this.#shards.partitionOf(groupId)
  }

  /** Null partitions: all that the group has committed. */
  async fetchOffsets(
    groupId: string,
    partitions: readonly Partition[] | null,
    requireStable: boolean,
  ): Promise<ErrorCode | readonly FetchedOffset[]> {
    const shard = this.#find(groupId)
    if (typeof shard === 'number') return shard
    return errorOrResponse(
      await shard.read(state =>
        partitions === null
          ? offsets.fetchAllOffsets(state, groupId, requireStable)
          : offsets.fetchOffsets(state, groupId, partitions, requireStable),
      ),
    )
  }

  async deleteOffsets(groupId: string, partitions: readonly Partition[]): Promise<CommitAnswer> {
    const shard = this.#find(groupId)
    if (typeof shard === 'number') return shard
    return errorOrResponse(
      await shard.write((state, decision) => offsets.deleteOffsets(state, groupId, partitions, decision)),
    )
  }

  async describe(groupId: string): Promise<GroupDescription> {
    const shard = this.#find(groupId)
    if (typeof shard === 'number') return nothing(groupId, shard, '')
    const described = await shard.read(state => describeGroup(state, groupId))
    return 'errorCode' in described ? nothing(groupId, described.errorCode, '') : described.response
  }

  /** All groups of this broker; COORDINATOR_LOAD_IN_PROGRESS with those there are while some are being read. */
  async list(filter: GroupFilter): Promise<{ readonly errorCode: ErrorCode; readonly groups: readonly ListedGroup[] }> {
    let errorCode: ErrorCode = ErrorCode.NONE
    const answers = [...this.#shards.all()].map(({ machine }) => machine.read(state => listGroups(state, filter)))
    const groups: ListedGroup[] = []
    for (const answer of await Promise.all(answers)) {
      if (!('errorCode' in answer)) for (const group of answer.response) groups.push(group)
      else if (answer.errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) errorCode = answer.errorCode
    }
    return { errorCode, groups }
  }

  async delete(groupId: string): Promise<ErrorCode> {
    const shard = this.#find(groupId)
    if (typeof shard === 'number') return shard
    return errorOrResponse(await shard.write((state, decision) => deleteGroup(state, groupId, decision)))
  }

  #find(groupId: string): GroupShard | ErrorCode {
    if (groupId === '') return ErrorCode.INVALID_GROUP_ID
    const shard = this.#shards.find(groupId)
    return typeof shard === 'number' ? shard : shard.machine
  }
}

function errorOrResponse<T>(answer: Answered<T>): T | ErrorCode {
  return 'errorCode' in answer ? answer.errorCode : answer.response
}

function settingsOf(config: BrokerConfig): GroupSettings {
  return {
    initialRebalanceDelayMs: config.groupInitialRebalanceDelayMs,
    minSessionTimeoutMs: config.groupMinSessionTimeoutMs,
    maxSessionTimeoutMs: config.groupMaxSessionTimeoutMs,
    maxSize: config.groupMaxSize,
    offsetMetadataMaxBytes: config.offsetMetadataMaxBytes,
    offsetsRetentionMs: config.offsetsRetentionMs,
    maxGroups: MAX_GROUPS,
    maxGroupBytes: MAX_GROUP_BYTES,
  }
}
