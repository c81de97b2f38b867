// ListOffsets (2), v1-11. Finds an offset of a partition: its ends, or the first record at or after a time.
// - Special timestamps: -1 latest (high watermark; read_committed: last stable offset), -2 earliest, -3 record with the largest timestamp
//   (v7, KIP-734), -4 earliest on this broker (v8), -5 latest in tiered storage (v9), -6 earliest that waits for upload (v11). A negative
//   timestamp that the version does not know is UNSUPPORTED_VERSION.
// - There is no tiered storage: -4 is the earliest offset, -5 and -6 answer offset -1, as Kafka does for a topic without it.
// - A time after the last record, or one whose record is not committed yet, answers offset -1 and timestamp -1 without an error.
// - "Latest" of a leader that does not know its high watermark yet is OFFSET_NOT_AVAILABLE (before v5 LEADER_NOT_AVAILABLE).
// - A partition that is named twice is INVALID_REQUEST.
import type { TopicImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { ListOffsets, type ListOffsetsRequest } from '../protocol/messages/list-offsets.ts'
import type { Leader } from '../replication/leader.ts'
import type { OffsetAndTimestamp } from '../storage/partition-log.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6

/** The first version that knows each special timestamp. */
const SINCE: ReadonlyMap<number, number> = new Map([
  [LATEST, 1],
  [EARLIEST, 1],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])

const FIRST_VERSION_WITH_LEADER_EPOCH = 4
const FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE = 5
const CONSUMER_REPLICA_ID = -1
const READ_COMMITTED = 1

type RequestPartition = ListOffsetsRequest['topics'][number]['partitions'][number]
type ResponsePartition = {
  readonly partitionIndex: number
  readonly errorCode: ErrorCode
  readonly timestamp: number
  readonly offset: number
  readonly leaderEpoch: number
}

export const listOffsets = handler(ListOffsets, async (request, context, call) => {
  const duplicates = duplicatesOf(request)
  const topics: { name: string; partitions: ResponsePartition[] }[] = []
  for (const { name, partitions } of request.topics) {
    const topic = context.image().topics.get(name)
    const found: ResponsePartition[] = []
    for (const partition of partitions) {
      const { timestamp, partitionIndex } = partition
      if (duplicates.has(`${name}-${partitionIndex}`)) found.push(failed(partition, ErrorCode.INVALID_REQUEST))
      else if (timestamp < 0 && !((SINCE.get(timestamp) ?? Infinity) <= call.apiVersion)) {
        found.push(failed(partition, ErrorCode.UNSUPPORTED_VERSION))
      } else {
        found.push(downgrade(await find(request, partition, topic, context), call.apiVersion))
      }
    }
    topics.push({ name, partitions: found })
  }
  return { topics }
})

function duplicatesOf(request: ListOffsetsRequest): ReadonlySet<string> {
  const seen = new Set<string>()
  const duplicates = new Set<string>()
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = `${name}-${partitionIndex}`
      if (seen.has(key)) duplicates.add(key)
      else seen.add(key)
    }
  }
  return duplicates
}

async function find(
  request: ListOffsetsRequest,
  partition: RequestPartition,
  topic: TopicImage | undefined,
  context: Context,
): Promise<ResponsePartition> {
  if (topic?.partitions[partition.partitionIndex] === undefined) {
    return failed(partition, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  }
  const { replicas } = context
  // A disk that has failed can be read, but there will be no more records: who asks for them is to look for another leader.
  const isLatest = partition.timestamp === LATEST
  const leader = replicas[isLatest ? 'leader' : 'reader'](topic.topicId, partition.partitionIndex)
  if (typeof leader === 'number') return failed(partition, leader)
  const errorCode = leader.checkLeaderEpoch(partition.currentLeaderEpoch)
  if (errorCode !== ErrorCode.NONE) return failed(partition, errorCode)
  try {
    return await findIn(leader, partition, endOffsetFor(leader, request), request.replicaId === CONSUMER_REPLICA_ID)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return failed(partition, ErrorCode.KAFKA_STORAGE_ERROR)
  }
}

/** Exclusive: how far this asker may see. Brokers and debugging tools see the whole log. */
function endOffsetFor(leader: Leader, { replicaId, isolationLevel }: ListOffsetsRequest): number {
  if (replicaId !== CONSUMER_REPLICA_ID) return leader.log.endOffset
  return isolationLevel === READ_COMMITTED ? leader.lastStableOffset : leader.highWatermark
}

async function findIn(
  leader: Leader,
  partition: RequestPartition,
  endOffset: number,
  isConsumer: boolean,
): Promise<ResponsePartition> {
  const { log } = leader
  const isEndKnown = !isConsumer || leader.isLatestKnown
  switch (partition.timestamp) {
    case EARLIEST:
    case EARLIEST_LOCAL:
      return found(partition, {
        offset: log.logStartOffset,
        timestamp: -1,
        leaderEpoch: leader.epochAt(log.logStartOffset),
      })
    case LATEST:
      if (!isEndKnown) return failed(partition, ErrorCode.OFFSET_NOT_AVAILABLE)
      return found(partition, { offset: endOffset, timestamp: -1, leaderEpoch: leader.leaderEpoch })
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return failed(partition, ErrorCode.NONE)
    default: {
      const record =
        partition.timestamp === MAX_TIMESTAMP
          ? await log.maxTimestamp()
          : await log.offsetForTimestamp(partition.timestamp)
      if (record !== null && record.offset < endOffset) return found(partition, record)
      return failed(partition, isEndKnown ? ErrorCode.NONE : ErrorCode.OFFSET_NOT_AVAILABLE)
    }
  }
}

function found(partition: RequestPartition, { offset, timestamp, leaderEpoch }: OffsetAndTimestamp): ResponsePartition {
  return { partitionIndex: partition.partitionIndex, errorCode: ErrorCode.NONE, timestamp, offset, leaderEpoch }
}

/** Without an error: there is no such offset. */
function failed(partition: RequestPartition, errorCode: ErrorCode): ResponsePartition {
  return { partitionIndex: partition.partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 }
}

/** Versions before 4 have no leader epoch, versions before 5 do not know OFFSET_NOT_AVAILABLE. */
function downgrade(answer: ResponsePartition, apiVersion: number): ResponsePartition {
  if (apiVersion >= FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE) return answer
  const isUnknown = answer.errorCode === ErrorCode.OFFSET_NOT_AVAILABLE
  return {
    ...answer,
    errorCode: isUnknown ? ErrorCode.LEADER_NOT_AVAILABLE : answer.errorCode,
    leaderEpoch: apiVersion < FIRST_VERSION_WITH_LEADER_EPOCH ? -1 : answer.leaderEpoch,
  }
}
