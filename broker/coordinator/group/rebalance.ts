// The way of a classic group from one generation to the next: members are told to join again, the generation begins when all have or their
// time is up, and the leader assigns. Pure; as Kafka's GroupMetadataManager decides it.
//
//   Empty --first member--> PreparingRebalance --all joined, or time up--> CompletingRebalance --leader assigned--> Stable
//     ^                         |       ^                                          |                                 |
//     +---- nobody is left -----+       +--------- a member came, went or changed -+---------------------------------+
import { ErrorCode } from '../../protocol/errors.ts'
import {
  failedJoin,
  failedSync,
  joinKey,
  NEW_MEMBER_TIMEOUT_MS,
  sessionKey,
  syncKey,
  type Decision,
  type JoinAnswer,
} from './decision.ts'
import {
  electLeader,
  haveAllJoined,
  metadataOf,
  moveTo,
  rebalanceTimeoutMs,
  removeMember,
  setAssignment,
  setJoinTicket,
  startGeneration,
} from './members.ts'
import { NO_BYTES, NOBODY, type ClassicGroup, type Member } from './state.ts'

/** A member joined, left or changed: a rebalance begins, or the one that is under way may be complete. */
export function rebalance(group: ClassicGroup, decision: Decision): void {
  if (group.phase === 'PreparingRebalance') completeJoinIfAllJoined(group, decision)
  else prepareRebalance(group, decision)
}

/** Members learn of it by their next heartbeat, and have the longest of their rebalance timeouts to join again. */
export function prepareRebalance(group: ClassicGroup, decision: Decision): void {
  if (group.phase === 'CompletingRebalance') {
    for (const member of group.members.values()) {
      setAssignment(group, member, NO_BYTES)
      answerSync(group, member, ErrorCode.REBALANCE_IN_PROGRESS, decision)
    }
  }
  decision.cancelDeadline(syncKey(group.groupId))
  const isFirst = group.phase === 'Empty'
  moveTo(group, 'PreparingRebalance', decision.nowMs)
  if (isFirst) {
    const delayMs = decision.settings.initialRebalanceDelayMs
    const remainingMs = Math.max(0, rebalanceTimeoutMs(group) - delayMs)
    waitForFirstMembers(group, delayMs, remainingMs, decision)
  } else if (haveAllJoined(group)) {
    completeJoin(group, decision)
  } else {
    waitForMembers(group, decision)
  }
}

function waitForMembers(group: ClassicGroup, decision: Decision): void {
  const { groupId } = group
  decision.setDeadline(joinKey(groupId), rebalanceTimeoutMs(group), { kind: 'join', groupId })
}

function waitForFirstMembers(group: ClassicGroup, delayMs: number, remainingMs: number, decision: Decision): void {
  const { groupId } = group
  decision.setDeadline(joinKey(groupId), delayMs, { kind: 'initial-join', groupId, delayMs, remainingMs })
}

/** The first rebalance of an empty group goes on waiting while members come in, up to their rebalance timeout. */
export function endInitialDelay(group: ClassicGroup, delayMs: number, remainingMs: number, decision: Decision): void {
  if (!group.hasNewMember || remainingMs === 0) return completeJoin(group, decision)
  group.hasNewMember = false
  const nextMs = Math.min(decision.settings.initialRebalanceDelayMs, remainingMs)
  waitForFirstMembers(group, nextMs, Math.max(0, remainingMs - delayMs), decision)
}

/** The first rebalance of an empty group is left to its deadline. */
export function completeJoinIfAllJoined(group: ClassicGroup, decision: Decision): void {
  if (group.phase !== 'PreparingRebalance' || group.previousPhase === 'Empty') return
  if (haveAllJoined(group)) completeJoin(group, decision)
}

/** Begins the next generation with those who have joined, and static members, who may be away for their session. */
export function completeJoin(group: ClassicGroup, decision: Decision): void {
  const { groupId } = group
  decision.cancelDeadline(joinKey(groupId))
  group.hasNewMember = false
  for (const member of [...group.members.values()]) {
    if (member.joinTicket !== NOBODY || member.groupInstanceId !== null) continue
    decision.cancelDeadline(sessionKey(groupId, member.memberId))
    removeMember(group, member.memberId)
  }
  // Only static members are left, and none of them is here to lead.
  if (!electLeader(group) && group.members.size > 0) return waitForMembers(group, decision)
  startGeneration(group, decision.nowMs)
  if (group.phase === 'Empty') return decision.emit({ kind: 'group-written', group })
  const { generation } = group
  decision.setDeadline(syncKey(groupId), rebalanceTimeoutMs(group), { kind: 'sync', groupId, generation })
  for (const member of group.members.values()) {
    answerJoin(group, member, decision)
    keepSession(group, member, decision)
    member.isNew = false
    group.unsynced.add(member.memberId)
  }
}

/** What a member of the current generation is told; the leader also learns who the others are. */
export function generationFor(group: ClassicGroup, member: Member): JoinAnswer {
  return {
    errorCode: ErrorCode.NONE,
    memberId: member.memberId,
    generationId: group.generation,
    protocolType: group.protocolType,
    protocolName: group.protocol,
    leader: group.leaderId ?? '',
    skipAssignment: false,
    members: group.leaderId === member.memberId ? membersOf(group) : [],
  }
}

export function membersOf(group: ClassicGroup): JoinAnswer['members'] {
  const members = []
  for (const member of group.members.values()) {
    const { memberId, groupInstanceId } = member
    members.push({ memberId, groupInstanceId, metadata: metadataOf(member, group.protocol) })
  }
  return members
}

function answerJoin(group: ClassicGroup, member: Member, decision: Decision): void {
  const ticket = member.joinTicket
  if (ticket === NOBODY) return
  setJoinTicket(group, member, NOBODY)
  decision.answerJoin(ticket, generationFor(group, member))
}

/** Whoever waits for the group as this member is told why that ends. */
export function failJoin(group: ClassicGroup, member: Member, errorCode: ErrorCode, decision: Decision): void {
  const ticket = member.joinTicket
  if (ticket === NOBODY) return
  setJoinTicket(group, member, NOBODY)
  decision.answerJoin(ticket, failedJoin(errorCode, errorCode === ErrorCode.UNKNOWN_MEMBER_ID ? '' : member.memberId))
}

/** Gives the member its assignment, or the error, if it waits for it; its session begins anew. */
export function answerSync(group: ClassicGroup, member: Member, errorCode: ErrorCode, decision: Decision): void {
  const ticket = member.syncTicket
  if (ticket === NOBODY) return
  member.syncTicket = NOBODY
  keepSession(group, member, decision)
  if (errorCode !== ErrorCode.NONE) return decision.answerSync(ticket, failedSync(errorCode))
  decision.answerSync(ticket, {
    errorCode,
    protocolType: group.protocolType,
    protocolName: group.protocol,
    assignment: member.assignment,
  })
}

/** The member was heard of. */
export function keepSession(
  { groupId }: ClassicGroup,
  { memberId, sessionTimeoutMs }: Member,
  decision: Decision,
  timeoutMs = sessionTimeoutMs,
): void {
  decision.setDeadline(sessionKey(groupId, memberId), timeoutMs, { kind: 'session', groupId, memberId })
}

/** A member that waits to be let in for the first time. */
export function keepNewSession(group: ClassicGroup, member: Member, decision: Decision): void {
  keepSession(group, member, decision, NEW_MEMBER_TIMEOUT_MS)
}
