// The members of a classic group: adding, replacing and removing them so that every count of the group stays right, and the protocol that
// all of them support. Pure; who may join is join.ts.
import { assert } from '../../base/assert.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { subscribedTopics } from './subscription.ts'
import {
  CONSUMER_PROTOCOL_TYPE,
  NO_BYTES,
  NO_MEMBERS,
  NOBODY,
  type ClassicGroup,
  type Member,
  type Phase,
  type Protocol,
} from './state.ts'

export function moveTo(group: ClassicGroup, phase: Phase, nowMs: number): void {
  group.previousPhase = group.phase
  group.phase = phase
  group.phaseSinceMs = nowMs
}

function makeRoom(group: ClassicGroup): void {
  if (group.members !== NO_MEMBERS) return
  group.members = new Map()
  group.staticMembers = new Map()
  group.pendingMembers = new Set()
  group.unsynced = new Set()
  group.supporters = new Map()
}

/** An id was given out, with which a member may join. */
export function addPendingMember(group: ClassicGroup, memberId: string): void {
  makeRoom(group)
  group.pendingMembers.add(memberId)
}

/** The first member decides the protocol type and becomes the leader. */
export function addMember(group: ClassicGroup, member: Member, protocolType: string): void {
  assert(!group.members.has(member.memberId), 'a member is added once')
  makeRoom(group)
  if (group.members.size === 0) group.protocolType = protocolType
  group.leaderId ??= member.memberId
  group.members.set(member.memberId, member)
  group.pendingMembers.delete(member.memberId)
  if (member.groupInstanceId !== null) group.staticMembers.set(member.groupInstanceId, member.memberId)
  countProtocols(group, member.protocols, 1)
  group.sizeBytes += sizeOf(member)
  if (member.joinTicket !== NOBODY) group.joining++
}

/** Also forgets an id that has not joined yet. Nobody may wait for an answer as this member any more. */
export function removeMember(group: ClassicGroup, memberId: string): void {
  group.pendingMembers.delete(memberId)
  group.unsynced.delete(memberId)
  const member = group.members.get(memberId)
  if (member === undefined) return
  group.members.delete(memberId)
  if (member.groupInstanceId !== null) group.staticMembers.delete(member.groupInstanceId)
  countProtocols(group, member.protocols, -1)
  group.sizeBytes -= sizeOf(member)
  if (member.joinTicket !== NOBODY) group.joining--
  if (group.leaderId === memberId) group.leaderId = firstOf(group.members.keys())
}

/** A static member that comes back gets a new id; everything else of it stays. */
export function renameMember(group: ClassicGroup, member: Member, newMemberId: string): void {
  const oldMemberId = member.memberId
  group.members.delete(oldMemberId)
  member.memberId = newMemberId
  group.members.set(newMemberId, member)
  if (group.unsynced.delete(oldMemberId)) group.unsynced.add(newMemberId)
  if (member.groupInstanceId !== null) group.staticMembers.set(member.groupInstanceId, newMemberId)
  if (group.leaderId === oldMemberId) group.leaderId = newMemberId
}

export function setProtocols(group: ClassicGroup, member: Member, protocols: readonly Protocol[]): void {
  countProtocols(group, member.protocols, -1)
  group.sizeBytes -= sizeOf(member)
  member.protocols = protocols
  countProtocols(group, member.protocols, 1)
  group.sizeBytes += sizeOf(member)
}

export function setAssignment(group: ClassicGroup, member: Member, assignment: Buffer): void {
  group.sizeBytes += assignment.length - member.assignment.length
  member.assignment = assignment
}

export function setJoinTicket(group: ClassicGroup, member: Member, ticket: number): void {
  group.joining += Number(ticket !== NOBODY) - Number(member.joinTicket !== NOBODY)
  member.joinTicket = ticket
}

export function haveAllJoined(group: ClassicGroup): boolean {
  return group.joining === group.members.size && group.pendingMembers.size === 0
}

/** The longest of the members' rebalance timeouts. */
export function rebalanceTimeoutMs(group: ClassicGroup): number {
  let longest = 0
  for (const member of group.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs)
  return longest
}

/** Whether a member with these protocols fits to the others: one of them must be supported by all. */
export function fitsTo(group: ClassicGroup, protocolType: string, protocols: readonly Protocol[]): boolean {
  if (group.phase === 'Empty') return protocolType !== '' && protocols.length > 0
  if (group.protocolType !== protocolType) return false
  return protocols.some(({ name }) => group.supporters.get(name) === group.members.size)
}

/** The protocol that most members prefer of those that all support; null when there is none. */
export function selectProtocol(group: ClassicGroup): string | null {
  const votes = new Map<string, number>()
  for (const member of group.members.values()) {
    const vote = member.protocols.find(({ name }) => group.supporters.get(name) === group.members.size)
    if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1)
  }
  let selected: string | null = null
  for (const [name, count] of votes) if (selected === null || count > votes.get(selected)!) selected = name
  return selected
}

/** What the member says in the group's protocol. */
export function metadataOf(member: Member, protocol: string | null): Buffer {
  return member.protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES
}

/** The leader, if it has joined again, or else the first member that has; false when nobody has. */
export function electLeader(group: ClassicGroup): boolean {
  const leader = group.leaderId === null ? undefined : group.members.get(group.leaderId)
  if (leader === undefined) return false
  if (leader.joinTicket !== NOBODY) return true
  for (const member of group.members.values()) {
    if (member.joinTicket === NOBODY) continue
    group.leaderId = member.memberId
    return true
  }
  return false
}

/** Begins a generation with the members there are; without any the group is empty. */
export function startGeneration(group: ClassicGroup, nowMs: number): void {
  group.generation++
  group.unsynced.clear()
  group.protocol = selectProtocol(group)
  group.subscribedTopics = topicsOf(group)
  moveTo(group, group.members.size > 0 ? 'CompletingRebalance' : 'Empty', nowMs)
}

/** What the members subscribe to; null when they are no consumers or one of them cannot be understood. */
export function topicsOf(group: ClassicGroup): ReadonlySet<string> | null {
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return null
  const topics = new Set<string>()
  for (const member of group.members.values()) {
    const subscribed = subscribedTopics(metadataOf(member, group.protocol))
    if (subscribed === null) return null
    for (const topic of subscribed) topics.add(topic)
  }
  return topics
}

/** NONE, or why this is no request of that member: a static one is fenced when another process has taken its place. */
export function checkMember(group: ClassicGroup, memberId: string, groupInstanceId: string | null): ErrorCode {
  if (groupInstanceId !== null) {
    const current = group.staticMembers.get(groupInstanceId)
    if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    if (current !== memberId) return ErrorCode.FENCED_INSTANCE_ID
  }
  return group.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
}

function countProtocols(group: ClassicGroup, protocols: readonly Protocol[], change: number): void {
  for (const { name } of protocols) {
    const count = (group.supporters.get(name) ?? 0) + change
    if (count === 0) group.supporters.delete(name)
    else group.supporters.set(name, count)
  }
}

/** Bytes that a member holds, and takes in the log. */
export function sizeOf({ protocols, assignment }: Pick<Member, 'protocols' | 'assignment'>): number {
  let bytes = MEMBER_BYTES + assignment.length
  for (const { name, metadata } of protocols) bytes += name.length + metadata.length
  return bytes
}

/** About what ids, host and numbers of a member take. */
const MEMBER_BYTES = 256

function firstOf(keys: Iterable<string>): string | null {
  for (const key of keys) return key
  return null
}
