// Heartbeat (12): keeps a member of a classic group alive. v1 throttle time (KIP-124), v2 throttles after the answer
// (KIP-219), v3 static members (KIP-345), v4 flexible (KIP-482).
import { api, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const Heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexible: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.since(3).nullable().default(null),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16,
  },
})

export interface HeartbeatRequest extends RequestOf<typeof Heartbeat> {}
export interface HeartbeatResponse extends ResponseOf<typeof Heartbeat> {}
