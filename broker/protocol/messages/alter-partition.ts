// AlterPartition (56): a leader asks the controller for another ISR (KIP-497). v2 topic ids for names (KIP-841), v3 the broker epoch of
// each member (KIP-903).
import { api, array, int16, int32, int64, int8, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const AlterPartition = api({
  key: 56,
  name: 'AlterPartition',
  versions: [2, 3],
  flexible: 0,
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1),
    topics: array({
      topicId: uuid.since(2).ignorable(),
      partitions: array({
        partitionIndex: int32,
        leaderEpoch: int32,
        newIsr: array(int32).until(2),
        newIsrWithEpochs: array({ brokerId: int32, brokerEpoch: int64.default(-1) }).since(3),
        leaderRecoveryState: int8.since(1).default(0),
        partitionEpoch: int32,
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    topics: array({
      topicId: uuid.since(2).ignorable(),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        leaderId: int32,
        leaderEpoch: int32,
        isr: array(int32),
        leaderRecoveryState: int8.since(1).default(0).ignorable(),
        partitionEpoch: int32,
      }),
    }),
  },
})

export interface AlterPartitionRequest extends RequestOf<typeof AlterPartition> {}
export interface AlterPartitionResponse extends ResponseOf<typeof AlterPartition> {}
