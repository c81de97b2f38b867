// DescribeGroups (15), v0-6. The state and members of classic groups.
// - A group that does not exist is "Dead"; from v6 also GROUP_ID_NOT_FOUND (KIP-1043). Metadata is told of stable groups only, as in Kafka.
// - Authorized operations (v3, KIP-430): without an authorizer all that exist for a group.
import { ErrorCode } from '../protocol/errors.ts'
import { DescribeGroups } from '../protocol/messages/describe-groups.ts'
import { GROUP_OPERATIONS, OPERATIONS_NOT_REQUESTED } from './authorized-operations.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_NOT_FOUND = 6

export const describeGroups = handler(DescribeGroups, async (request, { groups }, { apiVersion }) => {
  const authorizedOperations = request.includeAuthorizedOperations ? GROUP_OPERATIONS : OPERATIONS_NOT_REQUESTED
  const described = await Promise.all([...new Set(request.groups)].map(groupId => groups.describe(groupId)))
  return {
    groups: described.map(group => {
      const isMissing = group.errorCode === ErrorCode.GROUP_ID_NOT_FOUND
      if (!isMissing) return { ...group, authorizedOperations }
      if (apiVersion < FIRST_VERSION_WITH_NOT_FOUND)
        return { ...group, errorCode: ErrorCode.NONE, authorizedOperations }
      return { ...group, errorMessage: `Group ${group.groupId} not found.`, authorizedOperations }
    }),
  }
})
