// DeleteTopics (20), v1-6. Deletes topics by name, or from v6 by id; the names of a deleted topic can be used again at once.
// - delete.topic.enable=false refuses all: TOPIC_DELETION_DISABLED, before v3 INVALID_REQUEST.
// - Over the quota on partition changes a topic is THROTTLING_QUOTA_EXCEEDED; before v5 the client is throttled instead (KIP-599).
// - A topic named twice, or by name and by id, is refused and stays.
import { ZERO_UUID } from '../base/uuid.ts'
import { refuse, type Outcome } from '../metadata/refusal.ts'
import type { TopicToDelete } from '../metadata/topics.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { DeleteTopics } from '../protocol/messages/delete-topics.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_STATES = 6
const FIRST_VERSION_WITH_QUOTA_ERROR = 5
const FIRST_VERSION_WITH_DELETION_DISABLED = 3

export const deleteTopics = handler(DeleteTopics, async (request, { controller, config, clock, quotas }, call) => {
  const { apiVersion } = call
  const topics =
    apiVersion >= FIRST_VERSION_WITH_STATES
      ? request.topics
      : request.topicNames.map(name => ({ name, topicId: ZERO_UUID }))
  if (!config.deleteTopicEnable) {
    const code =
      apiVersion >= FIRST_VERSION_WITH_DELETION_DISABLED ? ErrorCode.TOPIC_DELETION_DISABLED : ErrorCode.INVALID_REQUEST
    return { responses: all(topics, refuse(code, 'Topic deletion is disabled: delete.topic.enable is false.')) }
  }
  const charge = quotas.chargePartitions(call, apiVersion >= FIRST_VERSION_WITH_QUOTA_ERROR)
  const results = await decided(controller.deleteTopics(topics, charge), request.timeoutMs, clock)
  return { responses: isOutcome(results) ? all(topics, results) : results }
})

function all(topics: readonly TopicToDelete[], outcome: Outcome) {
  return topics.map(({ name, topicId }) => ({ name, topicId, ...outcome }))
}
