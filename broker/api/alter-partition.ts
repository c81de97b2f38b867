// AlterPartition (56), v3. A leader asks the controller for another ISR (KIP-497); runs on the controller, and is for brokers only.
// - STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED: the sender is not the broker it was. NOT_CONTROLLER: the decision was lost, or for one
//   partition: the sender has seen more than this controller. For one partition also FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION (the
//   partition epoch), INVALID_REQUEST, UNKNOWN_TOPIC_ID, and INELIGIBLE_REPLICA (an added member is fenced, or not in the life that its
//   leader knows, KIP-903).
// - Unlike Kafka, a request that changes nothing raises the partition epoch too: it is how a leader learns that none of its earlier
//   attempts can count any more. Answered when that is committed. Only added members are checked: those that stay are in sync already.
// - Gap: v2, which names members without their epochs, is not served, and reassignments are not completed here.
import { AlterPartition } from '../protocol/messages/alter-partition.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

/** The request has no time-out of its own. */
const TIMEOUT_MS = 30_000

export const alterPartition = handler(
  AlterPartition,
  async (request, { controller, clock }) => {
    const decision = controller.alterPartitions(request).then(answer => [answer] as const)
    const results = await decided(decision, TIMEOUT_MS, clock)
    return isOutcome(results) ? { errorCode: results.errorCode, topics: [] } : results[0]
  },
  { versions: [3, 3] },
)
