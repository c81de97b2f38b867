// One look at everything a fetch request asks for: which partitions can be read, how far, and the batches that fit. fetch.ts decides
// whether that is an answer or the request waits and looks again. Semantics of Kafka's ReplicaManager.readFromLog and Partition.fetchRecords.
import { topicById, type MetadataImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { Leader } from '../replication/leader.ts'
import type { Replicas } from '../replication/replicas.ts'
import type { EpochEnd } from '../storage/leader-epochs.ts'
import type { LogReadResult } from '../storage/partition-log.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { FetchTarget } from './fetch-session.ts'
import type { LeaderHint } from './leader-hints.ts'

/** The answer for one partition, in the shape of the response. */
export type FetchedPartition = {
  readonly partitionIndex: number
  errorCode: ErrorCode
  /** -1 with an error, as the two below. */
  highWatermark: number
  lastStableOffset: number
  logStartOffset: number
  divergingEpoch: EpochEnd | undefined
  currentLeader: LeaderHint | undefined
  /** Null for read_uncommitted. */
  abortedTransactions: readonly { producerId: number; firstOffset: number }[] | null
  records: readonly Buffer[]
}

export type FetchReadOptions = {
  readonly replicas: Replicas
  readonly image: MetadataImage
  readonly usesTopicIds: boolean
  readonly isReadCommitted: boolean
  /** The replica that asks, -1 or below for a consumer. */
  readonly replicaId: number
}

const NO_RECORDS: readonly Buffer[] = []
const NO_ABORTED_TRANSACTIONS: readonly never[] = []

/** What one look has found. `partitions` and `leaders` run parallel to the targets; a leader is null where there is an error. */
export class FetchRead {
  readonly partitions: FetchedPartition[] = []
  readonly leaders: (Leader | null)[] = []
  sizeBytes = 0
  /** Something that must be answered at once: an error, or a log that has parted from the client's. */
  isUrgent = false
  readonly #options: FetchReadOptions
  #roomBytes = 0

  constructor(options: FetchReadOptions) {
    this.#options = options
  }

  /**
   * Reads the targets in order, at most `maxBytes` in all; the first batch of the first partition that has any is read even when it is
   * larger. Synchronous as long as memory serves everything.
   */
  run(targets: readonly FetchTarget[], maxBytes: number): this | Promise<this> {
    this.#roomBytes = maxBytes
    for (let at = 0; at < targets.length; at++) {
      const fetched = this.#readOne(targets[at]!)
      if (fetched instanceof Promise) return this.#continue(targets, at, fetched)
      this.#take(fetched)
    }
    return this
  }

  async #continue(targets: readonly FetchTarget[], at: number, first: Promise<FetchedPartition>): Promise<this> {
    this.#take(await first)
    for (let next = at + 1; next < targets.length; next++) {
      const fetched = this.#readOne(targets[next]!)
      this.#take(fetched instanceof Promise ? await fetched : fetched)
    }
    return this
  }

  #take(fetched: FetchedPartition): void {
    this.partitions.push(fetched)
    const size = sizeOf(fetched)
    this.sizeBytes += size
    this.#roomBytes = Math.max(0, this.#roomBytes - size)
    if (fetched.errorCode !== ErrorCode.NONE || fetched.divergingEpoch !== undefined) this.isUrgent = true
  }

  #readOne(target: FetchTarget): FetchedPartition | Promise<FetchedPartition> {
    const leader = this.#leader(target)
    const errorCode = typeof leader === 'number' ? leader : leader.checkLeaderEpoch(target.currentLeaderEpoch)
    if (typeof leader === 'number' || errorCode !== ErrorCode.NONE) {
      this.leaders.push(null)
      return failed(target.partition, errorCode)
    }
    this.leaders.push(leader)
    const fetched = this.#found(target, leader)
    if (target.lastFetchedEpoch >= 0) {
      const divergence = divergenceOf(target, leader)
      if (divergence === 'unknown') return failed(target.partition, ErrorCode.OFFSET_OUT_OF_RANGE)
      if (divergence !== null) {
        fetched.divergingEpoch = divergence
        return fetched
      }
    }
    const endOffset = this.#options.isReadCommitted ? fetched.lastStableOffset : fetched.highWatermark
    const maxBytes = Math.min(target.maxBytes, this.#roomBytes)
    const read = leader.read(target.fetchOffset, endOffset, maxBytes, this.sizeBytes === 0)
    return read instanceof Promise ? read.then(result => withRecords(fetched, result), storageFailure(fetched)) : withRecords(fetched, read)
  }

  #leader(target: FetchTarget): Leader | ErrorCode {
    const { replicas, image, usesTopicIds, replicaId } = this.#options
    const topic = usesTopicIds ? topicById(image, target.topicId) : image.topics.get(target.topic)
    if (topic === undefined) return usesTopicIds ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (topic.partitions[target.partition] === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    // Followers do not exist yet, so whoever claims to be one is not in any assignment.
    if (replicaId >= 0) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    return replicas.leader(topic.topicId, target.partition)
  }

  #found(target: FetchTarget, leader: Leader): FetchedPartition {
    return {
      partitionIndex: target.partition,
      errorCode: ErrorCode.NONE,
      highWatermark: leader.highWatermark,
      lastStableOffset: leader.lastStableOffset,
      logStartOffset: leader.log.logStartOffset,
      divergingEpoch: undefined,
      currentLeader: undefined,
      abortedTransactions: this.#options.isReadCommitted ? NO_ABORTED_TRANSACTIONS : null,
      records: NO_RECORDS,
    }
  }
}

export function sizeOf(fetched: FetchedPartition): number {
  let size = 0
  for (const chunk of fetched.records) size += chunk.length
  return size
}

/**
 * Whether the client's log has parted from ours before its fetch offset (KIP-595): null when not, the end of the common epoch to
 * truncate to, or 'unknown' when our history does not reach back that far (the client starts over by its reset policy).
 */
function divergenceOf(target: FetchTarget, leader: Leader): EpochEnd | 'unknown' | null {
  const end = leader.endOffsetForEpoch(target.lastFetchedEpoch)
  if (end.epoch < 0 || end.endOffset < 0 || target.fetchOffset < leader.log.logStartOffset) return 'unknown'
  return end.epoch < target.lastFetchedEpoch || end.endOffset < target.fetchOffset ? end : null
}

function withRecords(fetched: FetchedPartition, read: LogReadResult): FetchedPartition {
  if (typeof read === 'string') return failed(fetched.partitionIndex, ErrorCode.OFFSET_OUT_OF_RANGE)
  fetched.records = read
  return fetched
}

function storageFailure(fetched: FetchedPartition): (error: unknown) => FetchedPartition {
  return error => {
    if (!(error instanceof StorageError)) throw error
    return failed(fetched.partitionIndex, ErrorCode.KAFKA_STORAGE_ERROR)
  }
}

function failed(partition: number, errorCode: ErrorCode): FetchedPartition {
  return {
    partitionIndex: partition,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    divergingEpoch: undefined,
    currentLeader: undefined,
    abortedTransactions: null,
    records: NO_RECORDS,
  }
}
