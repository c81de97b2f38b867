// IncrementalAlterConfigs (44), v0-1. Sets, deletes, extends and shortens configs of topics and brokers (KIP-339); all changes of a
// resource are made or none.
// - A broker's keys may be altered for one broker or, under the empty name, for all; those that cannot change at run time are refused.
// - An unknown key is INVALID_CONFIG, with the key that was probably meant.
// - Groups and subscriptions to clients' metrics keep what is set for them; nothing acts on it.
// - Gap: broker loggers (KIP-412) are INVALID_REQUEST.
import { IncrementalAlterConfigs } from '../protocol/messages/incremental-alter-configs.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

/** The request has no time-out of its own. */
const TIMEOUT_MS = 60_000

export const incrementalAlterConfigs = handler(IncrementalAlterConfigs, async (request, { controller, clock }) => {
  const { resources, validateOnly } = request
  const results = await decided(controller.incrementalAlterConfigs(resources, { validateOnly }), TIMEOUT_MS, clock)
  if (!isOutcome(results)) return { responses: results }
  return {
    responses: resources.map(({ resourceType, resourceName }) => ({ ...results, resourceType, resourceName })),
  }
})
