// ListOffsets (2), v1-11.
import { api, array, int16, int32, int64, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const ListOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 11],
  flexible: 6,
  request: {
    replicaId: int32,
    isolationLevel: int8.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.since(4).default(-1).ignorable(),
        timestamp: int64,
      }),
    }),
    timeoutMs: int32.since(10).ignorable(),
  },
  response: {
    throttleTimeMs: int32.since(2).ignorable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        timestamp: int64.default(-1),
        offset: int64.default(-1),
        leaderEpoch: int32.since(4).default(-1),
      }),
    }),
  },
})

export interface ListOffsetsRequest extends RequestOf<typeof ListOffsets> {}
export interface ListOffsetsResponse extends ResponseOf<typeof ListOffsets> {}
