// CreateTopics (19), v2-7. Creates topics, each or not at all; one that is refused does not stop the others.
// - -1 partitions or replicas: the broker's defaults (KIP-464). Assignments by hand need both -1.
// - The answer is sent when the topic is committed and this broker serves it. v5 and later also tell its configuration (KIP-525).
// - validateOnly checks everything and answers with the zero topic id; Kafka makes up an id that never exists.
// - At most 10,000 partitions a request (POLICY_VIOLATION), as in Kafka.
// - Over the quota on partition changes a topic is THROTTLING_QUOTA_EXCEEDED; before v6 the client is throttled instead (KIP-599).
// - Gap: create.topic.policy.class.name.
import { ZERO_UUID } from '../base/uuid.ts'
import { topicConfigEntries } from '../metadata/config-entries.ts'
import type { CreatedTopic } from '../metadata/topics.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { CreateTopics } from '../protocol/messages/create-topics.ts'
import type { Context } from './context.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_QUOTA_ERROR = 6

export const createTopics = handler(CreateTopics, async (request, context, call) => {
  const { topics, timeoutMs, validateOnly } = request
  const charge = context.quotas.chargePartitions(call, call.apiVersion >= FIRST_VERSION_WITH_QUOTA_ERROR)
  const creation = context.controller.createTopics(topics, { validateOnly, charge })
  const results = await decided(creation, timeoutMs, context.clock)
  if (isOutcome(results)) {
    return { topics: topics.map(({ name }) => ({ name, topicId: ZERO_UUID, ...results, configs: [] })) }
  }
  return { topics: results.map(result => described(result, context)) }
})

function described(result: CreatedTopic, { image, brokerId, config }: Context) {
  const { name, topicId, errorCode, errorMessage, numPartitions, replicationFactor } = result
  const entries = errorCode === ErrorCode.NONE ? topicConfigEntries(result.configs, image(), brokerId, config) : []
  return {
    name,
    topicId,
    errorCode,
    errorMessage,
    numPartitions,
    replicationFactor,
    configs: entries.map(entry => ({
      name: entry.name,
      value: entry.value,
      readOnly: entry.isReadOnly,
      configSource: entry.source,
      isSensitive: entry.isSensitive,
    })),
  }
}
