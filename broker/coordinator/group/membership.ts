// Heartbeat, LeaveGroup and everything that happens to members when time passes, decided. Pure; as Kafka's GroupMetadataManager.
import { ErrorCode } from '../../protocol/errors.ts'
import { sessionKey, type Deadline, type Decision } from './decision.ts'
import { checkMember, removeMember } from './members.ts'
import {
  answerSync,
  completeJoin,
  completeJoinIfAllJoined,
  endInitialDelay,
  failJoin,
  keepSession,
  prepareRebalance,
  rebalance,
} from './rebalance.ts'
import { NOBODY, type ClassicGroup, type GroupsState, type Member } from './state.ts'
import { endSync } from './sync.ts'

export type HeartbeatRequest = {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

/** REBALANCE_IN_PROGRESS tells the member to join again. */
export function heartbeat(state: GroupsState, request: HeartbeatRequest, decision: Decision): ErrorCode {
  if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
  const group = state.groups.get(request.groupId)
  if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  const errorCode = checkMember(group, request.memberId, request.groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  keepSession(group, group.members.get(request.memberId)!, decision)
  return group.phase === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

export type LeavingMember = { readonly memberId: string; readonly groupInstanceId: string | null }

/** One error for each member; those who may leave do, and then one rebalance follows. */
export function leave(
  state: GroupsState,
  groupId: string,
  members: readonly LeavingMember[],
  decision: Decision,
): ErrorCode[] {
  const group = state.groups.get(groupId)
  if (group === undefined) return members.map(() => ErrorCode.UNKNOWN_MEMBER_ID)
  const errorCodes = members.map(member => leaveOne(group, member, decision))
  if (errorCodes.includes(ErrorCode.NONE) && group.phase !== 'Empty') rebalance(group, decision)
  return errorCodes
}

function leaveOne(group: ClassicGroup, { memberId, groupInstanceId }: LeavingMember, decision: Decision): ErrorCode {
  if (group.pendingMembers.has(memberId)) {
    decision.cancelDeadline(sessionKey(group.groupId, memberId))
    removeMember(group, memberId)
    return ErrorCode.NONE
  }
  // An administrator removes a static member by its instance id alone.
  const isByInstance = memberId === '' && groupInstanceId !== null
  const id = isByInstance ? group.staticMembers.get(groupInstanceId) : memberId
  if (id === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  const errorCode = checkMember(group, id, groupInstanceId)
  if (errorCode === ErrorCode.NONE) expel(group, group.members.get(id)!, decision)
  return errorCode
}

/** Whoever waits as this member learns that it is none any more, and may join anew. */
function expel(group: ClassicGroup, member: Member, decision: Decision): void {
  failJoin(group, member, ErrorCode.UNKNOWN_MEMBER_ID, decision)
  answerSync(group, member, ErrorCode.UNKNOWN_MEMBER_ID, decision)
  decision.cancelDeadline(sessionKey(group.groupId, member.memberId))
  removeMember(group, member.memberId)
}

/** A deadline has come. What it was set for may have gone meanwhile. */
export function expire(state: GroupsState, deadline: Deadline, decision: Decision): void {
  const group = state.groups.get(deadline.groupId)
  if (group === undefined) return
  switch (deadline.kind) {
    case 'session':
      return endSession(group, deadline.memberId, decision)
    case 'initial-join':
      if (group.phase !== 'PreparingRebalance') return
      return endInitialDelay(group, deadline.delayMs, deadline.remainingMs, decision)
    case 'join':
      if (group.phase === 'PreparingRebalance') completeJoin(group, decision)
      return
    case 'sync':
      return endSync(group, deadline.generation, decision)
    default:
      deadline satisfies never
  }
}

function endSession(group: ClassicGroup, memberId: string, decision: Decision): void {
  if (group.pendingMembers.has(memberId)) {
    removeMember(group, memberId)
    return completeJoinIfAllJoined(group, decision)
  }
  const member = group.members.get(memberId)
  if (member === undefined) return
  // A member that waits for an answer sends no heartbeats; its session begins anew with the answer.
  if (!member.isNew && (member.joinTicket !== NOBODY || member.syncTicket !== NOBODY)) return
  expel(group, member, decision)
  rebalance(group, decision)
}

/** The groups were read from the log: their members have a session's time to show that they are still there. */
export function resume(state: GroupsState, decision: Decision): void {
  for (const group of state.groups.values()) {
    for (const member of group.members.values()) keepSession(group, member, decision)
    if (group.members.size > decision.settings.maxSize) prepareRebalance(group, decision)
  }
}
