// The leader's side of one partition: what may be appended, where it goes, and when it counts. Appending has two stages. The first is
// synchronous (validate, check the producer, assign offsets, stamp the leader epoch, hand over to the log), so requests of one
// connection keep their order; the second waits for the log's flush and for the high watermark. Not here: bytes on the disk (storage/),
// who leads what (replicas.ts), what followers have acknowledged (in-sync-replicas.ts).
import type { Clock } from '../base/clock.ts'
import type { TopicConfig } from '../config/topic-config.ts'
import { matchLogEnd, type LogEnd, type Match } from '../machine/log-matching.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { readHeader, setBaseOffset, setLeaderEpoch, type BatchHeader } from '../records/batch.ts'
import { buildEndTransactionMarker } from '../records/control.ts'
import { validateProduce, type ProduceLimits } from '../records/validate.ts'
import type { EpochEnd } from '../storage/leader-epochs.ts'
import type { LogReadResult, PartitionLog } from '../storage/partition-log.ts'
import { Admissions } from './admissions.ts'
import { NO_RECORD_ERRORS, refused, rejectOnError, type AppendResult } from './append-result.ts'
import { InSyncReplicas, type FollowerFetch } from './in-sync-replicas.ts'
import { hasEnoughReplicas, lastStableOffset, type PartitionState } from './partition-state.ts'
import { produceLimits } from './produce-limits.ts'
import type { EndTransaction } from './transactions.ts'
import { OffsetWaiters, TailWatchers } from './waiters.ts'

const NOTHING: readonly Buffer[] = []

/** What a leader takes over from what this broker was for the partition before, and whom it tells. */
export type LeaderStart = {
  /** As known here; the log start when nothing is. */
  readonly highWatermark?: number
  /** The ISR may have to change; called often, so it must cost nothing when it is not so. */
  readonly onIsrDue?: (leader: Leader) => void
}

export class Leader {
  readonly log: PartitionLog
  readonly topicName: string
  /** Parked fetches that watch this partition. */
  readonly watchers = new TailWatchers()
  /** Those of read_committed consumers: what they wait for is below the last stable offset. */
  readonly stableWatchers = new TailWatchers()
  /** Those of followers: they may read up to the log end. */
  readonly endWatchers = new TailWatchers()
  readonly inSyncReplicas: InSyncReplicas
  readonly #clock: Clock
  readonly #onIsrDue: (leader: Leader) => void
  #config: TopicConfig
  #limits: ProduceLimits
  #highWatermark: number
  /** Bytes between the high watermark and the log end; an over-estimate right after the leader took office. */
  #uncommittedBytes: number
  /** The last stable offset that the watchers know, and the bytes from there to the high watermark. */
  #stableOffset: number
  #unstableBytes = 0
  readonly #commits: OffsetWaiters
  readonly #flushes: OffsetWaiters
  // Most partitions never see a transaction.
  #admissions: Admissions | null = null
  #closedWith: ErrorCode = ErrorCode.NONE

  constructor(
    clock: Clock,
    topicName: string,
    log: PartitionLog,
    state: PartitionState,
    config: TopicConfig,
    { highWatermark = log.logStartOffset, onIsrDue = () => {} }: LeaderStart = {},
  ) {
    this.log = log
    this.topicName = topicName
    this.inSyncReplicas = new InSyncReplicas(state, log.endOffset, clock.monotonic())
    this.#clock = clock
    this.#onIsrDue = onIsrDue
    this.#config = config
    this.#limits = produceLimits(config)
    this.#highWatermark = Math.max(log.logStartOffset, Math.min(highWatermark, log.endOffset))
    this.#stableOffset = this.#highWatermark
    this.#uncommittedBytes = log.sizeBytes
    this.#commits = new OffsetWaiters(clock)
    this.#flushes = new OffsetWaiters(clock)
    log.deletableOffset = this.#highWatermark
    this.advance()
  }

  get leaderEpoch(): number {
    return this.state.leaderEpoch
  }

  get state(): PartitionState {
    return this.inSyncReplicas.view
  }

  get config(): TopicConfig {
    return this.#config
  }

  get isClosed(): boolean {
    return this.#closedWith !== ErrorCode.NONE
  }

  /** Exclusive: what every in-sync replica has flushed, and consumers may read. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** Exclusive: what read_committed consumers may read. */
  get lastStableOffset(): number {
    const { producers, logStartOffset } = this.log
    return lastStableOffset(this.#highWatermark, producers.firstUnstableOffset, logStartOffset)
  }

  /** False while the high watermark may be behind what readers of the previous leader have seen: "latest" has no answer then. */
  get isLatestKnown(): boolean {
    return this.#highWatermark >= this.inSyncReplicas.epochStartOffset
  }

  /** Other replicas, other ISR, other epoch. A higher leader epoch of the same broker begins at the log end (A6). */
  update(state: PartitionState, config: TopicConfig): void {
    const hasNewEpoch = this.inSyncReplicas.update(state, this.log.endOffset, this.#clock.monotonic())
    if (config !== this.#config) {
      this.#config = config
      this.#limits = produceLimits(config)
    }
    // Followers that wait have asked in the former epoch, and must hear that it is over.
    if (hasNewEpoch) this.endWatchers.wakeAll()
    this.advance()
  }

  /** Where the log of a follower, which ends at `end`, parts from this one (A9). */
  matchFollower(end: LogEnd): Match {
    return matchLogEnd(this.log, end)
  }

  /** A follower whose log fits has flushed everything below its fetch offset: may move the high watermark, and the ISR. */
  onFollowerFetch(fetch: FollowerFetch): void {
    const { inSyncReplicas } = this
    inSyncReplicas.onFetch(fetch, this.log.endOffset, this.#clock.monotonic())
    this.advance()
    const { isr, replicas } = inSyncReplicas.view
    if (isr.length < replicas.length) this.#onIsrDue(this)
  }

  /** Transactional batches that wait for the coordinator. */
  get admissions(): Admissions {
    return (this.#admissions ??= new Admissions())
  }

  /** NONE when `currentLeaderEpoch` of a request fits; -1 always does (the client does not know any). */
  checkLeaderEpoch(currentLeaderEpoch: number): ErrorCode {
    if (currentLeaderEpoch === -1 || currentLeaderEpoch === this.state.leaderEpoch) return ErrorCode.NONE
    return currentLeaderEpoch < this.state.leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH
  }

  /** Appends what a client sent for this partition; `records` is patched in place. With requiredAcks -1 only when enough replicas are in sync. */
  append(records: Buffer, requiredAcks: number, nowMs: number): AppendResult {
    if (requiredAcks === -1 && !hasEnoughReplicas(this.state)) return this.#tooFewReplicas()
    const verdict = validateProduce(records, this.#limits, nowMs)
    if (!('batch' in verdict)) {
      return refused(verdict.errorCode, verdict.message, verdict.recordErrors)
    }
    const { batch, header } = verdict
    const producer = this.log.producers.check(header)
    if (producer.kind === 'error') return refused(producer.errorCode, producer.message)
    if (producer.kind === 'duplicate') {
      return this.#duplicate(producer.baseOffset, producer.lastOffset, producer.timestamp)
    }
    return this.#store(batch, header)
  }

  /**
   * Appends one valid batch that this broker made itself: no producer is checked and no size, as a coordinator's records are bounded by
   * the coordinator. It needs enough replicas in sync; `batch` is patched in place.
   */
  appendOwn(batch: Buffer): AppendResult {
    if (!hasEnoughReplicas(this.state)) return this.#tooFewReplicas()
    return this.#store(batch, readHeader(batch, 0))
  }

  /** Whether `appendOwn` would be refused, so that nothing is decided that cannot be kept: NONE, or why. */
  get ownRefusal(): ErrorCode {
    if (this.#closedWith !== ErrorCode.NONE) return this.#closedWith
    if (!hasEnoughReplicas(this.state)) return ErrorCode.NOT_ENOUGH_REPLICAS
    return this.log.takesAppends ? ErrorCode.NONE : ErrorCode.KAFKA_STORAGE_ERROR
  }

  /**
   * Writes the marker that ends a producer's transaction. Refuses what is late: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED; and
   * NOT_ENOUGH_REPLICAS, as a marker counts only when it is replicated. A producer that is not known here gets its marker too.
   */
  appendMarker(end: EndTransaction, nowMs: number): AppendResult {
    const verdict = this.log.producers.checkMarker(end)
    if (verdict.kind === 'error') return refused(verdict.errorCode, verdict.message)
    const { producerId, producerEpoch, coordinatorEpoch } = end
    const result = end.isCommit ? 'commit' : 'abort'
    return this.appendOwn(
      buildEndTransactionMarker({ result, producerId, producerEpoch, coordinatorEpoch, timestamp: nowMs }),
    )
  }

  /** Gives the batch its offsets and the leader epoch, and hands it to the log. */
  #store(batch: Buffer, header: BatchHeader): AppendResult {
    const baseOffset = this.log.endOffset
    const endOffset = baseOffset + (header.lastOffset - header.baseOffset) + 1
    header.lastOffset = endOffset - 1
    header.baseOffset = baseOffset
    header.leaderEpoch = this.state.leaderEpoch
    setBaseOffset(batch, 0, baseOffset)
    setLeaderEpoch(batch, 0, header.leaderEpoch)
    const stored = this.log.append(batch, header)
    if (this.log.endOffset === endOffset) {
      this.#uncommittedBytes += batch.length
      if (this.endWatchers.size > 0) this.endWatchers.advance(batch.length)
      if (header.isControl) this.#admissions?.onMarker(header.producerId)
    }
    return {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      recordErrors: NO_RECORD_ERRORS,
      baseOffset,
      endOffset,
      logAppendTimeMs: appendTime(header),
      stored,
    }
  }

  #tooFewReplicas(): AppendResult {
    const { isr, minInsyncReplicas } = this.state
    const partition = `${this.topicName}-${this.log.partition}`
    return refused(
      ErrorCode.NOT_ENOUGH_REPLICAS,
      `The ISR of partition ${partition} is [${isr.join(', ')}]; min.insync.replicas asks for ${minInsyncReplicas}`,
    )
  }

  /** A batch that is in the log already is a success with its old offset, once the original counts. */
  #duplicate(baseOffset: number, lastOffset: number, timestamp: number): AppendResult {
    const endOffset = lastOffset + 1
    return {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      recordErrors: NO_RECORD_ERRORS,
      baseOffset,
      endOffset,
      logAppendTimeMs: timestamp,
      stored: endOffset <= this.log.flushedOffset ? null : this.#flushes.wait(endOffset, null).then(rejectOnError),
    }
  }

  /** NONE once the high watermark has reached `endOffset`; REQUEST_TIMED_OUT after `timeoutMs` (null: never), or why the leader stopped leading. */
  committed(endOffset: number, timeoutMs: number | null): ErrorCode | Promise<ErrorCode> {
    this.advance()
    if (this.#highWatermark >= endOffset) return ErrorCode.NONE
    if (this.#closedWith !== ErrorCode.NONE) return this.#closedWith
    return this.#commits.wait(endOffset, timeoutMs)
  }

  /**
   * Whole batches from the one that contains `offset` up to `endOffset` (exclusive, at most the log end). Empty for an offset
   * between the two ends; 'offset-out-of-range' below the log start or above the log end.
   */
  read(
    offset: number,
    endOffset: number,
    maxBytes: number,
    minOneBatch: boolean,
  ): LogReadResult | Promise<LogReadResult> {
    if (offset < this.log.logStartOffset || offset > this.log.endOffset) return 'offset-out-of-range'
    if (offset >= endOffset || (maxBytes <= 0 && !minOneBatch)) return NOTHING
    return this.log.read(offset, { maxBytes, endOffset, minOneBatch })
  }

  /**
   * Where `epoch` ends in this log, as Kafka's LeaderEpochFileCache would say after the leader has noted its own epoch at its start:
   * the log itself knows an epoch only once it has a record of it.
   */
  endOffsetForEpoch(epoch: number): EpochEnd {
    const { leaderEpoch } = this.state
    if (epoch === leaderEpoch) return { epoch, endOffset: this.log.endOffset }
    const latest = this.log.leaderEpochs.latest
    if (epoch < 0 || epoch > leaderEpoch || epoch <= latest) {
      return this.log.leaderEpochs.endOffsetFor(epoch, this.log.endOffset)
    }
    return { epoch: latest === -1 ? epoch : latest, endOffset: this.inSyncReplicas.epochStartOffset }
  }

  /** The epoch of the record at `offset`, or of the one that will be there; -1 when it is not known. */
  epochAt(offset: number): number {
    return offset >= this.inSyncReplicas.epochStartOffset
      ? this.state.leaderEpoch
      : this.log.leaderEpochs.epochAt(offset)
  }

  /** Somebody has flushed more: moves the high watermark and wakes those who waited for it. */
  advance(): void {
    const previous = this.#highWatermark
    const next = Math.max(
      this.log.logStartOffset,
      this.inSyncReplicas.nextHighWatermark(previous, this.log.flushedOffset),
    )
    this.#flushes.release(this.log.flushedOffset)
    if (next !== previous) {
      this.#highWatermark = next
      this.log.deletableOffset = next
      this.log.producers.settleBelow(next)
      const gained = this.#bytesBelow(previous, next)
      this.#uncommittedBytes -= gained
      this.#unstableBytes += gained
      this.#commits.release(next)
      if (this.watchers.size > 0) this.watchers.advance(Math.max(1, gained))
    }
    this.#advanceStable()
  }

  /** What was held up by an open transaction may be read now; an estimate unless it reaches up to the high watermark. */
  #advanceStable(): void {
    const next = this.lastStableOffset
    const previous = this.#stableOffset
    if (next <= previous) return
    this.#stableOffset = next
    let gained = this.#unstableBytes
    if (next < this.#highWatermark) {
      gained = Math.floor((gained * (next - previous)) / (this.#highWatermark - previous))
    }
    this.#unstableBytes -= gained
    if (this.stableWatchers.size > 0) this.stableWatchers.advance(Math.max(1, gained))
  }

  /** Exact when `next` is the log end, else in proportion: those who wake by an estimate look again. */
  #bytesBelow(previous: number, next: number): number {
    const records = this.log.endOffset - previous
    if (next - previous >= records) return this.#uncommittedBytes
    return Math.floor((this.#uncommittedBytes * (next - previous)) / records)
  }

  /** This broker does not lead the partition any more, or its disk has failed: everybody who waits gets `errorCode`. */
  close(errorCode: ErrorCode): void {
    this.#closedWith = errorCode
    this.#commits.fail(errorCode)
    this.#flushes.fail(errorCode)
    this.watchers.wakeAll()
    this.stableWatchers.wakeAll()
    this.endWatchers.wakeAll()
  }
}

function appendTime(header: BatchHeader): number {
  return header.timestampType === 'LogAppendTime' ? header.maxTimestamp : -1
}
