// What the leader of one partition knows of its replicas in the leader epoch that it leads: what each has acknowledged, who is in sync, and
// what it has asked the controller to change about that. A state machine without I/O; time is an argument. Rules B1, B2 and B4 of the
// replication protocol (docs/replication.md), with the traps that they avoid. Not here: asking (isr-changes.ts) and reading (leader.ts).
import {
  acknowledge,
  acknowledgedOffset,
  isCaughtUp,
  openAdditions,
  type Acknowledgements,
  type Addition,
  type Member,
} from '../machine/log-matching.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { nextHighWatermark, type PartitionState } from './partition-state.ts'

/** A follower's fetch that fits the leader's log. */
export type FollowerFetch = {
  readonly brokerId: number
  readonly brokerEpoch: number
  /** Everything below it is flushed at the follower: the fetch is the acknowledgement (A8). */
  readonly fetchOffset: number
  readonly logStartOffset: number
}

/** A member as AlterPartition names it. */
export type IsrMember = { readonly brokerId: number; readonly brokerEpoch: number }

/** What a leader wants the ISR to be, and the epochs under which it asks. */
export type IsrProposal = {
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly isr: readonly IsrMember[]
}

/** What the leader's log and the cluster look like at the moment. */
export type Surroundings = {
  readonly nowMs: number
  readonly highWatermark: number
  readonly logEndOffset: number
  /** `replica.lag.time.max.ms`. */
  readonly maxLagMs: number
  /** Whether the metadata knows this life of the broker, and it may lead (KIP-841, KIP-903). */
  readonly mayJoin: (brokerId: number, brokerEpoch: number) => boolean
}

/** When a follower was last as far as the leader, in monotonic milliseconds; counted as Kafka's Replica does. */
type Progress = {
  lastCaughtUpMs: number
  lastFetchMs: number
  /** The leader's log end at that fetch. */
  lastLeaderEndOffset: number
  logStartOffset: number
}

const NO_EPOCH = -1

export class InSyncReplicas {
  #view: PartitionState
  #epochStartOffset: number
  readonly #acknowledged: Acknowledgements<number> = new Map()
  readonly #progress = new Map<number, Progress>()
  #additions: readonly Addition<number>[] = []
  /** AlterPartition requests that were ever sent under this partition epoch. */
  #attempts = 0
  /** A refusal left it open what became of an addition: the ISR has to be written once more as it is. */
  #mustRewrite = false
  /** The ISR of the view and the additions: everybody whose acknowledgement the high watermark waits for. */
  #counted: readonly Member<number>[] = []

  /** Begins a leader epoch: nobody has acknowledged anything in it (A6, trap F1). `epochStartOffset` is the log end. */
  constructor(view: PartitionState, epochStartOffset: number, nowMs: number) {
    this.#view = view
    this.#epochStartOffset = epochStartOffset
    this.#begin(nowMs)
  }

  get view(): PartitionState {
    return this.#view
  }

  get epochStartOffset(): number {
    return this.#epochStartOffset
  }

  /** Members that were asked for and of which it is not known yet whether they are in the ISR. */
  get additions(): readonly Addition<number>[] {
    return this.#additions
  }

  #begin(nowMs: number): void {
    this.#acknowledged.clear()
    this.#progress.clear()
    this.#additions = []
    this.#attempts = 0
    this.#mustRewrite = false
    // In sync when its leader took office: it has the usual time to show it.
    for (const id of this.#view.isr) this.#progressOf(id).lastCaughtUpMs = nowMs
    this.#count()
  }

  /**
   * What the metadata or the answer of the controller says. The version of a view is its partition epoch, and views only move forward
   * (trap F5): of an older one only the configuration is taken. Returns whether a leader epoch has begun; it does at `logEndOffset`.
   */
  update(view: PartitionState, logEndOffset: number, nowMs: number): boolean {
    const before = this.#view
    if (view.partitionEpoch <= before.partitionEpoch) {
      this.#view = { ...before, minInsyncReplicas: view.minInsyncReplicas }
      return false
    }
    this.#view = view
    if (view.leaderEpoch !== before.leaderEpoch) {
      this.#epochStartOffset = logEndOffset
      this.#begin(nowMs)
      return true
    }
    // A record of a higher version was read: attempts under the former one cannot succeed any more (B4).
    this.#additions = openAdditions(this.#additions, view.partitionEpoch)
    this.#attempts = 0
    this.#mustRewrite = false
    for (const id of view.isr) {
      if (before.isr.includes(id)) continue
      const progress = this.#progressOf(id)
      progress.lastCaughtUpMs = Math.max(progress.lastCaughtUpMs, nowMs)
    }
    this.#count()
    return false
  }

  /** NONE, or why a fetch of this broker does not count: it is no replica, or an earlier life of one (B1). */
  checkFollower(brokerId: number, brokerEpoch: number): ErrorCode {
    const { replicas, brokerId: ownId } = this.#view
    if (brokerId === ownId || !replicas.includes(brokerId)) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    const known = this.#acknowledged.get(brokerId)?.tag ?? 0
    return brokerEpoch < known ? ErrorCode.NOT_LEADER_OR_FOLLOWER : ErrorCode.NONE
  }

  /** A follower whose log fits, and whom `checkFollower` has passed, has flushed everything below its fetch offset. */
  onFetch(fetch: FollowerFetch, logEndOffset: number, nowMs: number): void {
    const { brokerId, brokerEpoch, fetchOffset, logStartOffset } = fetch
    acknowledge(this.#acknowledged, brokerId, brokerEpoch, fetchOffset)
    const progress = this.#progressOf(brokerId)
    if (fetchOffset >= logEndOffset) progress.lastCaughtUpMs = nowMs
    // It has all there was at its last fetch: a follower under load is never at the end, and still keeps up.
    else if (progress.lastFetchMs >= 0 && fetchOffset >= progress.lastLeaderEndOffset) {
      progress.lastCaughtUpMs = Math.max(progress.lastCaughtUpMs, progress.lastFetchMs)
    }
    progress.lastFetchMs = nowMs
    progress.lastLeaderEndOffset = logEndOffset
    progress.logStartOffset = logStartOffset
  }

  /** B2: over the ISR of the view and the additions, in the broker epoch in which each was asked for. */
  nextHighWatermark(current: number, flushedOffset: number): number {
    return nextHighWatermark(this.#view, current, flushedOffset, this.#counted, this.#acknowledged)
  }

  /** Exclusive: what the follower has flushed in this leader epoch, as far as is known; 0 before it was heard of. */
  acknowledgedOffset(brokerId: number): number {
    return acknowledgedOffset(this.#acknowledged, { id: brokerId, tag: null })
  }

  /** The smallest log start over the replicas that have fetched, and the leader's own. */
  lowestLogStartOffset(own: number): number {
    let lowest = own
    for (const { logStartOffset } of this.#progress.values()) {
      if (logStartOffset >= 0) lowest = Math.min(lowest, logStartOffset)
    }
    return lowest
  }

  /**
   * What to ask the controller for, null when all is well: the view without those that lag, with those that have caught up. While an
   * earlier attempt is open it is asked for again, if need be unchanged, as only an accepted request ends it (trap F2).
   */
  propose(around: Surroundings): IsrProposal | null {
    const { isr, replicas, brokerId } = this.#view
    if (this.#mustRewrite) return this.#proposalOf(isr)
    const stays = isr.filter(id => id === brokerId || !this.#lags(id, around))
    const joins = replicas.filter(id => !isr.includes(id) && this.#mayJoin(id, around))
    if (stays.length < isr.length || joins.length > 0) return this.#proposalOf([...stays, ...joins])
    return this.#additions.length > 0 ? this.#proposalOf(isr) : null
  }

  /** Before `proposal` is sent: who is added counts from here on. False when it is out of date and must not be sent. */
  attempt(proposal: IsrProposal): boolean {
    const { partitionEpoch, isr } = this.#view
    if (proposal.partitionEpoch !== partitionEpoch) return false
    this.#attempts++
    const added = proposal.isr.filter(member => !isr.includes(member.brokerId))
    const additions = added.map(({ brokerId: id, brokerEpoch: tag }) => ({ id, tag, version: partitionEpoch }))
    this.#additions = [...this.#additions, ...additions.filter(one => !this.#isCounted(one))]
    this.#count()
    return true
  }

  /**
   * The controller refused `proposal`. An addition is over by that only if this was the only attempt ever sent under this partition
   * epoch (B4, trap F9): else an earlier one may still arrive and succeed, so they keep counting and the ISR is written once more.
   */
  onRefusal(proposal: IsrProposal, errorCode: ErrorCode): void {
    if (proposal.partitionEpoch !== this.#view.partitionEpoch || errorCode !== ErrorCode.INELIGIBLE_REPLICA) return
    if (this.#attempts > 1) this.#mustRewrite = this.#additions.length > 0
    else this.#additions = []
    this.#count()
  }

  #lags(brokerId: number, { nowMs, maxLagMs, logEndOffset }: Surroundings): boolean {
    if (this.acknowledgedOffset(brokerId) >= logEndOffset) return false
    return nowMs - this.#progressOf(brokerId).lastCaughtUpMs > maxLagMs
  }

  /** A12, B4 and trap F3: caught up to the high watermark and to the start of the epoch, and alive in the life that acknowledged that. */
  #mayJoin(brokerId: number, { highWatermark, mayJoin }: Surroundings): boolean {
    const acknowledged = this.#acknowledged.get(brokerId)
    if (acknowledged === undefined || !isCaughtUp(acknowledged.offset, highWatermark, this.#epochStartOffset)) {
      return false
    }
    return mayJoin(brokerId, acknowledged.tag)
  }

  #proposalOf(ids: readonly number[]): IsrProposal {
    const { leaderEpoch, partitionEpoch } = this.#view
    const isr = ids.map(brokerId => ({ brokerId, brokerEpoch: this.#acknowledged.get(brokerId)?.tag ?? NO_EPOCH }))
    return { leaderEpoch, partitionEpoch, isr }
  }

  #isCounted({ id, tag }: Addition<number>): boolean {
    return this.#additions.some(known => known.id === id && known.tag === tag)
  }

  #count(): void {
    this.#counted = [...this.#view.isr.map(id => ({ id, tag: null })), ...this.#additions]
  }

  #progressOf(brokerId: number): Progress {
    let progress = this.#progress.get(brokerId)
    if (progress === undefined) {
      progress = { lastCaughtUpMs: -Infinity, lastFetchMs: -1, lastLeaderEndOffset: 0, logStartOffset: -1 }
      this.#progress.set(brokerId, progress)
    }
    return progress
  }
}
