// JoinGroup (11), v0-9. Enters a classic group, or its next generation; the answer waits until that begins (coordinator/group/join.ts).
// - MEMBER_ID_REQUIRED from v4 (KIP-394), static members from v5 (KIP-345), skipAssignment for a static leader that came back from v9 (KIP-814).
// - The first rebalance of an empty group waits group.initial.rebalance.delay.ms, again for whoever joins meanwhile. Later ones
//   wait for all members, at most for the longest of their rebalance timeouts.
// - INVALID_SESSION_TIMEOUT outside of group.min/max.session.timeout.ms, GROUP_MAX_SIZE_REACHED above group.max.size,
//   INCONSISTENT_GROUP_PROTOCOL without a protocol that all support, FENCED_INSTANCE_ID for a static member that was replaced.
// - A second request of the same member takes the place of the first, which gets REBALANCE_IN_PROGRESS; Kafka leaves it without an answer.
// - Metadata of consumers that is no subscription is taken as it is, and the group counts as subscribed to everything.
import type { JoinAnswer } from '../coordinator/group/decision.ts'
import { JoinGroup, type JoinGroupRequest } from '../protocol/messages/join-group.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_REBALANCE_TIMEOUT = 1
const FIRST_VERSION_WITH_MEMBER_ID_REQUIRED = 4
const FIRST_VERSION_WITH_NULL_PROTOCOL = 7
const FIRST_VERSION_WITH_SKIP_ASSIGNMENT = 9

export const joinGroup = handler(
  JoinGroup,
  async (request, { groups }, { apiVersion, clientId, connection, signal }) => {
    const answer = await groups.join(
      {
        groupId: request.groupId,
        memberId: request.memberId,
        groupInstanceId: request.groupInstanceId,
        clientId: clientId ?? '',
        clientHost: `/${connection.remoteAddress}`,
        sessionTimeoutMs: request.sessionTimeoutMs,
        rebalanceTimeoutMs:
          apiVersion < FIRST_VERSION_WITH_REBALANCE_TIMEOUT ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
        protocolType: request.protocolType,
        protocols: protocolsOf(request),
        knowsMemberIdRequired: apiVersion >= FIRST_VERSION_WITH_MEMBER_ID_REQUIRED,
        knowsSkipAssignment: apiVersion >= FIRST_VERSION_WITH_SKIP_ASSIGNMENT,
      },
      signal,
    )
    return forVersion(answer, apiVersion)
  },
)

/** Each name once, as in Kafka; copies, because the group outlives the frame. */
function protocolsOf({ protocols }: JoinGroupRequest) {
  const byName = new Map<string, Buffer>()
  for (const { name, metadata } of protocols) if (!byName.has(name)) byName.set(name, Buffer.from(metadata))
  return [...byName].map(([name, metadata]) => ({ name, metadata }))
}

function forVersion(answer: JoinAnswer, version: number): JoinAnswer {
  if (answer.protocolName !== null || version >= FIRST_VERSION_WITH_NULL_PROTOCOL) return answer
  return { ...answer, protocolName: '' }
}
