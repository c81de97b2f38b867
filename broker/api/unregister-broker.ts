// UnregisterBroker (64), v0. Forgets a broker that is gone for good (KIP-631).
// - Unknown: BROKER_ID_NOT_REGISTERED. A broker that lives, or has the last replica in sync of something, is refused with INVALID_REQUEST:
//   Kafka does it, and the partitions are without a leader ever after.
import { UnregisterBroker } from '../protocol/messages/unregister-broker.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

/** The request has no time-out of its own. */
const TIMEOUT_MS = 60_000

export const unregisterBroker = handler(UnregisterBroker, async ({ brokerId }, { controller, clock }) => {
  const results = await decided(controller.unregisterBroker(brokerId), TIMEOUT_MS, clock)
  return isOutcome(results) ? results : results[0]
})
