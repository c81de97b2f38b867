// OffsetCommit (8), v2-10.
import { api, array, int16, int32, int64, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const OffsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  versions: [2, 10],
  flexible: 8,
  request: {
    groupId: string,
    generationIdOrMemberEpoch: int32.default(-1),
    memberId: string,
    groupInstanceId: string.since(7).nullable().default(null),
    retentionTimeMs: int64.until(4).default(-1).ignorable(),
    topics: array({
      name: string.until(9).ignorable(),
      topicId: uuid.since(10).ignorable(),
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(6).default(-1).ignorable(),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable(),
    topics: array({
      name: string.until(9).ignorable(),
      topicId: uuid.since(10).ignorable(),
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
})

export interface OffsetCommitRequest extends RequestOf<typeof OffsetCommit> {}
export interface OffsetCommitResponse extends ResponseOf<typeof OffsetCommit> {}
