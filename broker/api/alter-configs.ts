// AlterConfigs (33), v0-2. Replaces the whole configuration of topics and brokers: what a request does not name goes back to its
// default. Deprecated since Kafka 2.3 for IncrementalAlterConfigs, which has the rules.
import { AlterConfigs } from '../protocol/messages/alter-configs.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

/** The request has no time-out of its own. */
const TIMEOUT_MS = 60_000

export const alterConfigs = handler(AlterConfigs, async (request, { controller, clock }) => {
  const { resources, validateOnly } = request
  const results = await decided(controller.alterConfigs(resources, { validateOnly }), TIMEOUT_MS, clock)
  if (!isOutcome(results)) return { responses: results }
  return {
    responses: resources.map(({ resourceType, resourceName }) => ({ ...results, resourceType, resourceName })),
  }
})
