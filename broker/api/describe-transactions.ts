// DescribeTransactions (65), v0. The transaction of each id, from the coordinator of that id (KIP-664).
// - An id that nobody knows: TRANSACTIONAL_ID_NOT_FOUND; one that another broker coordinates: NOT_COORDINATOR.
import { ErrorCode } from '../protocol/errors.ts'
import { DescribeTransactions } from '../protocol/messages/describe-transactions.ts'
import type { TransactionCoordinator } from '../coordinator/transaction/coordinator.ts'
import { handler } from './handler.ts'

export const describeTransactions = handler(
  DescribeTransactions,
  async ({ transactionalIds }, { transactionCoordinator }) => ({
    transactionStates: await Promise.all(transactionalIds.map(id => describe(id, transactionCoordinator))),
  }),
)

async function describe(transactionalId: string, transactions: TransactionCoordinator) {
  const answered = await transactions.describe(transactionalId)
  if ('errorCode' in answered) return { ...UNKNOWN, errorCode: answered.errorCode, transactionalId }
  const { state, timeoutMs, startTimeMs, producerId, producerEpoch, partitions } = answered.response
  return {
    errorCode: ErrorCode.NONE,
    transactionalId,
    transactionState: state,
    transactionTimeoutMs: timeoutMs,
    transactionStartTimeMs: startTimeMs,
    producerId,
    producerEpoch,
    topics: Array.from(partitions, ([topic, indexes]) => ({ topic, partitions: [...indexes] })),
  }
}

const UNKNOWN = {
  transactionState: '',
  transactionTimeoutMs: 0,
  transactionStartTimeMs: 0,
  producerId: 0,
  producerEpoch: 0,
  topics: [],
}
