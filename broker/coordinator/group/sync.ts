// SyncGroup, decided: the leader hands in the assignment, which makes the generation count and is written to the log; everybody else waits
// for it. Pure; as Kafka's GroupMetadataManager decides it (classicGroupSync*).
import { ErrorCode } from '../../protocol/errors.ts'
import { failedSync, sessionKey, syncKey, type Decision } from './decision.ts'
import { checkMember, moveTo, removeMember, setAssignment } from './members.ts'
import { answerSync, prepareRebalance } from './rebalance.ts'
import { NO_BYTES, type ClassicGroup, type GroupsState } from './state.ts'

export type SyncRequest = {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** Null for clients that do not say (before v5). */
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

export function sync(state: GroupsState, request: SyncRequest, ticket: number, decision: Decision): void {
  const group = state.groups.get(request.groupId)
  const errorCode = check(group, request)
  if (group === undefined || errorCode !== ErrorCode.NONE) return decision.answerSync(ticket, failedSync(errorCode))
  const member = group.members.get(request.memberId)!
  // A request that waits as this member already is told to try again: this one takes its place.
  answerSync(group, member, ErrorCode.REBALANCE_IN_PROGRESS, decision)
  member.syncTicket = ticket
  group.unsynced.delete(member.memberId)
  if (group.unsynced.size === 0) decision.cancelDeadline(syncKey(group.groupId))
  if (group.phase === 'Stable') answerSync(group, member, ErrorCode.NONE, decision)
  else if (group.leaderId === member.memberId) assign(group, request, decision)
}

function check(group: ClassicGroup | undefined, request: SyncRequest): ErrorCode {
  if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
  if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  const errorCode = checkMember(group, request.memberId, request.groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  if (differs(request.protocolType, group.protocolType) || differs(request.protocolName, group.protocol)) {
    return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  }
  if (group.phase === 'PreparingRebalance') return ErrorCode.REBALANCE_IN_PROGRESS
  return group.phase === 'Empty' ? ErrorCode.UNKNOWN_MEMBER_ID : ErrorCode.NONE
}

function differs(asked: string | null, current: string | null): boolean {
  return asked !== null && current !== null && asked !== current
}

/** Members that the leader forgot get nothing, and what it assigns to others than members is dropped. */
function assign(group: ClassicGroup, { assignments }: SyncRequest, decision: Decision): void {
  const byMember = new Map<string, Buffer>()
  let sizeBytes = group.sizeBytes
  for (const { memberId, assignment } of assignments) {
    if (!group.members.has(memberId)) continue
    sizeBytes += assignment.length - (byMember.get(memberId)?.length ?? 0)
    byMember.set(memberId, assignment)
  }
  if (sizeBytes > decision.settings.maxGroupBytes) {
    // It does not fit into the log: the members are told, and join again for another try, as in Kafka.
    for (const member of group.members.values()) answerSync(group, member, ErrorCode.UNKNOWN_SERVER_ERROR, decision)
    return prepareRebalance(group, decision)
  }
  for (const member of group.members.values()) {
    setAssignment(group, member, Buffer.from(byMember.get(member.memberId) ?? NO_BYTES))
  }
  moveTo(group, 'Stable', decision.nowMs)
  decision.emit({ kind: 'group-written', group })
  for (const member of group.members.values()) answerSync(group, member, ErrorCode.NONE, decision)
}

/** The members of a generation have had their time to ask for their assignment: who has not is gone. */
export function endSync(group: ClassicGroup, generation: number, decision: Decision): void {
  if (group.generation !== generation || group.unsynced.size === 0) return
  if (group.phase !== 'CompletingRebalance' && group.phase !== 'Stable') return
  for (const memberId of [...group.unsynced]) {
    decision.cancelDeadline(sessionKey(group.groupId, memberId))
    removeMember(group, memberId)
  }
  prepareRebalance(group, decision)
}
