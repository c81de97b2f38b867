// ShareGroupHeartbeat (76): joins, leaves and keeps up with a share group (KIP-932). v0 was early access and is gone.
import { api, array, int16, int32, string, struct, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

const topicPartitions = struct({ topicId: uuid, partitions: array(int32) })

export const ShareGroupHeartbeat = api({
  key: 76,
  name: 'ShareGroupHeartbeat',
  versions: [1, 1],
  flexible: 0,
  request: {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    rackId: string.nullable().default(null),
    subscribedTopicNames: array(string).nullable().default(null),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    memberId: string.nullable().default(null),
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: struct({ topicPartitions: array(topicPartitions) })
      .nullable()
      .default(null),
  },
})

export interface ShareGroupHeartbeatRequest extends RequestOf<typeof ShareGroupHeartbeat> {}
export interface ShareGroupHeartbeatResponse extends ResponseOf<typeof ShareGroupHeartbeat> {}
