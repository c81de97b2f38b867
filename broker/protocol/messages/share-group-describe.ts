// ShareGroupDescribe (77, KIP-932). v0 was early access and is gone.
import { api, array, bool, int16, int32, string, struct, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

const topicPartitions = struct({ topicId: uuid, topicName: string, partitions: array(int32) })

const assignment = struct({ topicPartitions: array(topicPartitions) })

export const ShareGroupDescribe = api({
  key: 77,
  name: 'ShareGroupDescribe',
  versions: [1, 1],
  flexible: 0,
  request: {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    groups: array({
      errorCode: int16,
      errorMessage: string.nullable().default(null),
      groupId: string,
      groupState: string,
      groupEpoch: int32,
      assignmentEpoch: int32,
      assignorName: string,
      members: array({
        memberId: string,
        rackId: string.nullable().default(null),
        memberEpoch: int32,
        clientId: string,
        clientHost: string,
        subscribedTopicNames: array(string),
        assignment,
      }),
      authorizedOperations: int32.default(-2147483648),
    }),
  },
})

export interface ShareGroupDescribeRequest extends RequestOf<typeof ShareGroupDescribe> {}
export interface ShareGroupDescribeResponse extends ResponseOf<typeof ShareGroupDescribe> {}
