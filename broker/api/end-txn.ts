// EndTxn (26), v0-5. Commits or aborts a producer's transaction. The answer comes when the decision is in the log; markers follow.
// - v5 (transaction.version 2, KIP-890) bumps the epoch and answers with the producer id and epoch of the next transaction. A repeated
//   request gets the same answer, and aborting nothing is fine.
// - Before v5 ending what was never begun, or has ended otherwise, is INVALID_TXN_STATE; ending twice the same way is fine.
// - CONCURRENT_TRANSACTIONS while markers are being written; INVALID_PRODUCER_ID_MAPPING and PRODUCER_FENCED (INVALID_PRODUCER_EPOCH
//   before v2) for producers that are not the current one.
import { TRANSACTIONS_V2 } from '../coordinator/transaction/transaction.ts'
import { EndTxn } from '../protocol/messages/end-txn.ts'
import { handler } from './handler.ts'
import { fencedError } from './init-producer-id.ts'

const FIRST_VERSION_WITH_FENCED = 2
const FIRST_VERSION_WITH_EPOCH_BUMP = 5

export const endTxn = handler(EndTxn, async (request, { transactionCoordinator: transactions }, { apiVersion }) => {
  const { transactionalId, producerId, producerEpoch, committed } = request
  const bumps = apiVersion >= FIRST_VERSION_WITH_EPOCH_BUMP
  const result = await transactions.endTransaction({
    transactionalId,
    producerId,
    producerEpoch,
    isCommit: committed,
    clientVersion: bumps ? TRANSACTIONS_V2 : 0,
  })
  const errorCode = fencedError(result.errorCode, apiVersion, FIRST_VERSION_WITH_FENCED)
  return { errorCode, producerId: result.producerId, producerEpoch: result.producerEpoch }
})
