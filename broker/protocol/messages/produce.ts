// Produce (0): appends record batches to partitions. v3 is the oldest that is left (batches with transactional ids,
// KIP-98), v4 KAFKA_STORAGE_ERROR (KIP-112), v5 log start offset, v6 throttles after the answer (KIP-219), v7 zstd
// (KIP-110), v8 errors per record (KIP-467), v9 flexible (KIP-482), v10 the new leader and its address in tags
// (KIP-951), v11 TRANSACTION_ABORTABLE (KIP-890), v12 adds partitions to the transaction by itself (KIP-890), v13 topic
// ids for names (KIP-516).
import { api, array, int16, int32, int64, records, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'
import { leaderIdAndEpoch, nodeEndpoints } from './leaders.ts'

export const Produce = api({
  key: 0,
  name: 'Produce',
  versions: [3, 13],
  flexible: 9,
  request: {
    transactionalId: string.nullable().default(null),
    acks: int16,
    timeoutMs: int32,
    topicData: array({
      name: string.until(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitionData: array({ index: int32, records: records.nullable() }),
    }),
  },
  response: {
    responses: array({
      name: string.until(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitionResponses: array({
        index: int32,
        errorCode: int16,
        baseOffset: int64,
        logAppendTimeMs: int64.default(-1),
        logStartOffset: int64.since(5).default(-1).ignorable(),
        recordErrors: array({ batchIndex: int32, batchIndexErrorMessage: string.nullable().default(null) })
          .since(8)
          .ignorable(),
        errorMessage: string.since(8).nullable().default(null).ignorable(),
        currentLeader: leaderIdAndEpoch.since(10).tagged(0),
      }),
    }),
    throttleTimeMs: int32.default(0),
    nodeEndpoints: nodeEndpoints.since(10).tagged(0),
  },
})

export interface ProduceRequest extends RequestOf<typeof Produce> {}
export interface ProduceResponse extends ResponseOf<typeof Produce> {}
