// AddPartitionsToTxn (24), v0-5.
import { api, array, bool, int16, int32, int64, string, struct, type RequestOf, type ResponseOf } from '../schema.ts'

const addPartitionsToTxnTopic = struct({ name: string, partitions: array(int32) })

const addPartitionsToTxnPartitionResult = struct({ partitionIndex: int32, partitionErrorCode: int16 })

const addPartitionsToTxnTopicResult = struct({
  name: string,
  resultsByPartition: array(addPartitionsToTxnPartitionResult),
})

export const AddPartitionsToTxn = api({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: [0, 5],
  flexible: 3,
  request: {
    transactions: array({
      transactionalId: string,
      producerId: int64,
      producerEpoch: int16,
      verifyOnly: bool.default(false),
      topics: array(addPartitionsToTxnTopic),
    }).since(4),
    v3AndBelowTransactionalId: string.until(3),
    v3AndBelowProducerId: int64.until(3),
    v3AndBelowProducerEpoch: int16.until(3),
    v3AndBelowTopics: array(addPartitionsToTxnTopic).until(3),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.since(4).ignorable(),
    resultsByTransaction: array({ transactionalId: string, topicResults: array(addPartitionsToTxnTopicResult) }).since(
      4,
    ),
    resultsByTopicV3AndBelow: array(addPartitionsToTxnTopicResult).until(3),
  },
})

export interface AddPartitionsToTxnRequest extends RequestOf<typeof AddPartitionsToTxn> {}
export interface AddPartitionsToTxnResponse extends ResponseOf<typeof AddPartitionsToTxn> {}
