// InitProducerId (22), v0-5. Gives an idempotent producer its id and epoch 0, and a transactional one the next epoch of its id, which
// fences everybody who had it before (KIP-98); v3 goes on after an error with the id and epoch the producer had (KIP-360).
// - Ids are unique in the cluster for ever (producer-ids.ts); while the controller gives none: COORDINATOR_LOAD_IN_PROGRESS.
// - An ongoing transaction is aborted first: CONCURRENT_TRANSACTIONS until its markers are written. This is how an admin client fences
//   producers, too.
// - A producer that was fenced gets PRODUCER_FENCED, before v4 INVALID_PRODUCER_EPOCH. Time-outs above transaction.max.timeout.ms are
//   INVALID_TRANSACTION_TIMEOUT.
// - v6 (two-phase commit, KIP-939) is not stable in Kafka and not served.
import { refusedIdentity, type IdentityResult } from '../coordinator/transaction/decision.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { InitProducerId, type InitProducerIdRequest } from '../protocol/messages/init-producer-id.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_FENCED = 4

export const initProducerId = handler(
  InitProducerId,
  async (request, context, { apiVersion }) => {
    const errorCode = refusal(request, context)
    if (errorCode !== ErrorCode.NONE) return refusedIdentity(errorCode)
    const { transactionalId } = request
    if (transactionalId === null) return freshProducer(context)
    const result = await context.transactionCoordinator.initProducerId({
      transactionalId,
      timeoutMs: request.transactionTimeoutMs,
      expected: request.producerId === -1 ? null : request,
    })
    return { ...result, errorCode: fencedError(result.errorCode, apiVersion, FIRST_VERSION_WITH_FENCED) }
  },
  { versions: [0, 5] },
)

/** Clients of versions before PRODUCER_FENCED (KIP-588) know INVALID_PRODUCER_EPOCH. */
export function fencedError(errorCode: ErrorCode, apiVersion: number, firstVersion: number): ErrorCode {
  const isKnown = errorCode !== ErrorCode.PRODUCER_FENCED || apiVersion >= firstVersion
  return isKnown ? errorCode : ErrorCode.INVALID_PRODUCER_EPOCH
}

async function freshProducer({ producerIds, log }: Context): Promise<IdentityResult> {
  const given = await producerIds.next()
  if ('producerId' in given) return { errorCode: ErrorCode.NONE, producerId: given.producerId, producerEpoch: 0 }
  log.warn({ err: given.cause }, 'There is no producer id to give: the controller allocated no block')
  return refusedIdentity(given.errorCode)
}

function refusal(request: InitProducerIdRequest, { config }: Context): ErrorCode {
  const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request
  if ((producerId === -1) !== (producerEpoch === -1)) return ErrorCode.INVALID_REQUEST
  if (transactionalId === null) return ErrorCode.NONE
  if (transactionalId === '') return ErrorCode.INVALID_REQUEST
  const isAllowed = transactionTimeoutMs > 0 && transactionTimeoutMs <= config.transactionMaxTimeoutMs
  return isAllowed ? ErrorCode.NONE : ErrorCode.INVALID_TRANSACTION_TIMEOUT
}
