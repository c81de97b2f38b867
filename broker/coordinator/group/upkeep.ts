// What goes away: groups that are deleted, offsets that nobody has used for long, offsets of topics that are gone. Decided here, in pieces
// that fit into one batch of the log; group-shard.ts says when. Pure; as Kafka's GroupCoordinatorShard and OffsetMetadataManager.
import { ErrorCode } from '../../protocol/errors.ts'
import type { Decision } from './decision.ts'
import { isPending, isSubscribed } from './offsets.ts'
import {
  CONSUMER_PROTOCOL_TYPE,
  type ClassicGroup,
  type CommittedOffset,
  type GroupsState,
  type TopicOffsets,
} from './state.ts'

/** DeleteGroups: only a group without members goes, with its offsets. */
export function deleteGroup(state: GroupsState, groupId: string, decision: Decision): ErrorCode {
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  const group = state.groups.get(groupId)
  if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
  if (group.phase !== 'Empty') return ErrorCode.NON_EMPTY_GROUP
  forgetOffsets(state, groupId, decision)
  decision.emit({ kind: 'group-deleted', groupId })
  return ErrorCode.NONE
}

function forgetOffsets(state: GroupsState, groupId: string, { emit }: Decision): void {
  const partitions = new Set<string>()
  const forget = (topic: string, partition: number): void => {
    const name = `${partition} ${topic}`
    if (partitions.has(name)) return
    partitions.add(name)
    emit({ kind: 'offset-deleted', groupId, topic, partition })
  }
  for (const stored of offsetsOf(state, groupId)) {
    for (const [topic, offsets] of [...stored]) {
      for (const partition of [...offsets.keys()]) forget(topic, partition)
    }
  }
}

/** What the group has committed, and what it has in open transactions. */
function* offsetsOf(state: GroupsState, groupId: string): Generator<TopicOffsets> {
  const committed = state.offsets.get(groupId)
  if (committed !== undefined) yield committed
  for (const producerId of state.openTransactions.get(groupId) ?? []) {
    const pending = state.pendingOffsets.get(producerId)?.get(groupId)
    if (pending !== undefined) yield pending
  }
}

/** Removes what has expired of one group; the group too, when nothing is left of it. */
export function expireOffsets(state: GroupsState, groupId: string, decision: Decision): void {
  const group = state.groups.get(groupId)
  if (group === undefined) return
  const baseOf = expiryBase(group)
  const topics = state.offsets.get(groupId)
  let isNothingLeft = true
  for (const [topic, partitions] of [...(topics ?? [])]) {
    const isKept = baseOf === null || isSubscribed(group, topic)
    for (const [partition, committed] of [...partitions]) {
      const isExpired = !isKept && hasExpired(committed, baseOf(committed), decision)
      if (!isExpired || isPending(state, groupId, topic, partition)) isNothingLeft = false
      else decision.emit({ kind: 'offset-deleted', groupId, topic, partition })
    }
  }
  const isUnused = group.phase === 'Empty' && group.pendingMembers.size === 0 && !state.openTransactions.has(groupId)
  if (isNothingLeft && isUnused) decision.emit({ kind: 'group-deleted', groupId })
}

/** From when on the retention of an offset counts; null while nothing of the group may expire. */
function expiryBase(group: ClassicGroup): ((committed: CommittedOffset) => number) | null {
  const ofCommit = (committed: CommittedOffset): number => committed.commitTimestampMs
  if (group.protocolType === null) return ofCommit
  if (group.phase === 'Empty') return group.phaseSinceMs === -1 ? ofCommit : () => group.phaseSinceMs
  const isKnown = group.protocolType === CONSUMER_PROTOCOL_TYPE && group.subscribedTopics !== null
  return isKnown && group.phase === 'Stable' ? ofCommit : null
}

function hasExpired(committed: CommittedOffset, sinceMs: number, { nowMs, settings }: Decision): boolean {
  if (committed.expireTimestampMs !== -1) return nowMs >= committed.expireTimestampMs
  return nowMs - sinceMs >= settings.offsetsRetentionMs
}

/** Removes the group's offsets of topics that do not exist any more. */
export function forgetTopics(
  state: GroupsState,
  groupId: string,
  topics: ReadonlySet<string>,
  decision: Decision,
): void {
  for (const offsets of offsetsOf(state, groupId)) {
    for (const topic of topics) {
      for (const partition of [...(offsets.get(topic)?.keys() ?? [])]) {
        decision.emit({ kind: 'offset-deleted', groupId, topic, partition })
      }
    }
  }
}
