// AddPartitionsToTxn (24): announces partitions to the transaction coordinator (KIP-98). v1 throttles after the answer
// (KIP-219), v2 PRODUCER_FENCED (KIP-588), v3 flexible (KIP-482), v4 many transactions at once, and verification for
// brokers (KIP-890), v5 TRANSACTION_ABORTABLE (KIP-890). Clients send v3 at most; v4 is for brokers.
import { api, array, bool, int16, int32, int64, string, struct, type RequestOf, type ResponseOf } from '../schema.ts'

const topic = struct({ name: string, partitions: array(int32) })

const partitionResult = struct({ partitionIndex: int32, partitionErrorCode: int16 })

const topicResult = struct({
  name: string,
  resultsByPartition: array(partitionResult),
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
      topics: array(topic),
    }).since(4),
    v3AndBelowTransactionalId: string.until(3),
    v3AndBelowProducerId: int64.until(3),
    v3AndBelowProducerEpoch: int16.until(3),
    v3AndBelowTopics: array(topic).until(3),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.since(4).ignorable(),
    resultsByTransaction: array({ transactionalId: string, topicResults: array(topicResult) }).since(4),
    resultsByTopicV3AndBelow: array(topicResult).until(3),
  },
})

export interface AddPartitionsToTxnRequest extends RequestOf<typeof AddPartitionsToTxn> {}
export interface AddPartitionsToTxnResponse extends ResponseOf<typeof AddPartitionsToTxn> {}
