// ListOffsets (2): offsets by timestamp, or by the special ones below zero. v1 is the oldest that is left (one offset a
// partition, KIP-79), v2 isolation level (KIP-98), v3 throttles after the answer (KIP-219), v4 leader epoch (KIP-320),
// v5 OFFSET_NOT_AVAILABLE (KIP-207), v6 flexible (KIP-482), v7 -3, the largest timestamp (KIP-734), v8 -4, the earliest
// local offset (KIP-405), v9 -5, the last tiered offset (KIP-1005), v10 a timeout for remote storage (KIP-1075), v11
// -6, the earliest offset that is not uploaded yet (KIP-1023).
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
