// Produce (0), v3-13.
import {
  api,
  array,
  int16,
  int32,
  int64,
  records,
  string,
  struct,
  uuid,
  type RequestOf,
  type ResponseOf,
} from '../schema.ts'

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
        currentLeader: struct({ leaderId: int32.default(-1), leaderEpoch: int32.default(-1) })
          .since(10)
          .tagged(0),
      }),
    }),
    throttleTimeMs: int32.default(0),
    nodeEndpoints: array({ nodeId: int32, host: string, port: int32, rack: string.nullable().default(null) })
      .since(10)
      .tagged(0),
  },
})

export interface ProduceRequest extends RequestOf<typeof Produce> {}
export interface ProduceResponse extends ResponseOf<typeof Produce> {}
