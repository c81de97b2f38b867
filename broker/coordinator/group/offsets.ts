// Committed offsets, decided: who may commit, what is answered, and how a transaction's offsets stay pending until it ends (KIP-98,
// KIP-447). Pure; as Kafka's OffsetMetadataManager and ClassicGroup.
import { ErrorCode } from '../../protocol/errors.ts'
import type { EndTransactionMarker } from '../../records/control.ts'
import type { TransactionOf } from '../../replication/replicated-journal.ts'
import type { Decision } from './decision.ts'
import { checkMember } from './members.ts'
import { keepSession } from './rebalance.ts'
import { CONSUMER_PROTOCOL_TYPE, type ClassicGroup, type CommittedOffset, type GroupsState } from './state.ts'

export type OffsetToCommit = {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string | null
}

/** Who commits: as a member of a generation, or (generation below 0, no member id) as somebody outside of the group. */
export type Committer = {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export type CommitRequest = Committer & {
  readonly offsets: readonly OffsetToCommit[]
  /** How long the offsets are kept, in ms (before v5); -1: as long as the broker says. */
  readonly retentionMs: number
  /** The client knows GROUP_ID_NOT_FOUND (v9). */
  readonly knowsGroupNotFound: boolean
}

/** One error for all, or one for each offset. */
export type CommitAnswer = ErrorCode | readonly ErrorCode[]

export function commitOffsets(state: GroupsState, request: CommitRequest, decision: Decision): CommitAnswer {
  const group = state.groups.get(request.groupId)
  const errorCode = checkCommit(state, group, request, false, request.knowsGroupNotFound, decision)
  if (errorCode !== ErrorCode.NONE) return errorCode
  const member = group?.members.get(request.memberId)
  if (group !== undefined && member !== undefined) keepSession(group, member, decision)
  const { retentionMs } = request
  const expireTimestampMs = retentionMs === -1 ? -1 : decision.nowMs + retentionMs
  return commitEach(request, expireTimestampMs, null, decision)
}

/**
 * TxnOffsetCommit: the offsets belong to the transaction and count once `completeTransaction` commits it. The caller has made sure that the
 * transaction is open and the group's partition is part of it.
 */
export function commitTransactionalOffsets(
  state: GroupsState,
  request: Committer & { readonly offsets: readonly OffsetToCommit[] },
  transaction: TransactionOf,
  decision: Decision,
): CommitAnswer {
  const group = state.groups.get(request.groupId)
  const errorCode = checkCommit(state, group, request, true, false, decision)
  if (errorCode !== ErrorCode.NONE) return errorCode
  return commitEach(request, -1, transaction, decision)
}

/** The marker of the coordinator of transactions: what the producer's transaction has committed counts, or is forgotten. */
export function completeTransaction(
  marker: EndTransactionMarker & TransactionOf,
  decision: Pick<Decision, 'emit'>,
): void {
  decision.emit({ kind: 'transaction-ended', ...marker })
}

function commitEach(
  { groupId, offsets }: Committer & { readonly offsets: readonly OffsetToCommit[] },
  expireTimestampMs: number,
  transaction: TransactionOf | null,
  { nowMs, settings, emit }: Decision,
): ErrorCode[] {
  return offsets.map(({ topic, partition, offset, leaderEpoch, metadata }) => {
    if (metadata !== null && metadata.length > settings.offsetMetadataMaxBytes) {
      return ErrorCode.OFFSET_METADATA_TOO_LARGE
    }
    const committed = {
      offset,
      leaderEpoch,
      metadata: metadata ?? '',
      commitTimestampMs: nowMs,
      expireTimestampMs,
    }
    emit({ kind: 'offset-committed', groupId, topic, partition, committed, transaction })
    return ErrorCode.NONE
  })
}

function checkCommit(
  state: GroupsState,
  group: ClassicGroup | undefined,
  committer: Committer,
  isTransactional: boolean,
  knowsGroupNotFound: boolean,
  { settings }: Decision,
): ErrorCode {
  const { groupId, generationId, memberId, groupInstanceId } = committer
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  if (group === undefined) {
    if (generationId >= 0) return knowsGroupNotFound ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION
    return state.groups.size < settings.maxGroups ? ErrorCode.NONE : ErrorCode.GROUP_MAX_SIZE_REACHED
  }
  // Whoever does not take part in the group may commit while nobody does.
  if (generationId < 0 && group.phase === 'Empty') return ErrorCode.NONE
  if (generationId >= 0 || memberId !== '' || groupInstanceId !== null) {
    const errorCode = checkMember(group, memberId, groupInstanceId)
    if (errorCode !== ErrorCode.NONE) return errorCode
    if (generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  } else if (!isTransactional) {
    return ErrorCode.UNKNOWN_MEMBER_ID
  }
  // It knows the generation, but its partitions may not be its own any more once the leader has assigned.
  const isBetween = group.phase === 'CompletingRebalance'
  return isBetween && !isTransactional ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

export type FetchedOffset = {
  readonly topic: string
  readonly partition: number
  readonly errorCode: ErrorCode
  /** Null when nothing is committed, or it is not known yet. */
  readonly committed: CommittedOffset | null
}

/** A group that does not exist has committed nothing. */
export function fetchOffsets(
  state: GroupsState,
  groupId: string,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
  requireStable: boolean,
): FetchedOffset[] {
  const offsets = state.offsets.get(groupId)
  return partitions.map(({ topic, partition }) => {
    const committed = offsets?.get(topic)?.get(partition) ?? null
    return fetched(state, groupId, topic, partition, committed, requireStable)
  })
}

export function fetchAllOffsets(state: GroupsState, groupId: string, requireStable: boolean): FetchedOffset[] {
  const found: FetchedOffset[] = []
  for (const [topic, partitions] of state.offsets.get(groupId) ?? []) {
    for (const [partition, committed] of partitions) {
      found.push(fetched(state, groupId, topic, partition, committed, requireStable))
    }
  }
  return found
}

function fetched(
  state: GroupsState,
  groupId: string,
  topic: string,
  partition: number,
  committed: CommittedOffset | null,
  requireStable: boolean,
): FetchedOffset {
  if (requireStable && isPending(state, groupId, topic, partition)) {
    return { topic, partition, errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT, committed: null }
  }
  return { topic, partition, errorCode: ErrorCode.NONE, committed }
}

/** Whether an open transaction has an offset of the partition that may still count. */
export function isPending(state: GroupsState, groupId: string, topic: string, partition: number): boolean {
  for (const producerId of state.openTransactions.get(groupId) ?? []) {
    if (state.pendingOffsets.get(producerId)?.get(groupId)?.get(topic)?.has(partition) === true) return true
  }
  return false
}

/** One error for all, or one for each partition. Offsets of topics that a consumer of the group subscribes to stay. */
export function deleteOffsets(
  state: GroupsState,
  groupId: string,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
  { emit }: Decision,
): CommitAnswer {
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  const group = state.groups.get(groupId)
  if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
  if (group.phase !== 'Empty' && group.protocolType !== CONSUMER_PROTOCOL_TYPE) return ErrorCode.NON_EMPTY_GROUP
  return partitions.map(({ topic, partition }) => {
    if (isSubscribed(group, topic)) return ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    const isThere = state.offsets.get(groupId)?.get(topic)?.has(partition) === true
    if (isThere || isPending(state, groupId, topic, partition)) {
      emit({ kind: 'offset-deleted', groupId, topic, partition })
    }
    return ErrorCode.NONE
  })
}

/** Consumers whose subscription nobody understands may be subscribed to anything. */
export function isSubscribed(group: ClassicGroup, topic: string): boolean {
  if (group.subscribedTopics !== null) return group.subscribedTopics.has(topic)
  return group.protocolType === CONSUMER_PROTOCOL_TYPE
}
