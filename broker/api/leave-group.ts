// LeaveGroup (13), v0-5. Members leave a classic group; the others join again at once.
// - v3 and later: many members, each with an error (KIP-345). A static member may be named by its instance id alone, by an administrator.
// - Before, one member, whose error is the answer's.
import { ErrorCode } from '../protocol/errors.ts'
import { LeaveGroup } from '../protocol/messages/leave-group.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_MANY_MEMBERS = 3

export const leaveGroup = handler(LeaveGroup, async (request, { groups }, { apiVersion }) => {
  const isBatched = apiVersion >= FIRST_VERSION_WITH_MANY_MEMBERS
  const members = isBatched ? request.members : [{ memberId: request.memberId, groupInstanceId: null }]
  const left = await groups.leave(request.groupId, members)
  if (typeof left === 'number') return { errorCode: left }
  if (!isBatched) return { errorCode: left[0]! }
  return {
    errorCode: ErrorCode.NONE,
    members: members.map(({ memberId, groupInstanceId }, at) => ({ memberId, groupInstanceId, errorCode: left[at]! })),
  }
})
