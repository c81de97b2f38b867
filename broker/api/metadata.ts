// Metadata (3), v0-13. The brokers, and the partitions of the topics asked for or of all.
// - Topics by name, or from v12 by id (unknown: UNKNOWN_TOPIC_ID with the id). All topics: null, in v0 an empty list.
// - auto.create.topics.enable and the client's consent (always, before v4) create unknown topics. Kafka answers LEADER_NOT_AVAILABLE
//   and the client asks again; here the answer waits for the topic and names its leader. A topic that cannot be created has the
//   error of CreateTopics. Kafka's internal topics are not created this way: whoever keeps state in them creates them.
// - Authorized operations (v8-10 cluster, v8 on topics): without an authorizer all that exist.
// - The controller is the broker that leads the cluster metadata; -1 when this listener does not reach it.
// - v10 and 11 know topic ids in answers only: a null name or an id in the request is INVALID_REQUEST for that topic.
import { ZERO_UUID, type Uuid } from '../base/uuid.ts'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import { isInternalTopic, topicById } from '../metadata/image.ts'
import { invalidTopicName } from '../metadata/topic-names.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { Metadata, type MetadataRequest } from '../protocol/messages/metadata.ts'
import type { ResponseInit } from '../protocol/schema.ts'
import { CLUSTER_OPERATIONS, OPERATIONS_NOT_REQUESTED, TOPIC_OPERATIONS } from './authorized-operations.ts'
import type { Context } from './context.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler, type Call } from './handler.ts'
import { describePartition, endpointsOf, isAlive, type Endpoint, type Telling } from './topic-description.ts'

type Response = ResponseInit<typeof Metadata>
type DescribedTopic = Response['topics'][number]
type RequestedTopic = { readonly name: string | null; readonly topicId: Uuid }

const FIRST_VERSION_WITH_IDS_IN_REQUEST = 12
const FIRST_VERSION_WITH_LISTENER_NOT_FOUND = 6
const FIRST_VERSION_WITH_OPERATIONS = 8
const LAST_VERSION_WITH_CLUSTER_OPERATIONS = 10

// Clients wait for metadata with every request they send first, so creation may not take long.
const CREATE_TIMEOUT_MS = 10_000

export const metadata = handler(Metadata, (request, context, call) => {
  const image = context.image()
  const wanted = requestedTopics(request, call.apiVersion)
  if (wanted === null) return respond(request, context, call, [...image.topics.values()])
  const toCreate = request.allowAutoTopicCreation ? namesToCreate(wanted, image, context) : []
  if (toCreate.length === 0) return respond(request, context, call, wanted)
  return createAll(toCreate, context, call).then(failures => respond(request, context, call, wanted, failures))
})

/** Each topic once; null = all. */
function requestedTopics(request: MetadataRequest, version: number): RequestedTopic[] | null {
  if (request.topics === null || (version === 0 && request.topics.length === 0)) return null
  const topics = new Map<string, RequestedTopic>()
  for (const { name, topicId } of request.topics) topics.set(`${topicId} ${name}`, { name, topicId })
  return [...topics.values()]
}

function namesToCreate(wanted: readonly RequestedTopic[], image: MetadataImage, context: Context): string[] {
  if (!context.config.autoCreateTopicsEnable) return []
  return wanted
    .filter(({ topicId }) => topicId === ZERO_UUID)
    .map(({ name }) => name)
    .filter(name => name !== null)
    .filter(name => !image.topics.has(name) && invalidTopicName(name) === null && !isInternalTopic(name))
}

/** The errors of those that were not created. */
async function createAll(names: readonly string[], context: Context, call: Call): Promise<Map<string, ErrorCode>> {
  const topics = names.map(name => ({ name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }))
  const options = { validateOnly: false, charge: context.quotas.chargePartitions(call, false) }
  const results = await decided(context.controller.createTopics(topics, options), CREATE_TIMEOUT_MS, context.clock)
  // The client asks again while it may still be there.
  if (isOutcome(results)) return new Map(names.map(name => [name, ErrorCode.LEADER_NOT_AVAILABLE]))
  const failures = new Map<string, ErrorCode>()
  for (const { name, errorCode, errorMessage } of results) {
    if (errorCode === ErrorCode.NONE) context.log.info({ topic: name }, 'Created a topic that a client asked for')
    else if (errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) {
      failures.set(name, errorCode)
      context.log.info({ topic: name, errorMessage }, 'Cannot create a topic that a client asked for')
    }
  }
  return failures
}

function respond(
  request: MetadataRequest,
  context: Context,
  call: Call,
  topics: readonly RequestedTopic[],
  failures: ReadonlyMap<string, ErrorCode> = new Map(),
): Response {
  const version = call.apiVersion
  const image = context.image()
  const endpoints = endpointsOf(image, call.connection.listenerName)
  const brokers = [...endpoints.values()].filter(endpoint => !endpoint.isFenced)
  const hasClusterOperations = request.includeClusterAuthorizedOperations && version >= FIRST_VERSION_WITH_OPERATIONS
  const describe = new TopicDescriber(image, endpoints, version, request.includeTopicAuthorizedOperations, failures)
  return {
    brokers: brokers.map(({ brokerId, host, port, rack }) => ({ nodeId: brokerId, host, port, rack })),
    clusterId: context.clusterId,
    controllerId: isAlive(endpoints, image.controllerId) ? image.controllerId : -1,
    topics: topics.map(topic => describe.topic(topic)),
    ...(hasClusterOperations && version <= LAST_VERSION_WITH_CLUSTER_OPERATIONS
      ? { clusterAuthorizedOperations: CLUSTER_OPERATIONS }
      : {}),
  }
}

class TopicDescriber {
  readonly #image: MetadataImage
  readonly #endpoints: ReadonlyMap<number, Endpoint>
  readonly #version: number
  readonly #operations: number
  readonly #failures: ReadonlyMap<string, ErrorCode>
  readonly #telling: Telling

  constructor(
    image: MetadataImage,
    endpoints: ReadonlyMap<number, Endpoint>,
    version: number,
    hasOperations: boolean,
    failures: ReadonlyMap<string, ErrorCode>,
  ) {
    this.#image = image
    this.#endpoints = endpoints
    this.#version = version
    this.#operations = hasOperations ? TOPIC_OPERATIONS : OPERATIONS_NOT_REQUESTED
    this.#failures = failures
    this.#telling = {
      onlyAlive: version === 0,
      listenerNotFound: version >= FIRST_VERSION_WITH_LISTENER_NOT_FOUND,
    }
  }

  topic(asked: RequestedTopic): DescribedTopic {
    if ('partitions' in asked) return this.#known(asked as TopicImage)
    const { name, topicId } = asked
    if (this.#version < FIRST_VERSION_WITH_IDS_IN_REQUEST && (name === null || topicId !== ZERO_UUID)) {
      return this.#failed(name ?? '', ZERO_UUID, ErrorCode.INVALID_REQUEST)
    }
    if (topicId !== ZERO_UUID) {
      const topic = topicById(this.#image, topicId)
      return topic === undefined ? this.#failed(null, topicId, ErrorCode.UNKNOWN_TOPIC_ID) : this.#known(topic)
    }
    if (name === null) return this.#failed(null, ZERO_UUID, ErrorCode.INVALID_REQUEST)
    const topic = this.#image.topics.get(name)
    if (topic !== undefined) return this.#known(topic)
    const code =
      invalidTopicName(name) === null ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION
    return this.#failed(name, ZERO_UUID, this.#failures.get(name) ?? code)
  }

  #known(topic: TopicImage): DescribedTopic {
    return {
      errorCode: ErrorCode.NONE,
      name: topic.name,
      topicId: topic.topicId,
      isInternal: isInternalTopic(topic.name),
      partitions: topic.partitions.map(partition =>
        describePartition(partition, this.#image, this.#endpoints, this.#telling),
      ),
      topicAuthorizedOperations: this.#operations,
    }
  }

  #failed(name: string | null, topicId: Uuid, errorCode: ErrorCode): DescribedTopic {
    return {
      errorCode,
      name,
      topicId,
      isInternal: name !== null && isInternalTopic(name),
      partitions: [],
      // As in Kafka also for a name that nobody has, and not for an id.
      topicAuthorizedOperations: topicId === ZERO_UUID ? this.#operations : OPERATIONS_NOT_REQUESTED,
    }
  }
}
