// AlterPartition as a decision on the metadata image (KIP-497, KIP-841, KIP-903): a leader asks for another ISR. Rule B3 of the replication
// protocol (docs/replication.md): what is accepted always raises the partition epoch, also when nothing else changes, so that every
// earlier attempt of the leader is void from then on. Errors as in Kafka's ReplicationControlManager. Not here: completing reassignments.
import type { Uuid } from '../base/uuid.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { isLive, topicById, type MetadataImage, type PartitionImage } from './image.ts'
import type { MetadataRecord, PartitionChange } from './records.ts'

export type IsrMember = { readonly brokerId: number; readonly brokerEpoch: number }

/** What a leader asks for one partition; the epochs are those it knows. */
export type IsrRequest = {
  readonly partitionIndex: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly newIsrWithEpochs: readonly IsrMember[]
  /** 1: the leader is still recovering from an unclean election. */
  readonly leaderRecoveryState: number
}

export type AlterPartitionDemand = {
  readonly brokerId: number
  readonly brokerEpoch: number
  readonly topics: readonly { readonly topicId: Uuid; readonly partitions: readonly IsrRequest[] }[]
}

/** The partition as it is after the change; with an error the numbers say nothing. */
export type AlteredPartition = {
  readonly partitionIndex: number
  readonly errorCode: ErrorCode
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly isr: readonly number[]
  readonly partitionEpoch: number
}

export type AlteredPartitions = {
  /** Of the request as a whole: then there are no topics. */
  readonly errorCode: ErrorCode
  readonly topics: readonly { readonly topicId: Uuid; readonly partitions: readonly AlteredPartition[] }[]
}

// A record for a topic of ten thousand partitions would be a megabyte; this keeps them small enough to read.
const CHANGES_PER_RECORD = 1000

/** One result for each partition asked for. What cannot be changed does not stop the others. */
export function alterPartitions(
  image: MetadataImage,
  demand: AlterPartitionDemand,
  emit: (record: MetadataRecord) => void,
): AlteredPartitions {
  const errorCode = senderProblem(image, demand)
  if (errorCode !== ErrorCode.NONE) return { errorCode, topics: [] }
  // A partition that is named twice has another partition epoch the second time.
  const changed = new Set<string>()
  const topics = demand.topics.map(({ topicId, partitions }) => {
    const changes: PartitionChange[] = []
    const results = partitions.map((request): AlteredPartition => {
      const partition = topicById(image, topicId)?.partitions[request.partitionIndex]
      const key = `${request.partitionIndex} ${topicId}`
      const problem = changed.has(key)
        ? ErrorCode.INVALID_UPDATE_VERSION
        : requestProblem(image, topicId, partition, demand.brokerId, request)
      if (partition === undefined || problem !== ErrorCode.NONE) return refused(request.partitionIndex, problem)
      changed.add(key)
      const { change, result } = accepted(partition, request)
      changes.push(change)
      return result
    })
    for (let at = 0; at < changes.length; at += CHANGES_PER_RECORD) {
      emit({ kind: 'partitions-changed', topicId, changes: changes.slice(at, at + CHANGES_PER_RECORD) })
    }
    return { topicId, partitions: results }
  })
  return { errorCode: ErrorCode.NONE, topics }
}

function senderProblem(image: MetadataImage, { brokerId, brokerEpoch }: AlterPartitionDemand): ErrorCode {
  const broker = image.brokers.get(brokerId)
  if (broker === undefined) return ErrorCode.BROKER_ID_NOT_REGISTERED
  return broker.brokerEpoch === brokerEpoch ? ErrorCode.NONE : ErrorCode.STALE_BROKER_EPOCH
}

/** NONE when the request may be granted. */
function requestProblem(
  image: MetadataImage,
  topicId: Uuid,
  partition: PartitionImage | undefined,
  senderId: number,
  { leaderEpoch, partitionEpoch, newIsrWithEpochs, leaderRecoveryState }: IsrRequest,
): ErrorCode {
  if (partition === undefined) {
    return topicById(image, topicId) === undefined ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
  // The sender has seen more than this controller: another one must have taken over.
  if (leaderEpoch > partition.leaderEpoch || partitionEpoch > partition.partitionEpoch) return ErrorCode.NOT_CONTROLLER
  if (leaderEpoch < partition.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH
  if (senderId !== partition.leader) return ErrorCode.INVALID_REQUEST
  if (partitionEpoch < partition.partitionEpoch) return ErrorCode.INVALID_UPDATE_VERSION
  const ids = newIsrWithEpochs.map(member => member.brokerId)
  const isSound = new Set(ids).size === ids.length && ids.every(id => partition.replicas.includes(id))
  if (!isSound || !ids.includes(senderId) || leaderRecoveryState !== 0) return ErrorCode.INVALID_REQUEST
  const isEligible = newIsrWithEpochs.every(member => partition.isr.includes(member.brokerId) || mayJoin(image, member))
  return isEligible ? ErrorCode.NONE : ErrorCode.INELIGIBLE_REPLICA
}

/** Whether this life of the broker is the present one, and may lead: only such a broker may be added to an ISR (KIP-841, KIP-903). */
export function mayJoin(image: MetadataImage, { brokerId, brokerEpoch }: IsrMember): boolean {
  return isLive(image, brokerId) && image.brokers.get(brokerId)!.brokerEpoch === brokerEpoch
}

function accepted(
  { partition, leader, leaderEpoch, partitionEpoch, isr: before }: PartitionImage,
  { newIsrWithEpochs }: IsrRequest,
): { change: PartitionChange; result: AlteredPartition } {
  const isr = newIsrWithEpochs.map(member => member.brokerId)
  const isSame = isr.length === before.length && isr.every((id, at) => before[at] === id)
  const next = partitionEpoch + 1
  const change: PartitionChange = { partition, partitionEpoch: next }
  return {
    change: isSame ? change : { ...change, isr },
    result: {
      partitionIndex: partition,
      errorCode: ErrorCode.NONE,
      leaderId: leader,
      leaderEpoch,
      isr,
      partitionEpoch: next,
    },
  }
}

function refused(partitionIndex: number, errorCode: ErrorCode): AlteredPartition {
  return { partitionIndex, errorCode, leaderId: -1, leaderEpoch: -1, isr: [], partitionEpoch: -1 }
}
