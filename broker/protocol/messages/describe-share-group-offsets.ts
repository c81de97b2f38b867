// DescribeShareGroupOffsets (90, KIP-932). v1 lag (KIP-1226).
import { api, array, int16, int32, int64, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const DescribeShareGroupOffsets = api({
  key: 90,
  name: 'DescribeShareGroupOffsets',
  versions: [0, 1],
  flexible: 0,
  request: {
    groups: array({ groupId: string, topics: array({ topicName: string, partitions: array(int32) }).nullable() }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    groups: array({
      groupId: string,
      topics: array({
        topicName: string,
        topicId: uuid,
        partitions: array({
          partitionIndex: int32,
          startOffset: int64,
          leaderEpoch: int32,
          lag: int64.since(1).default(-1).ignorable(),
          errorCode: int16,
          errorMessage: string.nullable().default(null),
        }),
      }),
      errorCode: int16,
      errorMessage: string.nullable().default(null),
    }),
  },
})

export interface DescribeShareGroupOffsetsRequest extends RequestOf<typeof DescribeShareGroupOffsets> {}
export interface DescribeShareGroupOffsetsResponse extends ResponseOf<typeof DescribeShareGroupOffsets> {}
