// Groups as DescribeGroups and ListGroups show them. Pure.
import { ErrorCode } from '../../protocol/errors.ts'
import { metadataOf } from './members.ts'
import { NO_BYTES, type Group, type GroupsState } from './state.ts'

export type GroupDescription = {
  readonly errorCode: ErrorCode
  readonly groupId: string
  readonly groupState: string
  readonly protocolType: string
  readonly protocolData: string
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly clientId: string
    readonly clientHost: string
    readonly memberMetadata: Buffer
    readonly memberAssignment: Buffer
  }[]
}

/** GROUP_ID_NOT_FOUND and "Dead" for a group that is not there. */
export function describeGroup(state: GroupsState, groupId: string): GroupDescription {
  if (groupId === '') return nothing(groupId, ErrorCode.INVALID_GROUP_ID, '')
  const group = state.groups.get(groupId)
  if (group === undefined) return nothing(groupId, ErrorCode.GROUP_ID_NOT_FOUND, 'Dead')
  // Between generations nobody has agreed on a protocol, so there is none to tell the metadata of.
  const isStable = group.phase === 'Stable'
  const members = []
  for (const member of group.members.values()) {
    members.push({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? metadataOf(member, group.protocol) : NO_BYTES,
      memberAssignment: member.assignment,
    })
  }
  return {
    errorCode: ErrorCode.NONE,
    groupId,
    groupState: group.phase,
    protocolType: group.protocolType ?? '',
    protocolData: isStable ? (group.protocol ?? '') : '',
    members,
  }
}

export function nothing(groupId: string, errorCode: ErrorCode, groupState: string): GroupDescription {
  return { errorCode, groupId, groupState, protocolType: '', protocolData: '', members: [] }
}

export type ListedGroup = {
  readonly groupId: string
  readonly protocolType: string
  readonly groupState: string
  readonly groupType: string
}

/** The names in lower case; an empty filter lets all through. */
export type GroupFilter = { readonly states: ReadonlySet<string>; readonly types: ReadonlySet<string> }

export function listGroups(state: GroupsState, { states, types }: GroupFilter): ListedGroup[] {
  const listed: ListedGroup[] = []
  for (const group of state.groups.values()) {
    if (states.size > 0 && !states.has(group.phase.toLowerCase())) continue
    if (types.size > 0 && !types.has(group.type)) continue
    listed.push(listedGroup(group))
  }
  return listed
}

function listedGroup({ groupId, protocolType, phase, type }: Group): ListedGroup {
  return { groupId, protocolType: protocolType ?? '', groupState: phase, groupType: type }
}
