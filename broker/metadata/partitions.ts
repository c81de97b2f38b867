// Gives brokers to partitions that are about to exist, chosen or as somebody said, and adds partitions to topics (CreatePartitions).
// The texts are Kafka's where it has one (ReplicationControlManager). Not here: topics as such, and moving what exists.
import type { Random } from '../base/random.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { isLive, type MetadataImage, type TopicImage } from './image.ts'
import { cannotPlace, placeReplicas } from './placement.ts'
import type { MetadataRecord, NewPartition } from './records.ts'
import { DONE, duplicatesOf, refuse, type Outcome } from './refusal.ts'

/** Kafka's bound (MAX_PARTITIONS_PER_BATCH): what one request may ask for is written as one atomic append. */
export const MAX_PARTITIONS_PER_REQUEST = 10_000

export type Placed = readonly NewPartition[]

/** Counts partitions to be created or deleted against the quota of who asks; says why not when there are too many (KIP-599). */
export type ChargePartitions = (partitions: number) => Outcome | null

export function isRefusal(placed: Placed | Outcome): placed is Outcome {
  return 'errorCode' in placed
}

export function excessive(total: number): Outcome {
  return refuse(
    ErrorCode.POLICY_VIOLATION,
    `Excessively large number of partitions per request: ${total} were asked for, at most ${MAX_PARTITIONS_PER_REQUEST} ` +
      'are allowed. Use several requests.',
  )
}

/** Partitions on brokers of our choice. */
export function placeAutomatically(
  image: MetadataImage,
  count: number,
  replicationFactor: number,
  random: Random,
  existing: readonly (readonly number[])[] = [],
): Placed | Outcome {
  const brokers = [...image.brokers.values()].map(({ brokerId, rack }) => ({
    brokerId,
    rack,
    isFenced: !isLive(image, brokerId),
  }))
  const reason = cannotPlace(brokers, replicationFactor)
  if (reason !== null) {
    const problem = `Unable to replicate the partition ${replicationFactor} time(s): ${reason}`
    return refuse(ErrorCode.INVALID_REPLICATION_FACTOR, problem)
  }
  const placed = placeReplicas(brokers, count, replicationFactor, random, existing)
  return placed.map(replicas => startOn(image, replicas))
}

/** Partitions on the brokers that somebody chose, from `firstPartition` on; all of one size, `replicationFactor` unless null. */
export function placeManually(
  image: MetadataImage,
  assignments: readonly (readonly number[])[],
  firstPartition: number,
  replicationFactor: number | null,
): Placed | Outcome {
  let expected = replicationFactor
  const placed: NewPartition[] = []
  for (const [index, brokerIds] of assignments.entries()) {
    const problem = assignmentProblem(image, brokerIds, expected, firstPartition + index)
    if (problem !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
    expected = brokerIds.length
    placed.push(startOn(image, brokerIds))
  }
  return placed
}

/** Null when a partition may have these replicas, `expected` of them unless null; else what is wrong, in Kafka's words. */
export function assignmentProblem(
  image: MetadataImage,
  brokerIds: readonly number[],
  expected: number | null,
  partition: number,
): string | null {
  if (brokerIds.length === 0) return 'The manual partition assignment includes an empty replica list.'
  for (const [at, brokerId] of brokerIds.entries()) {
    if (!image.brokers.has(brokerId)) {
      return `The manual partition assignment includes broker ${brokerId}, but no such broker is registered.`
    }
    if (brokerIds.indexOf(brokerId) !== at) {
      return `The manual partition assignment includes the broker ${brokerId} more than once.`
    }
  }
  if (expected !== null && brokerIds.length !== expected) {
    return (
      `The manual partition assignment includes a partition with ${brokerIds.length} replica(s), but this is not ` +
      `consistent with previous partitions, which have ${expected} replica(s).`
    )
  }
  if (!brokerIds.some(brokerId => isLive(image, brokerId))) {
    return (
      `All brokers specified in the manual partition assignment for partition ${partition} are fenced or in ` +
      'controlled shutdown.'
    )
  }
  return null
}

// Only live brokers are in sync at the start, so one that is away cannot hold up the first records.
function startOn(image: MetadataImage, replicas: readonly number[]): NewPartition {
  const isr = replicas.filter(brokerId => isLive(image, brokerId))
  return isr.length === replicas.length ? { replicas } : { replicas, isr }
}

export type PartitionsToCreate = {
  readonly name: string
  /** How many the topic shall have afterwards. */
  readonly count: number
  /** The brokers of each added partition; null = choose. */
  readonly assignments: readonly { readonly brokerIds: readonly number[] }[] | null
}

export type CreatedPartitions = Outcome & { readonly name: string }

export type CreatePartitionsOptions = {
  readonly validateOnly: boolean
  readonly random: Random
  readonly charge?: ChargePartitions | undefined
}

/** One result for each name. A topic that cannot grow does not stop the others. */
export function createPartitions(
  image: MetadataImage,
  topics: readonly PartitionsToCreate[],
  options: CreatePartitionsOptions,
  emit: (record: MetadataRecord) => void,
): CreatedPartitions[] {
  const duplicates = duplicatesOf(topics.map(topic => topic.name))
  const results = new Map<string, CreatedPartitions>()
  let total = 0
  for (const topic of topics) {
    if (results.has(topic.name)) continue
    const existing = image.topics.get(topic.name)
    let outcome: Outcome
    if (duplicates.has(topic.name)) {
      outcome = refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
    } else if (existing === undefined) {
      outcome = refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic '${topic.name}'.`)
    } else {
      const added = topic.count - existing.partitions.length
      outcome =
        total + added > MAX_PARTITIONS_PER_REQUEST
          ? excessive(total + added)
          : addPartitions(image, existing, topic, options, emit)
      if (outcome.errorCode === ErrorCode.NONE) total += added
    }
    results.set(topic.name, { ...outcome, name: topic.name })
  }
  return [...results.values()]
}

function addPartitions(
  image: MetadataImage,
  existing: TopicImage,
  topic: PartitionsToCreate,
  options: CreatePartitionsOptions,
  emit: (record: MetadataRecord) => void,
): Outcome {
  const before = existing.partitions.length
  if (topic.count === before) {
    return refuse(ErrorCode.INVALID_PARTITIONS, `Topic already has ${before} partition(s).`)
  }
  if (topic.count < before) {
    return refuse(
      ErrorCode.INVALID_PARTITIONS,
      `The topic ${topic.name} currently has ${before} partition(s); ${topic.count} would not be an increase.`,
    )
  }
  const added = topic.count - before
  const replicationFactor = existing.partitions[0]!.replicas.length
  const placed =
    topic.assignments === null
      ? placeAutomatically(
          image,
          added,
          replicationFactor,
          options.random,
          existing.partitions.map(partition => partition.replicas),
        )
      : placeAssigned(image, topic.assignments, before, added, replicationFactor)
  if (isRefusal(placed)) return placed
  const overQuota = options.charge?.(added) ?? null
  if (overQuota !== null) return overQuota
  if (!options.validateOnly) {
    emit({ kind: 'partitions-created', topicId: existing.topicId, firstPartition: before, partitions: placed })
  }
  return DONE
}

function placeAssigned(
  image: MetadataImage,
  assignments: readonly { readonly brokerIds: readonly number[] }[],
  firstPartition: number,
  added: number,
  replicationFactor: number,
): Placed | Outcome {
  if (assignments.length !== added) {
    const only = assignments.length < added ? 'only ' : ''
    return refuse(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${added} additional partition(s), but ${only}${assignments.length} assignment(s) were specified.`,
    )
  }
  const brokerIds = assignments.map(assignment => assignment.brokerIds)
  return placeManually(image, brokerIds, firstPartition, replicationFactor)
}
