// JoinGroup (11): enters a classic group, or its next generation. v1 rebalance timeout (KIP-62), v2 throttle time
// (KIP-124), v3 throttles after the answer (KIP-219), v4 MEMBER_ID_REQUIRED (KIP-394), v5 static members (KIP-345), v6
// flexible (KIP-482), v7 the protocol type in answers (KIP-559), v8 a reason (KIP-800), v9 leaders that must not assign
// (KIP-814).
import { api, array, bool, bytes, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const JoinGroup = api({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexible: 6,
  request: {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32.since(1).default(-1).ignorable(),
    memberId: string,
    groupInstanceId: string.since(5).nullable().default(null),
    protocolType: string,
    protocols: array({ name: string, metadata: bytes }),
    reason: string.since(8).nullable().default(null).ignorable(),
  },
  response: {
    throttleTimeMs: int32.since(2).ignorable(),
    errorCode: int16,
    generationId: int32.default(-1),
    protocolType: string.since(7).nullable().default(null).ignorable(),
    protocolName: string.nullable(7),
    leader: string,
    skipAssignment: bool.since(9),
    memberId: string,
    members: array({
      memberId: string,
      groupInstanceId: string.since(5).nullable().default(null).ignorable(),
      metadata: bytes,
    }),
  },
})

export interface JoinGroupRequest extends RequestOf<typeof JoinGroup> {}
export interface JoinGroupResponse extends ResponseOf<typeof JoinGroup> {}
