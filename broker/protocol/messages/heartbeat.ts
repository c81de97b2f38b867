// Heartbeat (12), v0-4.
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
