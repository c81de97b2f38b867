// InitProducerId (22), v0-5. Gives an idempotent producer its id, epoch 0.
// - Ids are unique in the cluster for ever (producer-ids.ts); while the controller gives none: COORDINATOR_LOAD_IN_PROGRESS.
// - v6 (two-phase commit, KIP-939) is not stable in Kafka and not served.
// - Gap: transactions. A transactional id gets NOT_COORDINATOR, what Kafka answers on a broker that does not coordinate it; empty ids and
//   time-outs out of range are refused as by Kafka.
import { ErrorCode } from '../protocol/errors.ts'
import { InitProducerId, type InitProducerIdRequest } from '../protocol/messages/init-producer-id.ts'
import { handler } from './handler.ts'

/** Kafka's default of transaction.max.timeout.ms. */
const MAX_TRANSACTION_TIMEOUT_MS = 900_000

export const initProducerId = handler(
  InitProducerId,
  async (request, { producerIds, log }) => {
    const errorCode = refusal(request)
    if (errorCode !== ErrorCode.NONE) return { errorCode, producerId: -1, producerEpoch: -1 }
    const given = await producerIds.next()
    if ('producerId' in given) return { errorCode: ErrorCode.NONE, producerId: given.producerId, producerEpoch: 0 }
    log.warn({ err: given.cause }, 'There is no producer id to give: the controller allocated no block')
    return { errorCode: given.errorCode, producerId: -1, producerEpoch: -1 }
  },
  { versions: [0, 5] },
)

function refusal({
  transactionalId,
  transactionTimeoutMs,
  producerId,
  producerEpoch,
}: InitProducerIdRequest): ErrorCode {
  if ((producerId === -1) !== (producerEpoch === -1)) return ErrorCode.INVALID_REQUEST
  if (transactionalId === null) return ErrorCode.NONE
  if (transactionalId === '') return ErrorCode.INVALID_REQUEST
  if (transactionTimeoutMs <= 0 || transactionTimeoutMs > MAX_TRANSACTION_TIMEOUT_MS) {
    return ErrorCode.INVALID_TRANSACTION_TIMEOUT
  }
  return ErrorCode.NOT_COORDINATOR
}
