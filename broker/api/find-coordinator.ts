// FindCoordinator (10), v0-6. Which broker coordinates a group or a transactional id: the leader of the partition that keeps it.
// - The first who asks creates the internal topic. Kafka answers COORDINATOR_NOT_AVAILABLE meanwhile and the client asks again; here the
//   answer waits for the topic.
// - Without a leader that the client's listener reaches: COORDINATOR_NOT_AVAILABLE. A key type that nobody has: INVALID_REQUEST.
// - Gap: share groups (key type 2, v6), which Kafka without the feature refuses the same way.
import { internalTopic, type InternalTopic } from '../coordinator/internal-topic.ts'
import { partitionOfKey } from '../coordinator/partition-of-key.ts'
import { ErrorCode, errorMessage } from '../protocol/errors.ts'
import { FindCoordinator } from '../protocol/messages/find-coordinator.ts'
import type { Context } from './context.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'
import { endpointsOf, type Endpoint } from './topic-description.ts'

const FIRST_VERSION_WITH_MANY_KEYS = 4
// Clients that start wait for this answer, and ask again.
const CREATE_TIMEOUT_MS = 10_000
const LOAD_WAIT_MS = 1000

/** By key type. */
const TOPICS: readonly InternalTopic[] = ['__consumer_offsets', '__transaction_state']

export const findCoordinator = handler(FindCoordinator, (request, context, { apiVersion, connection }) => {
  const topicName = TOPICS[request.keyType]
  const isBatched = apiVersion >= FIRST_VERSION_WITH_MANY_KEYS
  const keys = isBatched ? request.coordinatorKeys : [request.key]
  const answer = (why: ErrorCode = ErrorCode.COORDINATOR_NOT_AVAILABLE) => {
    const endpoints = endpointsOf(context.image(), connection.listenerName)
    const coordinators = keys.map(key => ({
      key,
      ...(topicName === undefined ? nobody(why) : coordinatorOf(key, topicName, endpoints, context)),
    }))
    return isBatched ? { coordinators } : { ...coordinators[0]!, coordinators: [] }
  }
  if (topicName === undefined) return answer(ErrorCode.INVALID_REQUEST)
  if (context.image().topics.has(topicName)) return answer()
  return ensureInternalTopic(topicName, context).then(() => answer())
})

type Coordinator = {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

function coordinatorOf(
  key: string,
  topicName: InternalTopic,
  endpoints: ReadonlyMap<number, Endpoint>,
  { image }: Context,
): Coordinator {
  const partitions = image().topics.get(topicName)?.partitions
  if (partitions === undefined) return nobody(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  const endpoint = endpoints.get(partitions[partitionOfKey(key, partitions.length)]!.leader)
  if (endpoint === undefined || endpoint.isFenced) return nobody(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  const { brokerId: nodeId, host, port } = endpoint
  return { nodeId, host, port, errorCode: ErrorCode.NONE, errorMessage: null }
}

function nobody(errorCode: ErrorCode): Coordinator {
  return { nodeId: -1, host: '', port: -1, errorCode, errorMessage: errorMessage(errorCode) }
}

/** Creates the topic of a coordinator where it does not exist; when that fails there is none still. */
export async function ensureInternalTopic(topicName: InternalTopic, context: Context): Promise<void> {
  const { controller, config, image, clock, log, groups, transactionCoordinator } = context
  if (image().topics.has(topicName)) return
  const creation = controller.createTopics([internalTopic(topicName, config, image())])
  const results = await decided(creation, CREATE_TIMEOUT_MS, clock)
  if (isOutcome(results)) return
  const { errorCode, errorMessage: problem } = results[0]!
  if (errorCode === ErrorCode.NONE) log.info({ topic: topicName }, 'Created the topic of a coordinator')
  else if (errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) {
    log.warn({ topic: topicName, problem }, 'Cannot create the topic of a coordinator')
  }
  // Clients that find it loading pause before they ask again; empty partitions are loaded in an instant.
  const coordinator = topicName === '__consumer_offsets' ? groups : transactionCoordinator
  await Promise.race([coordinator.loaded(), new Promise<void>(resolve => void clock.after(LOAD_WAIT_MS, resolve))])
}
