// JoinGroup (11), v0-9.
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
