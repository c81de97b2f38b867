// TxnOffsetCommit (28), v0-6.
import { api, array, int16, int32, int64, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const TxnOffsetCommit = api({
  key: 28,
  name: 'TxnOffsetCommit',
  versions: [0, 6],
  flexible: 3,
  request: {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationIdOrMemberEpoch: int32.since(3).default(-1),
    memberId: string.since(3),
    groupInstanceId: string.since(3).nullable().default(null),
    topics: array({
      name: string.until(5).ignorable(),
      topicId: uuid.since(6).ignorable(),
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(2).default(-1).ignorable(),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    topics: array({
      name: string.until(5).ignorable(),
      topicId: uuid.since(6).ignorable(),
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
})

export interface TxnOffsetCommitRequest extends RequestOf<typeof TxnOffsetCommit> {}
export interface TxnOffsetCommitResponse extends ResponseOf<typeof TxnOffsetCommit> {}
