// CreatePartitions (37), v0-3. Adds partitions to topics, each topic or not at all.
// - The answer is sent when the partitions are committed and this broker serves those that are its own.
// - At most 10,000 added partitions a request (POLICY_VIOLATION).
// - Internal topics may grow too, as in Kafka; who does that moves groups to other coordinators.
import { CreatePartitions } from '../protocol/messages/create-partitions.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

export const createPartitions = handler(CreatePartitions, async (request, { controller, clock }) => {
  const { topics, timeoutMs, validateOnly } = request
  const results = await decided(controller.createPartitions(topics, { validateOnly }), timeoutMs, clock)
  if (isOutcome(results)) return { results: topics.map(({ name }) => ({ name, ...results })) }
  return { results }
})
