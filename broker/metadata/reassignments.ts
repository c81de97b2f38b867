// Other replicas for partitions: AlterPartitionReassignments as a decision on the metadata image (KIP-455). The texts are Kafka's
// (ReplicationControlManager). Not here: moving the records, which nobody does yet; so replicas may change their order, and no more.
import { ErrorCode } from '../protocol/errors.ts'
import type { MetadataImage, PartitionImage } from './image.ts'
import { assignmentProblem } from './partitions.ts'
import type { MetadataRecord, PartitionChange } from './records.ts'
import { DONE, refuse, tooManyAlterations, type Outcome } from './refusal.ts'

export type TopicReassignment = {
  readonly name: string
  /** Null replicas call off what is under way. */
  readonly partitions: readonly { readonly partitionIndex: number; readonly replicas: readonly number[] | null }[]
}

export type ReassignedTopic = {
  readonly name: string
  readonly partitions: readonly (Outcome & { readonly partitionIndex: number })[]
}

/** One result for each partition asked for. What cannot be reassigned does not stop the others. */
export function alterPartitionReassignments(
  image: MetadataImage,
  topics: readonly TopicReassignment[],
  emit: (record: MetadataRecord) => void,
): ReassignedTopic[] {
  const excess = tooManyAlterations(topics.reduce((sum, { partitions }) => sum + partitions.length, 0))
  if (excess !== null) {
    return topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ ...excess, partitionIndex })),
    }))
  }
  // As they are after what this request has said of them.
  const current = new Map<string, PartitionImage>()
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => {
      const key = `${partitionIndex} ${name}`
      const partition = current.get(key) ?? find(image, name, partitionIndex)
      if ('errorCode' in partition) return { ...partition, partitionIndex }
      const refusal = refused(image, partition, replicas)
      if (refusal === null && !isSame(partition.replicas, replicas!)) {
        const change: PartitionChange = {
          partition: partitionIndex,
          partitionEpoch: partition.partitionEpoch + 1,
          replicas: replicas!,
        }
        emit({ kind: 'partitions-changed', topicId: image.topics.get(name)!.topicId, changes: [change] })
        current.set(key, { ...partition, ...change, replicas: replicas! })
      }
      return { ...(refusal ?? DONE), partitionIndex }
    }),
  }))
}

function find(image: MetadataImage, name: string, partitionIndex: number): PartitionImage | Outcome {
  const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const topic = image.topics.get(name)
  if (topic === undefined) return refuse(unknown, `Unable to find a topic named ${name}.`)
  return topic.partitions[partitionIndex] ?? refuse(unknown, `Unable to find partition ${name}:${partitionIndex}.`)
}

function refused(image: MetadataImage, partition: PartitionImage, replicas: readonly number[] | null): Outcome | null {
  if (replicas === null) return { errorCode: ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, errorMessage: null }
  const problem = assignmentProblem(image, replicas, null, partition.partition)
  if (problem !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
  if (isSame([...partition.replicas].sort(), [...replicas].sort())) return null
  return refuse(
    ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    `The partition is on the brokers ${partition.replicas.join(', ')}; moving it to others is not possible yet.`,
  )
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at])
}
