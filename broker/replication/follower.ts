// The follower's side of one partition: what its next fetch says, and what an answer does to its log. Rules A8 and A10 with the leader
// epoch (B1): a fetch goes out only when everything before its offset is stored, as it acknowledges that; an answer is applied only while it
// belongs to the fetch that is waited for and the log still ends where it did (trap F6). Not here: connections and sessions (fetcher.ts).
import type { Logger } from '../base/log.ts'
import {
  cutOffset,
  endOfLog,
  isSameEnd,
  mayApply,
  type EndOfEpoch,
  type OutstandingFetch,
} from '../machine/log-matching.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import {
  baseOffset,
  HEADER_SIZE,
  isCrcValid,
  MAGIC,
  magic,
  readHeader,
  sizeOf,
  type BatchHeader,
} from '../records/batch.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { StorageError } from '../storage/storage-error.ts'

/** What the leader answered about the partition. */
export type FollowerAnswer = {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  /** Epoch -1: the log fits. */
  readonly divergingEpoch: EndOfEpoch
  readonly records: Buffer | null
}

/**
 * - ok: it may fetch again, at once.
 * - later: something went wrong that time, or the metadata, may mend.
 * - void: the answer belongs to nothing that is waited for.
 */
export type Applied = 'ok' | 'later' | 'void'

const NO_EPOCH = -1

export class Follower {
  readonly log: PartitionLog
  readonly topicName: string
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly #logger: Logger
  #highWatermark: number
  #leaderEndOffset = -1
  #fetches = 0
  #outstanding: OutstandingFetch | null = null
  /** Ends when nothing of this follower is on its way to the disk any more. */
  #busy: Promise<unknown> = Promise.resolve()
  #isReady = false
  #isClosed = false
  #isDeleting = false

  constructor(
    logger: Logger,
    log: PartitionLog,
    leader: { readonly leaderId: number; readonly leaderEpoch: number },
    highWatermark: number,
  ) {
    this.log = log
    this.topicName = log.topicName
    this.leaderId = leader.leaderId
    this.leaderEpoch = leader.leaderEpoch
    this.#logger = logger
    this.#highWatermark = Math.max(log.logStartOffset, Math.min(highWatermark, log.endOffset))
    log.deletableOffset = this.#highWatermark
  }

  /** Exclusive: what is committed, as far as is known here. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** Records that the leader has and this log has not, -1 before anything was heard. */
  get lagRecords(): number {
    return this.#leaderEndOffset < 0 ? -1 : Math.max(0, this.#leaderEndOffset - this.log.endOffset)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** What was recovered after a restart, or appended as a leader, is flushed before it counts (A8). Rejects with StorageError. */
  async start(): Promise<void> {
    const flushed = this.log.flush()
    this.#busy = flushed.catch(() => {})
    await flushed
    this.#isReady = true
  }

  /** The fetch that says how far the log is, and acknowledges that; null while it is not all stored. */
  nextFetch(): OutstandingFetch | null {
    if (!this.#isReady || this.#isClosed || this.log.isOffline) return null
    const end = endOfLog(this.log)
    const waiting = this.#outstanding
    if (waiting !== null && isSameEnd(waiting.end, end)) return waiting
    this.#outstanding = { number: ++this.#fetches, leaderEpoch: this.leaderEpoch, end }
    return this.#outstanding
  }

  /** Nobody will answer the fetch that was waited for. */
  forget(): void {
    this.#outstanding = null
  }

  /** Resolves when the log has what the answer brought, stored under the flush policy. Never rejects for the disk: that is 'later'. */
  async apply(answered: OutstandingFetch, answer: FollowerAnswer): Promise<Applied> {
    if (this.#isClosed || !mayApply(answered, this.#outstanding, this.leaderEpoch, endOfLog(this.log))) return 'void'
    this.#outstanding = null
    this.#isReady = false
    const applying = this.#apply(answer)
    this.#busy = applying.catch(() => {})
    try {
      return await applying
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      this.#logger.warn({ partition: this.#name, err: error }, 'a follower cannot store what its leader sent')
      return 'later'
    } finally {
      this.#isReady = true
    }
  }

  /** Resolves when the log is not being changed on behalf of this follower any more; nothing begins after that. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#outstanding = null
    await this.#busy
  }

  get #name(): string {
    return `${this.topicName}-${this.log.partition}`
  }

  #apply(answer: FollowerAnswer): Promise<Applied> {
    const { errorCode, divergingEpoch } = answer
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && answer.logStartOffset >= 0) {
      return this.#restartAt(answer.logStartOffset)
    }
    if (errorCode !== ErrorCode.NONE) {
      const fields = { partition: this.#name, leader: this.leaderId, error: errorName(errorCode as ErrorCode) }
      this.#logger.debug(fields, 'the leader does not serve a follower')
      return Promise.resolve('later')
    }
    if (divergingEpoch.epoch !== NO_EPOCH || divergingEpoch.endOffset !== NO_EPOCH) return this.#cut(divergingEpoch)
    return this.#append(answer)
  }

  /** A10: what the leader does not have goes, and with it what transactions did there; the high watermark is learnt from the next answer. */
  async #cut(diverging: EndOfEpoch): Promise<Applied> {
    const endOffset = Math.max(0, cutOffset(this.log, diverging))
    const fields = { partition: this.#name, from: this.log.endOffset, to: endOffset, epoch: diverging.epoch }
    this.#logger.info(fields, 'cutting what the leader of a later epoch does not have')
    this.#lowerTo(endOffset)
    await this.log.truncate(endOffset)
    return 'ok'
  }

  /** The leader's log begins behind the end of this one: there is nothing here that it could go on from. */
  async #restartAt(offset: number): Promise<Applied> {
    this.#logger.info({ partition: this.#name, offset }, 'starting anew where the log of the leader starts')
    this.#lowerTo(offset)
    await this.log.truncateFullyAndStartAt(offset)
    this.#moveTo(offset)
    return 'ok'
  }

  async #append({ records, highWatermark, logStartOffset }: FollowerAnswer): Promise<Applied> {
    let result: Applied = 'ok'
    let stored: Promise<void> | null = null
    for (let at = 0; records !== null && at + HEADER_SIZE <= records.length;) {
      const size = sizeOf(records, at)
      const batch = records.subarray(at, at + size)
      const problem = this.#problemOf(batch, size)
      if (problem !== null) {
        const fields = { partition: this.#name, leader: this.leaderId, offset: this.log.endOffset, problem }
        this.#logger.error(fields, 'the leader sent a batch that is not taken')
        result = 'later'
        break
      }
      if (baseOffset(batch, 0) < this.log.endOffset) await this.log.truncateFullyAndStartAt(baseOffset(batch, 0))
      const header: BatchHeader = readHeader(batch, 0)
      stored = this.log.append(batch, header)
      // Refused at once: what comes next would leave a hole.
      if (this.log.endOffset !== header.lastOffset + 1) break
      at += size
    }
    this.#leaderEndOffset = Math.max(highWatermark, this.log.endOffset)
    this.#moveTo(highWatermark)
    this.#followLogStart(logStartOffset)
    await stored
    return result
  }

  /**
   * Null when the batch may be appended. Its records were validated by the leader and are not looked at, but its checksum is: one rotten
   * byte on the leader's disk would else spread to every copy, and the checksum costs a fraction of the write.
   */
  #problemOf(batch: Buffer, size: number): string | null {
    if (size < HEADER_SIZE || batch.length < size) return `${batch.length} bytes of a batch of ${size}`
    if (magic(batch, 0) !== MAGIC) return `magic ${magic(batch, 0)}`
    if (!isCrcValid(batch)) return 'its checksum is wrong'
    const header = readHeader(batch, 0)
    const { logStartOffset, endOffset, leaderEpochs } = this.log
    // An empty log may begin inside a batch, where records before were deleted.
    const isEmpty = logStartOffset === endOffset
    if (header.baseOffset < endOffset && !(isEmpty && header.lastOffset >= endOffset)) {
      return `offset ${header.baseOffset} where ${endOffset} is next`
    }
    if (header.leaderEpoch > this.leaderEpoch || header.leaderEpoch < leaderEpochs.latest) {
      return `epoch ${header.leaderEpoch} after ${leaderEpochs.latest} from the leader of ${this.leaderEpoch}`
    }
    return null
  }

  /** A10: the leader's high watermark, as far as this log goes. */
  #moveTo(highWatermark: number): void {
    const next = Math.min(highWatermark, this.log.endOffset)
    if (next <= this.#highWatermark) return
    this.#highWatermark = next
    this.log.deletableOffset = next
    this.log.producers.settleBelow(next)
  }

  /** Only an unclean election takes back what was committed. */
  #lowerTo(endOffset: number): void {
    if (endOffset >= this.#highWatermark) return
    const fields = { partition: this.#name, highWatermark: this.#highWatermark, endOffset }
    this.#logger.error(fields, 'records that were committed are cut: the leader does not have them')
    this.#highWatermark = endOffset
    this.log.deletableOffset = endOffset
  }

  /** What the leader has deleted goes here too, as far as it is known to be committed. Nobody waits for it. */
  #followLogStart(leaderLogStartOffset: number): void {
    const target = Math.min(leaderLogStartOffset, this.#highWatermark)
    if (target <= this.log.logStartOffset || this.#isDeleting) return
    this.#isDeleting = true
    this.log
      .deleteRecordsBefore(target)
      .catch((error: unknown) => {
        if (!(error instanceof StorageError)) throw error
      })
      .finally(() => {
        this.#isDeleting = false
      })
  }
}
