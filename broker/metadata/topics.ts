// Creates and deletes topics: CreateTopics and DeleteTopics as decisions on the metadata image. The texts are Kafka's where it has one
// (ReplicationControlManager, ControllerApis). Not here: partitions of existing topics (partitions.ts), configs (configs.ts).
import type { Random } from '../base/random.ts'
import { randomUuid, ZERO_UUID, type Uuid } from '../base/uuid.ts'
import { ErrorCode, errorMessage } from '../protocol/errors.ts'
import { topicConfigProblem } from './configs.ts'
import type { MetadataImage, TopicImage } from './image.ts'
import { topicById } from './image.ts'
import { excessive, isRefusal, MAX_PARTITIONS_PER_REQUEST, placeAutomatically, placeManually } from './partitions.ts'
import type { ChargePartitions, Placed } from './partitions.ts'
import type { MetadataRecord } from './records.ts'
import { DONE, duplicatesOf, refuse, type Outcome } from './refusal.ts'
import { invalidTopicName, METADATA_TOPIC, unifiedName } from './topic-names.ts'

export type TopicToCreate = {
  readonly name: string
  /** -1 = the broker's default, or as many as `assignments` has. */
  readonly numPartitions: number
  readonly replicationFactor: number
  /** Empty = choose brokers. */
  readonly assignments: readonly { readonly partitionIndex: number; readonly brokerIds: readonly number[] }[]
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export type CreatedTopic = Outcome & {
  readonly name: string
  /** ZERO_UUID when the topic was not created. */
  readonly topicId: Uuid
  /** -1 when refused, as is the replication factor. */
  readonly numPartitions: number
  readonly replicationFactor: number
  /** What the topic was created with. */
  readonly configs: ReadonlyMap<string, string>
}

export type CreateTopicsOptions = {
  readonly validateOnly: boolean
  readonly random: Random
  readonly defaultNumPartitions: number
  readonly defaultReplicationFactor: number
  readonly charge?: ChargePartitions | undefined
}

/** One result for each name, in the order of the request. A topic that cannot be created does not stop the others. */
export function createTopics(
  image: MetadataImage,
  topics: readonly TopicToCreate[],
  options: CreateTopicsOptions,
  emit: (record: MetadataRecord) => void,
): CreatedTopic[] {
  const excess = tooManyPartitions(topics, options.defaultNumPartitions)
  const duplicates = duplicatesOf(topics.map(topic => topic.name))
  const results = new Map<string, CreatedTopic>()
  // Names of this request that others of it would collide with.
  const unified = new Map<string, string>()
  for (const topic of topics) {
    if (results.has(topic.name)) continue
    const refusal =
      excess ??
      (duplicates.has(topic.name) ? refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.') : null) ??
      refusedName(image, topic.name, unified)
    results.set(topic.name, refusal === null ? createTopic(image, topic, options, emit) : refused(topic.name, refusal))
    const form = unifiedName(topic.name)
    if (form !== null && results.get(topic.name)!.errorCode === ErrorCode.NONE) unified.set(form, topic.name)
  }
  return [...results.values()]
}

function tooManyPartitions(topics: readonly TopicToCreate[], defaultNumPartitions: number): Outcome | null {
  let total = 0
  for (const topic of topics) {
    if (topic.assignments.length > 0) total += topic.assignments.length
    else total += topic.numPartitions === -1 ? defaultNumPartitions : Math.max(0, topic.numPartitions)
  }
  return total <= MAX_PARTITIONS_PER_REQUEST ? null : excessive(total)
}

function refusedName(image: MetadataImage, name: string, unified: ReadonlyMap<string, string>): Outcome | null {
  const invalid = invalidTopicName(name)
  if (invalid !== null) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, invalid)
  if (name === METADATA_TOPIC) {
    return refuse(ErrorCode.INVALID_REQUEST, `Creation of internal topic ${METADATA_TOPIC} is prohibited.`)
  }
  if (image.topics.has(name)) return refuse(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
  const form = unifiedName(name)
  if (form === null) return null
  const existing = image.unifiedNames.get(form)
  const other = existing ?? unified.get(form)
  if (other === undefined) return null
  return refuse(
    ErrorCode.INVALID_TOPIC_EXCEPTION,
    existing === undefined
      ? `Topic '${name}' collides with another topic of this request: ${other}`
      : `Topic '${name}' collides with existing topic: ${other}`,
  )
}

function createTopic(
  image: MetadataImage,
  topic: TopicToCreate,
  options: CreateTopicsOptions,
  emit: (record: MetadataRecord) => void,
): CreatedTopic {
  const nulls = topic.configs.filter(config => config.value === null).map(config => config.name)
  if (nulls.length > 0) {
    const problem = `Null value not supported for topic configs: ${nulls.join(',')}`
    return refused(topic.name, refuse(ErrorCode.INVALID_CONFIG, problem))
  }
  const configs = new Map(topic.configs.map(config => [config.name, config.value!]))
  const problem = topicConfigProblem(configs)
  if (problem !== null) return refused(topic.name, refuse(ErrorCode.INVALID_CONFIG, problem))
  const placed = placeNew(image, topic, options)
  if (isRefusal(placed)) return refused(topic.name, placed)
  const overQuota = options.charge?.(placed.length) ?? null
  if (overQuota !== null) return refused(topic.name, overQuota)
  const topicId = options.validateOnly ? ZERO_UUID : randomUuid(options.random)
  if (!options.validateOnly) {
    emit({
      kind: 'topic-created',
      topicId,
      name: topic.name,
      partitions: placed,
      configs: Object.fromEntries(configs),
    })
  }
  return {
    ...DONE,
    name: topic.name,
    topicId,
    numPartitions: placed.length,
    replicationFactor: placed[0]!.replicas.length,
    configs,
  }
}

function placeNew(image: MetadataImage, topic: TopicToCreate, options: CreateTopicsOptions): Placed | Outcome {
  if (topic.assignments.length > 0) {
    if (topic.replicationFactor !== -1) {
      return refuse(
        ErrorCode.INVALID_REQUEST,
        'A manual partition assignment was specified, but replication factor was not set to -1.',
      )
    }
    if (topic.numPartitions !== -1) {
      return refuse(
        ErrorCode.INVALID_REQUEST,
        'A manual partition assignment was specified, but numPartitions was not set to -1.',
      )
    }
    return placeAssigned(image, topic.assignments)
  }
  if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
    return refuse(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      'Replication factor must be larger than 0, or -1 to use the default value.',
    )
  }
  if (topic.numPartitions < -1 || topic.numPartitions === 0) {
    return refuse(
      ErrorCode.INVALID_PARTITIONS,
      `Number of partitions was set to an invalid non-positive value: ${topic.numPartitions}. ` +
        'It must be larger than 0, or -1 to use the default value.',
    )
  }
  const count = topic.numPartitions === -1 ? options.defaultNumPartitions : topic.numPartitions
  const factor = topic.replicationFactor === -1 ? options.defaultReplicationFactor : topic.replicationFactor
  return placeAutomatically(image, count, factor, options.random)
}

function placeAssigned(image: MetadataImage, assignments: TopicToCreate['assignments']): Placed | Outcome {
  const byPartition: (readonly number[])[] = []
  for (const { partitionIndex, brokerIds } of assignments) {
    if (byPartition[partitionIndex] !== undefined) {
      return refuse(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        `Found multiple manual partition assignments for partition ${partitionIndex}`,
      )
    }
    if (partitionIndex < 0 || partitionIndex >= assignments.length) {
      return refuse(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        'partitions should be a consecutive 0-based integer sequence: ' +
          `${assignments.length} assignments are for the partitions 0 to ${assignments.length - 1}, not ${partitionIndex}`,
      )
    }
    byPartition[partitionIndex] = brokerIds
  }
  return placeManually(image, byPartition, 0, null)
}

function refused(name: string, outcome: Outcome): CreatedTopic {
  return { ...outcome, name, topicId: ZERO_UUID, numPartitions: -1, replicationFactor: -1, configs: new Map() }
}

/** A topic by name, or by id, in which case `name` is null; neither or both is refused. */
export type TopicToDelete = { readonly name: string | null; readonly topicId: Uuid }

export type DeletedTopic = Outcome & TopicToDelete

/** One result for each topic asked for; what is asked for twice is refused and not deleted. */
export function deleteTopics(
  image: MetadataImage,
  topics: readonly TopicToDelete[],
  emit: (record: MetadataRecord) => void,
  charge: ChargePartitions = () => null,
): DeletedTopic[] {
  const wanted = topics.map(topic => ({ asked: topic, found: findTopic(image, topic) }))
  const duplicates = duplicatesOf(wanted.map(({ asked, found }) => keyOf(asked, found)))
  const results = new Map<string, DeletedTopic>()
  for (const { asked, found } of wanted) {
    const key = keyOf(asked, found)
    if (results.has(key)) continue
    if ('errorCode' in found) {
      results.set(key, { ...asked, ...found })
    } else if (duplicates.has(key)) {
      const what = asked.name === null ? 'Duplicate topic id.' : 'Duplicate topic name.'
      results.set(key, { ...asked, ...refuse(ErrorCode.INVALID_REQUEST, what) })
    } else {
      const overQuota = charge(found.partitions.length)
      if (overQuota === null) emit({ kind: 'topic-deleted', topicId: found.topicId })
      results.set(key, { ...(overQuota ?? DONE), name: found.name, topicId: found.topicId })
    }
  }
  return [...results.values()]
}

// A topic that exists is the same whether it is asked for by name or by id.
function keyOf(asked: TopicToDelete, found: TopicImage | Outcome): string {
  return 'errorCode' in found ? `unknown ${asked.name} ${asked.topicId}` : found.topicId
}

function findTopic(image: MetadataImage, asked: TopicToDelete): TopicImage | Outcome {
  if (asked.name === null) {
    if (asked.topicId === ZERO_UUID) {
      return refuse(ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.')
    }
    const code = ErrorCode.UNKNOWN_TOPIC_ID
    return topicById(image, asked.topicId) ?? refuse(code, errorMessage(code))
  }
  if (asked.topicId !== ZERO_UUID) {
    return refuse(ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
  }
  const code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return image.topics.get(asked.name) ?? refuse(code, errorMessage(code))
}
