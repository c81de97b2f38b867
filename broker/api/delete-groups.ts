// DeleteGroups (42), v0-3. Removes groups without members, and their offsets.
// - NON_EMPTY_GROUP while it has members; GROUP_ID_NOT_FOUND. Messages from v3.
import { ErrorCode, errorMessage } from '../protocol/errors.ts'
import { DeleteGroups } from '../protocol/messages/delete-groups.ts'
import { handler } from './handler.ts'

export const deleteGroups = handler(DeleteGroups, async ({ groupsNames }, { groups }) => ({
  results: await Promise.all(
    [...new Set(groupsNames)].map(async groupId => {
      const errorCode = await groups.delete(groupId)
      return { groupId, errorCode, errorMessage: errorCode === ErrorCode.NONE ? null : errorMessage(errorCode) }
    }),
  ),
}))
