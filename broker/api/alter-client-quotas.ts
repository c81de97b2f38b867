// AlterClientQuotas (49), v0-1. Sets and removes quotas of users, client ids, both together, and addresses (KIP-546, KIP-612); all changes
// of one entity are made or none.
// - Everything that is wrong with an entity, a key or a value is INVALID_REQUEST, as in Kafka; removing what is not there is fine.
// - More than 10,000 changes are refused as a whole: POLICY_VIOLATION.
// - An address is written as one: host names are not resolved.
import { AlterClientQuotas } from '../protocol/messages/alter-client-quotas.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

/** The request has no time-out of its own. */
const TIMEOUT_MS = 60_000

export const alterClientQuotas = handler(AlterClientQuotas, async (request, { controller, clock }) => {
  const { entries, validateOnly } = request
  const results = await decided(controller.alterClientQuotas(entries, { validateOnly }), TIMEOUT_MS, clock)
  if (!isOutcome(results)) return { entries: results }
  return { entries: entries.map(({ entity }) => ({ ...results, entity })) }
})
