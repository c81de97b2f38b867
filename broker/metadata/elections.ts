// Elections that somebody asks for: ElectLeaders as a decision on the metadata image. The texts are Kafka's (ReplicationControlManager).
// Not here: elections because a broker comes or goes (partition-change.ts).
import { ErrorCode, errorMessage } from '../protocol/errors.ts'
import { isLive, NO_LEADER, type MetadataImage, type PartitionImage } from './image.ts'
import { elected } from './partition-change.ts'
import type { MetadataRecord, PartitionChange } from './records.ts'
import { DONE, refuse, tooManyAlterations, type Outcome } from './refusal.ts'

/** ElectionType on the wire. */
export const ElectionType = { PREFERRED: 0, UNCLEAN: 1 } as const

export type TopicPartitions = { readonly topic: string; readonly partitions: readonly number[] }

export type ElectedTopic = {
  readonly topic: string
  readonly partitionResult: readonly (Outcome & { readonly partitionId: number })[]
}

/** One result for each partition asked for. Null: all partitions, and only those are told where there was an election to hold. */
export function electLeaders(
  image: MetadataImage,
  electionType: number,
  wanted: readonly TopicPartitions[] | null,
  emit: (record: MetadataRecord) => void,
): ElectedTopic[] {
  const excess = tooManyAlterations((wanted ?? []).reduce((sum, { partitions }) => sum + partitions.length, 0))
  if (wanted !== null && excess !== null) {
    return wanted.map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map(partitionId => ({ ...excess, partitionId })),
    }))
  }
  const topics =
    wanted ?? [...image.topics.values()].map(topic => ({ topic: topic.name, partitions: [...topic.partitions.keys()] }))
  // Taken here once: a partition that is named twice has its leader the second time.
  const led = new Map<string, PartitionChange>()
  return topics.map(({ topic, partitions }) => {
    const changes: PartitionChange[] = []
    const partitionResult = partitions.map(partitionId => {
      const found = find(image, topic, partitionId)
      if ('errorCode' in found) return { ...found, partitionId }
      const key = `${partitionId} ${topic}`
      const election = led.has(key) ? NOT_NEEDED : elect(image, found, electionType)
      if ('errorCode' in election) return { ...election, partitionId }
      led.set(key, election)
      changes.push(election)
      return { ...DONE, partitionId }
    })
    if (changes.length > 0) {
      emit({ kind: 'partitions-changed', topicId: image.topics.get(topic)!.topicId, changes })
    }
    const told = wanted === null ? partitionResult.filter(({ errorCode }) => !isNotNeeded(errorCode)) : partitionResult
    return { topic, partitionResult: told }
  })
}

function isNotNeeded(errorCode: ErrorCode): boolean {
  return errorCode === ErrorCode.ELECTION_NOT_NEEDED
}

const standard = (errorCode: ErrorCode): Outcome => refuse(errorCode, errorMessage(errorCode))

const NOT_NEEDED = standard(ErrorCode.ELECTION_NOT_NEEDED)

function find(image: MetadataImage, topic: string, partitionId: number): PartitionImage | Outcome {
  const found = image.topics.get(topic)
  if (found === undefined) return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${topic}`)
  const partition = found.partitions[partitionId]
  return partition ?? refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such partition as ${topic}-${partitionId}`)
}

function elect(image: MetadataImage, partition: PartitionImage, electionType: number): PartitionChange | Outcome {
  const { leader, replicas, isr } = partition
  const mayLead = (brokerId: number): boolean => isr.includes(brokerId) && isLive(image, brokerId)
  if (electionType === ElectionType.UNCLEAN) {
    if (leader !== NO_LEADER) return NOT_NEEDED
    const next = replicas.find(mayLead)
    return next === undefined ? standard(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE) : elected(partition, next, isr)
  }
  const preferred = replicas[0]!
  if (leader === preferred) return NOT_NEEDED
  return mayLead(preferred) ? elected(partition, preferred, isr) : standard(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)
}
