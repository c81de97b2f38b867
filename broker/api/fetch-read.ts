// One look at everything a fetch request asks for: which partitions can be read, how far, and the batches that fit. fetch.ts decides
// whether that is an answer or the request waits and looks again. Semantics of Kafka's ReplicaManager.readFromLog and Partition.fetchRecords.
import { topicById, type MetadataImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { lastOffset, sizeOf as batchSize } from '../records/batch.ts'
import type { Leader } from '../replication/leader.ts'
import type { Replicas } from '../replication/replicas.ts'
import type { AbortedTransaction } from '../storage/aborted-transactions.ts'
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
  /** Why there is an error, for the broker's own log. */
  readonly cause: string | null
}

export type FetchReadOptions = {
  readonly replicas: Replicas
  readonly image: MetadataImage
  readonly usesTopicIds: boolean
  readonly isReadCommitted: boolean
  /** The broker that asks, in the life it is in; null for a consumer. */
  readonly follower: { readonly brokerId: number; readonly brokerEpoch: number } | null
  /** The fetch has just come: it acknowledges. A request that looks again after it has waited does not. */
  readonly isFirstLook: boolean
}

const NO_RECORDS: readonly Buffer[] = []
const NO_ABORTED_TRANSACTIONS: readonly never[] = []

/** Reads of one request that wait for the disk at the same time; more would only keep other requests from it. */
const MAX_PARALLEL_READS = 8

/** What one look has found. `partitions` and `leaders` run parallel to the targets; a leader is null where there is an error. */
export class FetchRead {
  readonly partitions: FetchedPartition[] = []
  readonly leaders: (Leader | null)[] = []
  sizeBytes = 0
  /** Something that must be answered at once: an error, or a log that has parted from the client's. */
  isUrgent = false
  readonly #options: FetchReadOptions
  readonly #targets: readonly FetchTarget[]
  /** What is left for records, less what the reads in flight may bring. */
  #roomBytes: number
  readonly #inFlight: Promise<void>[] = []

  constructor(targets: readonly FetchTarget[], maxBytes: number, options: FetchReadOptions) {
    this.#targets = targets
    this.#roomBytes = maxBytes
    this.#options = options
  }

  /**
   * Reads the targets in order, at most `maxBytes` in all; the first batch of the first partition that has any is read even when it is
   * larger. Synchronous as long as memory serves everything; what is on the disk is read in parallel as far as there is room for it.
   */
  run(): this | Promise<this> {
    for (let at = 0; at < this.#targets.length; at++) {
      if (this.#mustSettle(this.#targets[at]!)) return this.#continue(at)
      this.#start(this.#targets[at]!, at)
    }
    return this.#inFlight.length === 0 ? this : this.#finish()
  }

  async #continue(from: number): Promise<this> {
    for (let at = from; at < this.#targets.length; at++) {
      if (this.#mustSettle(this.#targets[at]!)) await this.#settle()
      this.#start(this.#targets[at]!, at)
    }
    return this.#finish()
  }

  async #finish(): Promise<this> {
    await this.#settle()
    // Reads that were started beside others had no right to exceed the limits; if none found anything that fits, one has.
    for (let at = 0; at < this.#targets.length && this.sizeBytes === 0; at++) {
      if (this.leaders[at] === null || this.partitions[at]!.divergingEpoch !== undefined) continue
      this.#read(this.#targets[at]!, at, this.leaders[at]!)
      await this.#settle()
    }
    return this
  }

  #mustSettle(target: FetchTarget): boolean {
    const inFlight = this.#inFlight.length
    return inFlight > 0 && (inFlight >= MAX_PARALLEL_READS || this.#roomBytes < target.maxBytes)
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#inFlight)
    this.#inFlight.length = 0
  }

  #start(target: FetchTarget, at: number): void {
    const leader = this.#leader(target)
    const errorCode = typeof leader === 'number' ? leader : this.#refusal(target, leader)
    if (typeof leader === 'number' || errorCode !== ErrorCode.NONE) {
      this.partitions.push(failed(target.partition, errorCode))
      this.leaders.push(null)
      this.isUrgent = true
      return
    }
    if (this.#options.follower !== null) {
      this.#startFollower(target, at, leader, this.#options.follower.brokerId, this.#options.follower.brokerEpoch)
      return
    }
    const fetched = this.#found(target, leader)
    this.partitions.push(fetched)
    this.leaders.push(leader)
    const divergence = target.lastFetchedEpoch < 0 ? null : divergenceOf(target, leader)
    if (divergence === null) {
      this.#read(target, at, leader)
    } else if (divergence === 'unknown') {
      this.#fail(at, ErrorCode.OFFSET_OUT_OF_RANGE)
    } else {
      fetched.divergingEpoch = divergence
      this.isUrgent = true
    }
  }

  #refusal(target: FetchTarget, leader: Leader): ErrorCode {
    const { follower } = this.#options
    if (follower === null) return leader.checkLeaderEpoch(target.currentLeaderEpoch)
    const refusal = leader.inSyncReplicas.checkFollower(follower.brokerId, follower.brokerEpoch)
    if (refusal !== ErrorCode.NONE) return refusal
    // A follower follows in an epoch: one that names none is behind any.
    if (target.currentLeaderEpoch < 0) return ErrorCode.FENCED_LEADER_EPOCH
    return leader.checkLeaderEpoch(target.currentLeaderEpoch)
  }

  /** A9: only the fetch of a log that is the beginning of this one acknowledges; else the follower hears where both part. */
  #startFollower(target: FetchTarget, at: number, leader: Leader, brokerId: number, brokerEpoch: number): void {
    const { fetchOffset, lastFetchedEpoch, followerLogStartOffset: logStartOffset } = target
    const match = leader.matchFollower({ offset: fetchOffset, epoch: lastFetchedEpoch })
    if (match.kind === 'fits' && this.#options.isFirstLook) {
      leader.onFollowerFetch({ brokerId, brokerEpoch, fetchOffset, logStartOffset })
    }
    // Not earlier: it tells the high watermark that this very fetch has moved.
    const fetched = this.#found(target, leader)
    this.partitions.push(fetched)
    this.leaders.push(leader)
    if (match.kind === 'fits') {
      this.#read(target, at, leader)
    } else if (match.kind === 'diverges' && match.endOffset >= 0) {
      fetched.divergingEpoch = { epoch: match.epoch, endOffset: match.endOffset }
      this.isUrgent = true
    } else {
      this.#fail(at, ErrorCode.OFFSET_OUT_OF_RANGE)
      this.partitions[at]!.logStartOffset = leader.log.logStartOffset
    }
  }

  #endOffset(leader: Leader, fetched: FetchedPartition): number {
    if (this.#options.follower !== null) return leader.log.endOffset
    return this.#options.isReadCommitted ? fetched.lastStableOffset : fetched.highWatermark
  }

  #read(target: FetchTarget, at: number, leader: Leader): void {
    const fetched = this.partitions[at]!
    const endOffset = this.#endOffset(leader, fetched)
    const maxBytes = Math.max(0, Math.min(target.maxBytes, this.#roomBytes))
    const minOneBatch = this.sizeBytes === 0 && this.#inFlight.length === 0
    const read = leader.read(target.fetchOffset, endOffset, maxBytes, minOneBatch)
    if (!(read instanceof Promise)) {
      const more = this.#take(at, read, leader)
      if (more !== null) this.#inFlight.push(more)
      return
    }
    this.#roomBytes -= maxBytes
    const onRead = (result: LogReadResult): Promise<void> | null => {
      this.#roomBytes += maxBytes
      return this.#take(at, result, leader)
    }
    const onFailure = (error: unknown): void => {
      if (!(error instanceof StorageError)) throw error
      this.#roomBytes += maxBytes
      this.#fail(at, ErrorCode.KAFKA_STORAGE_ERROR, String(error))
    }
    this.#inFlight.push(read.then(onRead, onFailure).then(() => {}))
  }

  /** Null when the answer of the partition is complete. */
  #take(at: number, read: LogReadResult, leader: Leader): Promise<void> | null {
    if (typeof read === 'string') {
      this.#fail(at, ErrorCode.OFFSET_OUT_OF_RANGE)
      return null
    }
    const fetched = this.partitions[at]!
    fetched.records = read
    const size = sizeOf(fetched)
    this.sizeBytes += size
    this.#roomBytes -= size
    return this.#options.isReadCommitted && size > 0 ? this.#findAborted(at, leader) : null
  }

  /** Which of the transactions in what was read were aborted: those that overlap it, as in Kafka. */
  #findAborted(at: number, leader: Leader): Promise<void> | null {
    const fetched = this.partitions[at]!
    const { fetchOffset } = this.#targets[at]!
    const found = leader.log.abortedTransactions(fetchOffset, endOf(fetched.records))
    if (!(found instanceof Promise)) {
      fetched.abortedTransactions = byFirstOffset(found)
      return null
    }
    const giveUp = (errorCode: ErrorCode): void => {
      const size = sizeOf(fetched)
      this.sizeBytes -= size
      this.#roomBytes += size
      this.#fail(at, errorCode)
    }
    return found.then(
      aborted => {
        // What retention or DeleteRecords took meanwhile, it took with its transactions.
        if (fetchOffset < leader.log.logStartOffset) giveUp(ErrorCode.OFFSET_OUT_OF_RANGE)
        else fetched.abortedTransactions = byFirstOffset(aborted)
      },
      (error: unknown) => {
        if (!(error instanceof StorageError)) throw error
        giveUp(ErrorCode.KAFKA_STORAGE_ERROR)
      },
    )
  }

  #fail(at: number, errorCode: ErrorCode, cause: string | null = null): void {
    this.partitions[at] = failed(this.#targets[at]!.partition, errorCode, cause)
    this.leaders[at] = null
    this.isUrgent = true
  }

  #leader(target: FetchTarget): Leader | ErrorCode {
    const { replicas, image, usesTopicIds } = this.#options
    const topic = usesTopicIds ? topicById(image, target.topicId) : image.topics.get(target.topic)
    if (topic === undefined) return usesTopicIds ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (topic.partitions[target.partition] === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    const leader = replicas.reader(topic.topicId, target.partition)
    if (typeof leader === 'number' || !leader.log.isOffline || target.fetchOffset < leader.highWatermark) return leader
    // Who has read all there is would wait here for ever: it is to look for another leader.
    return ErrorCode.KAFKA_STORAGE_ERROR
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
      cause: null,
    }
  }
}

/** Kafka answers them in the order of their markers and most clients sort; kafkajs does not, and gives out aborted records then. */
function byFirstOffset(aborted: readonly AbortedTransaction[]): readonly AbortedTransaction[] {
  return aborted.length < 2 ? aborted : [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
}

/** The offset behind the last batch. */
function endOf(records: readonly Buffer[]): number {
  const last = records[records.length - 1]!
  let at = 0
  for (let size = batchSize(last, 0); at + size < last.length; size = batchSize(last, at)) at += size
  return lastOffset(last, at) + 1
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

function failed(partition: number, errorCode: ErrorCode, cause: string | null = null): FetchedPartition {
  return {
    partitionIndex: partition,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    divergingEpoch: undefined,
    currentLeader: undefined,
    // Where Kafka finds no partition at all it answers an empty list, else null.
    abortedTransactions: isUnknown(errorCode) ? NO_ABORTED_TRANSACTIONS : null,
    records: NO_RECORDS,
    cause,
  }
}

function isUnknown(errorCode: ErrorCode): boolean {
  return errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || errorCode === ErrorCode.UNKNOWN_TOPIC_ID
}
