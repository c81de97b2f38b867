// OffsetFetch (9), v1-10.
import { api, array, bool, int16, int32, int64, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const OffsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 10],
  flexible: 6,
  request: {
    groupId: string.until(7),
    topics: array({ name: string, partitionIndexes: array(int32) })
      .until(7)
      .nullable(2),
    groups: array({
      groupId: string,
      memberId: string.since(9).nullable().default(null).ignorable(),
      memberEpoch: int32.since(9).default(-1).ignorable(),
      topics: array({
        name: string.until(9).ignorable(),
        topicId: uuid.since(10).ignorable(),
        partitionIndexes: array(int32),
      }).nullable(),
    }).since(8),
    requireStable: bool.since(7),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(5).default(-1).ignorable(),
        metadata: string.nullable(),
        errorCode: int16,
      }),
    }).until(7),
    errorCode: int16.since(2).until(7).ignorable(),
    groups: array({
      groupId: string,
      topics: array({
        name: string.until(9).ignorable(),
        topicId: uuid.since(10).ignorable(),
        partitions: array({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: int32.default(-1),
          metadata: string.nullable(),
          errorCode: int16,
        }),
      }),
      errorCode: int16.default(0),
    }).since(8),
  },
})

export interface OffsetFetchRequest extends RequestOf<typeof OffsetFetch> {}
export interface OffsetFetchResponse extends ResponseOf<typeof OffsetFetch> {}
