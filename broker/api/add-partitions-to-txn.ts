// AddPartitionsToTxn (24), v0-5. Puts partitions into a producer's transaction, which begins with the first; v4 and later are for brokers,
// with many transactions at once, and may only look (KIP-890).
// - All partitions of a transaction or none: with one that does not exist (UNKNOWN_TOPIC_OR_PARTITION) or is of an internal topic
//   (TOPIC_AUTHORIZATION_FAILED, to clients) the others are OPERATION_NOT_ATTEMPTED.
// - The producer is checked by the coordinator: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED (INVALID_PRODUCER_EPOCH before v2), and
//   CONCURRENT_TRANSACTIONS while the end of the last transaction is being written, after a short wait for it.
// - A partition that is only looked for and is not there: TRANSACTION_ABORTABLE, INVALID_TXN_STATE before v5.
import type { TransactionCoordinator } from '../coordinator/transaction/coordinator.ts'
import { TRANSACTIONS_V2 } from '../coordinator/transaction/transaction.ts'
import { isInternalTopic, type MetadataImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { AddPartitionsToTxn, type AddPartitionsToTxnRequest } from '../protocol/messages/add-partitions-to-txn.ts'
import type { TopicPartition } from '../replication/transactions.ts'
import { handler } from './handler.ts'
import { fencedError } from './init-producer-id.ts'

const FIRST_VERSION_WITH_FENCED = 2
const FIRST_VERSION_OF_BROKERS = 4
const FIRST_VERSION_WITH_ABORTABLE = 5

type Asked = AddPartitionsToTxnRequest['transactions'][number]
type TopicResults = readonly {
  readonly name: string
  readonly resultsByPartition: readonly { readonly partitionIndex: number; readonly partitionErrorCode: ErrorCode }[]
}[]

export const addPartitionsToTxn = handler(AddPartitionsToTxn, async (request, context, { apiVersion }) => {
  const { transactionCoordinator: transactions } = context
  const image = context.image()
  if (apiVersion < FIRST_VERSION_OF_BROKERS) {
    const asked: Asked = {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      producerEpoch: request.v3AndBelowProducerEpoch,
      verifyOnly: false,
      topics: request.v3AndBelowTopics,
    }
    return { resultsByTopicV3AndBelow: await answer(asked, transactions, image, apiVersion) }
  }
  const resultsByTransaction = await Promise.all(
    request.transactions.map(async asked => ({
      transactionalId: asked.transactionalId,
      topicResults: await answer(asked, transactions, image, apiVersion),
    })),
  )
  return { errorCode: ErrorCode.NONE, resultsByTransaction }
})

async function answer(
  asked: Asked,
  transactions: TransactionCoordinator,
  image: MetadataImage,
  apiVersion: number,
): Promise<TopicResults> {
  const isBroker = apiVersion >= FIRST_VERSION_OF_BROKERS
  const partitions: TopicPartition[] = asked.topics.flatMap(({ name, partitions: indexes }) =>
    indexes.map(partition => ({ topic: name, partition })),
  )
  const refusals = partitions.map(partition => refusal(partition, image, isBroker))
  if (refusals.some(errorCode => errorCode !== ErrorCode.NONE)) {
    return results(
      asked,
      refusals.map(errorCode => (errorCode === ErrorCode.NONE ? ErrorCode.OPERATION_NOT_ATTEMPTED : errorCode)),
    )
  }
  const { transactionalId, producerId, producerEpoch } = asked
  const request = { transactionalId, producerId, producerEpoch, partitions }
  const codes = asked.verifyOnly
    ? await transactions.verifyPartitions(request)
    : await transactions
        .addPartitions({ ...request, clientVersion: isBroker ? TRANSACTIONS_V2 : 0 })
        .then(errorCode => partitions.map(() => errorCode))
  return results(
    asked,
    codes.map(errorCode =>
      errorCode === ErrorCode.TRANSACTION_ABORTABLE && apiVersion < FIRST_VERSION_WITH_ABORTABLE
        ? ErrorCode.INVALID_TXN_STATE
        : fencedError(errorCode, apiVersion, FIRST_VERSION_WITH_FENCED),
    ),
  )
}

function refusal({ topic, partition }: TopicPartition, image: MetadataImage, isBroker: boolean): ErrorCode {
  if (!isBroker && isInternalTopic(topic)) return ErrorCode.TOPIC_AUTHORIZATION_FAILED
  return image.topics.get(topic)?.partitions[partition] === undefined
    ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    : ErrorCode.NONE
}

/** `codes` in the order of the request's partitions. */
function results({ topics }: Asked, codes: readonly ErrorCode[]): TopicResults {
  let at = 0
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map(partitionIndex => ({ partitionIndex, partitionErrorCode: codes[at++]! })),
  }))
}
