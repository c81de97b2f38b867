// CreatePartitions (37), v0-3. Adds partitions to topics, each topic or not at all.
// - The answer is sent when the partitions are committed and this broker serves those that are its own.
// - At most 10,000 added partitions a request (POLICY_VIOLATION).
// - Over the quota on partition changes a topic is THROTTLING_QUOTA_EXCEEDED; before v3 the client is throttled instead (KIP-599).
// - Internal topics may grow too, as in Kafka; who does that moves groups to other coordinators.
import { CreatePartitions } from '../protocol/messages/create-partitions.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_QUOTA_ERROR = 3

export const createPartitions = handler(CreatePartitions, async (request, { controller, clock, quotas }, call) => {
  const { topics, timeoutMs, validateOnly } = request
  const charge = quotas.chargePartitions(call, call.apiVersion >= FIRST_VERSION_WITH_QUOTA_ERROR)
  const results = await decided(controller.createPartitions(topics, { validateOnly, charge }), timeoutMs, clock)
  if (isOutcome(results)) return { results: topics.map(({ name }) => ({ name, ...results })) }
  return { results }
})
