// JoinGroup, decided: who may enter a classic group, and whether that begins a rebalance. Every request has a ticket, and its answer goes to
// that, at once or when the generation begins. Pure; as Kafka's GroupMetadataManager decides it (classicGroupJoin*).
import { ErrorCode } from '../../protocol/errors.ts'
import { failedJoin, sessionKey, type Decision, type JoinAnswer } from './decision.ts'
import {
  addMember,
  addPendingMember,
  checkMember,
  fitsTo,
  removeMember,
  renameMember,
  selectProtocol,
  setJoinTicket,
  setProtocols,
  sizeOf,
} from './members.ts'
import {
  completeJoinIfAllJoined,
  failJoin,
  generationFor,
  keepNewSession,
  keepSession,
  membersOf,
  answerSync,
  prepareRebalance,
  rebalance,
} from './rebalance.ts'
import { newGroup, NO_BYTES, NOBODY } from './state.ts'
import type { ClassicGroup, GroupsState, Member, Protocol } from './state.ts'

export type JoinRequest = {
  readonly groupId: string
  /** '' for one that has none yet. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  /** Each name once. */
  readonly protocols: readonly Protocol[]
  /** The client can be given an id to come back with (KIP-394, v4). */
  readonly knowsMemberIdRequired: boolean
  /** The client can be told that it leads and need not assign (KIP-814, v9). */
  readonly knowsSkipAssignment: boolean
}

const NO_MEMBER_ID = ''
/** Ids that were given out and have not joined: whoever asks for them in a loop is told to stop. */
const MAX_PENDING_MEMBERS = 50_000

export function join(state: GroupsState, request: JoinRequest, ticket: number, decision: Decision): void {
  const { groupId, memberId, sessionTimeoutMs } = request
  const { settings } = decision
  const refuse = (errorCode: ErrorCode, to = memberId): void => decision.answerJoin(ticket, failedJoin(errorCode, to))
  if (groupId === '') return refuse(ErrorCode.INVALID_GROUP_ID)
  if (sessionTimeoutMs < settings.minSessionTimeoutMs || sessionTimeoutMs > settings.maxSessionTimeoutMs) {
    return refuse(ErrorCode.INVALID_SESSION_TIMEOUT)
  }
  const known = state.groups.get(groupId)
  if (known === undefined && memberId !== NO_MEMBER_ID) return refuse(ErrorCode.UNKNOWN_MEMBER_ID)
  if (known === undefined && state.groups.size >= settings.maxGroups) return refuse(ErrorCode.GROUP_MAX_SIZE_REACHED)
  const group = known ?? newGroup(groupId, decision.nowMs)
  if (!hasRoomFor(group, request, settings.maxSize, settings.maxGroupBytes)) {
    const member = group.members.get(memberId)
    if (member !== undefined) removeWaiting(group, member, decision)
    else removeMember(group, memberId)
    return refuse(ErrorCode.GROUP_MAX_SIZE_REACHED, NO_MEMBER_ID)
  }
  if (!fitsTo(group, request.protocolType, request.protocols)) return refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  // A group exists from the first join that is not refused, so that its members are found after a failover.
  if (known === undefined) decision.emit({ kind: 'group-written', group })
  if (memberId === NO_MEMBER_ID) joinAsNew(group, request, ticket, decision)
  else joinAgain(group, request, ticket, decision)
}

/** While a rebalance goes on those count who have joined: a group that is too large loses whoever comes last. */
function hasRoomFor(group: ClassicGroup, request: JoinRequest, maxSize: number, maxBytes: number): boolean {
  const member = group.members.get(request.memberId)
  const growth = sizeOf({ protocols: request.protocols, assignment: NO_BYTES }) - (member ? sizeOf(member) : 0)
  if (growth > 0 && group.sizeBytes + growth > maxBytes) return false
  if (request.memberId === NO_MEMBER_ID && group.pendingMembers.size >= MAX_PENDING_MEMBERS) return false
  switch (group.phase) {
    case 'Empty':
      return true
    case 'PreparingRebalance':
      return (member !== undefined && member.joinTicket !== NOBODY) || group.joining < maxSize
    default:
      return member !== undefined || group.members.size < maxSize
  }
}

function removeWaiting(group: ClassicGroup, member: Member, decision: Decision): void {
  failJoin(group, member, ErrorCode.UNKNOWN_MEMBER_ID, decision)
  answerSync(group, member, ErrorCode.UNKNOWN_MEMBER_ID, decision)
  decision.cancelDeadline(sessionKey(group.groupId, member.memberId))
  removeMember(group, member.memberId)
}

function joinAsNew(group: ClassicGroup, request: JoinRequest, ticket: number, decision: Decision): void {
  const { groupInstanceId, clientId, sessionTimeoutMs } = request
  const memberId = decision.newMemberId(groupInstanceId ?? clientId)
  if (groupInstanceId !== null) {
    const current = group.members.get(group.staticMembers.get(groupInstanceId) ?? NO_MEMBER_ID)
    if (current === undefined) enter(group, request, memberId, ticket, decision)
    else replaceStatic(group, request, current, memberId, ticket, decision)
    return
  }
  if (!request.knowsMemberIdRequired) return enter(group, request, memberId, ticket, decision)
  addPendingMember(group, memberId)
  const { groupId } = group
  decision.setDeadline(sessionKey(groupId, memberId), sessionTimeoutMs, { kind: 'session', groupId, memberId })
  decision.answerJoin(ticket, failedJoin(ErrorCode.MEMBER_ID_REQUIRED, memberId))
}

function enter(group: ClassicGroup, request: JoinRequest, memberId: string, ticket: number, decision: Decision): void {
  const member: Member = {
    memberId,
    groupInstanceId: request.groupInstanceId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    sessionTimeoutMs: request.sessionTimeoutMs,
    protocols: request.protocols,
    assignment: NO_BYTES,
    joinTicket: ticket,
    syncTicket: NOBODY,
    isNew: true,
  }
  if (group.phase === 'PreparingRebalance' && group.previousPhase === 'Empty') group.hasNewMember = true
  addMember(group, member, request.protocolType)
  // It does not know its id yet and cannot send heartbeats; and while it waits nobody notices that it is gone. It is given up
  // after a while, or clients that reconnect would fill the group with members that nobody is.
  keepNewSession(group, member, decision)
  rebalance(group, decision)
}

function joinAgain(group: ClassicGroup, request: JoinRequest, ticket: number, decision: Decision): void {
  const { memberId, groupInstanceId } = request
  const answer = (said: JoinAnswer): void => decision.answerJoin(ticket, said)
  if (group.pendingMembers.has(memberId)) {
    // Ids are only given out to dynamic members.
    if (groupInstanceId !== null) return answer(failedJoin(ErrorCode.UNKNOWN_MEMBER_ID, memberId))
    return enter(group, request, memberId, ticket, decision)
  }
  const errorCode = checkMember(group, memberId, groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return answer(failedJoin(errorCode, memberId))
  const member = group.members.get(memberId)!
  const isSame = haveSameProtocols(member.protocols, request.protocols)
  switch (group.phase) {
    case 'PreparingRebalance':
      update(group, member, request, ticket, decision)
      return completeJoinIfAllJoined(group, decision)
    case 'CompletingRebalance':
      // It may have missed the answer: the generation is the same.
      if (isSame) return answer(generationFor(group, member))
      break
    case 'Stable':
      // The leader joins again to have partitions assigned anew that the coordinator knows nothing about.
      if (isSame && group.leaderId !== memberId) return answer({ ...generationFor(group, member), members: [] })
      break
    case 'Empty':
      return answer(failedJoin(ErrorCode.UNKNOWN_MEMBER_ID, memberId))
    default:
      group.phase satisfies never
  }
  update(group, member, request, ticket, decision)
  rebalance(group, decision)
}

/** A request that waits as this member already is told to try again: this one takes its place. */
function update(group: ClassicGroup, member: Member, request: JoinRequest, ticket: number, decision: Decision): void {
  failJoin(group, member, ErrorCode.REBALANCE_IN_PROGRESS, decision)
  setProtocols(group, member, request.protocols)
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
  member.sessionTimeoutMs = request.sessionTimeoutMs
  setJoinTicket(group, member, ticket)
}

function haveSameProtocols(ours: readonly Protocol[], theirs: readonly Protocol[]): boolean {
  if (ours.length !== theirs.length) return false
  return ours.every(({ name, metadata }, at) => name === theirs[at]!.name && metadata.equals(theirs[at]!.metadata))
}

/**
 * A static member has come back as another process (KIP-345): the old one is fenced, the new one has its place. In a stable group whose
 * protocol stays the same that is all: nobody else notices.
 */
function replaceStatic(
  group: ClassicGroup,
  request: JoinRequest,
  member: Member,
  newMemberId: string,
  ticket: number,
  decision: Decision,
): void {
  const { memberId: oldMemberId } = member
  const oldLeaderId = group.leaderId
  failJoin(group, member, ErrorCode.FENCED_INSTANCE_ID, decision)
  answerSync(group, member, ErrorCode.FENCED_INSTANCE_ID, decision)
  decision.cancelDeadline(sessionKey(group.groupId, oldMemberId))
  renameMember(group, member, newMemberId)
  member.clientId = request.clientId
  member.clientHost = request.clientHost
  update(group, member, request, ticket, decision)
  keepSession(group, member, decision)
  switch (group.phase) {
    case 'Stable':
      if (selectProtocol(group) !== group.protocol) return rebalance(group, decision)
      setJoinTicket(group, member, NOBODY)
      decision.emit({ kind: 'group-written', group })
      return decision.answerJoin(ticket, replacement(group, member, oldLeaderId, request.knowsSkipAssignment))
    case 'CompletingRebalance':
      // The leader may be assigning to the id that is gone: that assignment would reach nobody.
      return prepareRebalance(group, decision)
    default:
      return completeJoinIfAllJoined(group, decision)
  }
}

/** Clients that cannot be told to skip the assignment are told that the former leader leads, so that they do not assign either. */
function replacement(
  group: ClassicGroup,
  member: Member,
  oldLeaderId: string | null,
  knowsSkipAssignment: boolean,
): JoinAnswer {
  const answer = generationFor(group, member)
  const isLeader = group.leaderId === member.memberId
  if (knowsSkipAssignment) return { ...answer, skipAssignment: isLeader, members: isLeader ? membersOf(group) : [] }
  return { ...answer, leader: oldLeaderId ?? '', members: [] }
}
