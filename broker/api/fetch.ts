// Fetch (1), v4-18. Reads record batches, waiting for them if there are too few.
// - Waits up to maxWaitMs until minBytes are below the high watermark (read_committed: the last stable offset); an error in any partition,
//   or a diverging log, is answered at once. Wakes on the append that makes up the bytes, or on the marker that lets them be read.
// - read_committed (KIP-98) also answers which transactions were aborted, of those that overlap what is returned.
// - maxBytes (at most fetch.max.bytes, and what the connection's share of memory grants) bounds the answer and partitionMaxBytes each
//   partition; only the first batch of the first partition with data may exceed them. Batches are never cut.
// - Sessions (KIP-227, fetch-session.ts): answers to incremental requests hold partitions with records, an error, or a new high watermark
//   or log start offset; a partition that was served goes to the end of the line.
// - Topics by name (v4-12) or id (v13: UNKNOWN_TOPIC_ID). Leader epochs: FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH; with lastFetchedEpoch
//   (v12) the answer says where the logs part. v16 names the right leader (KIP-951). KAFKA_STORAGE_ERROR is NOT_LEADER_OR_FOLLOWER up to v5.
// - Over consumer_byte_rate (consumers only) the answer has no records, and says how long the client is throttled; a session stays as it was (quotas.ts).
// - A follower's fetch (replica id) reads up to the log end and acknowledges everything below its offset (docs/replication.md). It must name
//   the present leader epoch, a replica of the partition, and no earlier life of it (KIP-903): else NOT_LEADER_OR_FOLLOWER. Where its
//   log starts too early it gets OFFSET_OUT_OF_RANGE with the log start offset. A new high watermark alone is told within 10 ms.
// - Gap: there is no preferred read replica (KIP-392), and a broker that follows serves no consumers.
import { ErrorCode } from '../protocol/errors.ts'
import { Fetch, type FetchRequest } from '../protocol/messages/fetch.ts'
import type { ResponseInit } from '../protocol/schema.ts'
import type { Leader } from '../replication/leader.ts'
import { ParkedFetch, type TailWatchers } from '../replication/waiters.ts'
import type { Context } from './context.ts'
import { FetchRead, sizeOf, type FetchedPartition, type FetchReadOptions } from './fetch-read.ts'
import { INVALID_SESSION_ID, type FetchPlan, type FetchTarget } from './fetch-session.ts'
import { handler, type Call } from './handler.ts'
import { LeaderHints } from './leader-hints.ts'

const LAST_VERSION_WITHOUT_STORAGE_ERROR = 5
const FIRST_VERSION_WITH_TOPIC_IDS = 13
const FIRST_VERSION_WITH_HINTS = 16

const READ_COMMITTED = 1
/** A follower learns a high watermark that moved without records that would carry it after at most this long. */
const NEWS_WITHIN_MS = 10
/** Producer id, first offset, and the tag buffer of newer versions. */
const ABORTED_TRANSACTION_BYTES = 17

type Response = ResponseInit<typeof Fetch>
type ResponseTopic = { topic: string; topicId: string; partitions: FetchedPartition[] }

export const fetch = handler(Fetch, (request, context, call) => {
  const plan = context.fetchSessions.plan(request, call.apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS)
  if (plan.kind === 'error') return { errorCode: plan.errorCode, sessionId: INVALID_SESSION_ID, responses: [] }
  return new FetchRun(request, context, call, plan).start()
})

class FetchRun {
  readonly #context: Context
  readonly #call: Call
  readonly #plan: Exclude<FetchPlan, { kind: 'error' }>
  readonly #follower: FetchReadOptions['follower']
  readonly #isReadCommitted: boolean
  readonly #minBytes: number
  readonly #maxBytes: number
  #deadlineMs: number
  #isFirstLook = true
  /** What the connection has granted for this look. */
  #grantedBytes = 0

  constructor(request: FetchRequest, context: Context, call: Call, plan: Exclude<FetchPlan, { kind: 'error' }>) {
    this.#context = context
    this.#call = call
    this.#plan = plan
    const { replicaId, replicaEpoch } = request.replicaState
    const brokerId = Math.max(request.replicaId, replicaId)
    this.#follower = brokerId < 0 ? null : { brokerId, brokerEpoch: replicaEpoch }
    this.#isReadCommitted = request.isolationLevel === READ_COMMITTED
    const quotaBytes = this.#follower !== null ? Number.MAX_SAFE_INTEGER : context.quotas.maxFetchBytes(call)
    const maxBytes = Math.min(request.maxBytes, context.config.fetchMaxBytes, quotaBytes)
    this.#maxBytes = Math.max(0, maxBytes)
    this.#minBytes = Math.min(request.minBytes, this.#maxBytes)
    this.#deadlineMs = context.clock.monotonic() + request.maxWaitMs
  }

  start(): Response | Promise<Response> {
    const read = this.#look()
    if (read instanceof Promise)
      return read.then(found => (this.#isEnough(found) ? this.#answer(found) : this.#wait(found)))
    return this.#isEnough(read) ? this.#answer(read) : this.#wait(read)
  }

  #look(): FetchRead | Promise<FetchRead> {
    this.#grantedBytes = this.#call.reserveResponse(this.#maxBytes)
    const read = new FetchRead(this.#plan.targets, this.#grantedBytes, {
      replicas: this.#context.replicas,
      image: this.#context.image(),
      usesTopicIds: this.#call.apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS,
      isReadCommitted: this.#isReadCommitted,
      follower: this.#follower,
      isFirstLook: this.#isFirstLook,
    })
    this.#isFirstLook = false
    return read.run()
  }

  #isEnough(read: FetchRead): boolean {
    return (
      read.isUrgent ||
      read.sizeBytes >= this.#minBytes ||
      // With less memory than asked for, minBytes may be out of reach: waiting would not bring more.
      (this.#grantedBytes < this.#maxBytes && read.sizeBytes * 2 >= this.#grantedBytes) ||
      this.#plan.targets.length === 0 ||
      this.#context.clock.monotonic() >= this.#deadlineMs ||
      this.#call.signal.aborted
    )
  }

  async #wait(found: FetchRead): Promise<Response> {
    let read = found
    do {
      if (!(await this.#park(read))) break
      read = await this.#look()
    } while (!this.#isEnough(read))
    return this.#answer(read)
  }

  /** Resolves when another look is worth it; false when there is no room to wait and what was found must do. */
  async #park(read: FetchRead): Promise<boolean> {
    const { replicas, clock } = this.#context
    const parked = new ParkedFetch(this.#minBytes - read.sizeBytes, replicas.parkingLimit, NEWS_WITHIN_MS)
    for (let at = 0; at < read.leaders.length; at++) {
      const leader = read.leaders[at]!
      const fetched = read.partitions[at]!
      // A read that waited for the disk may have missed an append, and nobody would wake us for it.
      if (this.#hasMoved(leader, fetched, read, at)) {
        parked.wake()
        return true
      }
      const target = this.#plan.targets[at]!
      const roomBytes = target.maxBytes - sizeOf(fetched)
      if (this.#follower !== null) {
        if (leader.highWatermark !== target.highWatermark) parked.hurry()
        else if (!parked.watchNews(leader.watchers)) return false
      }
      const watchers = this.#watchersOf(leader)
      if (roomBytes > 0 && !parked.watch(watchers, roomBytes)) return false
    }
    this.#call.reserveResponse(0)
    await parked.park(clock, this.#deadlineMs - clock.monotonic(), this.#call.signal)
    if (parked.isHurried) this.#deadlineMs = Math.min(this.#deadlineMs, clock.monotonic())
    return true
  }

  #watchersOf(leader: Leader): TailWatchers {
    if (this.#follower !== null) return leader.endWatchers
    return this.#isReadCommitted ? leader.stableWatchers : leader.watchers
  }

  #hasMoved(leader: Leader, fetched: FetchedPartition, read: FetchRead, at: number): boolean {
    const { highWatermark, lastStableOffset } = fetched
    if (this.#follower !== null) {
      return read.sizeBytes === 0 && leader.log.endOffset > this.#plan.targets[at]!.fetchOffset
    }
    return this.#isReadCommitted ? leader.lastStableOffset !== lastStableOffset : leader.highWatermark !== highWatermark
  }

  #answer(read: FetchRead): Response {
    this.#call.reserveResponse(read.sizeBytes + abortedBytes(read))
    const plan = this.#plan
    if (plan.kind === 'incremental' && !this.#context.fetchSessions.isCurrent(plan)) {
      return { errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId: plan.session.id, responses: [] }
    }
    if (this.#follower === null && !this.#context.quotas.mayFetch(this.#call, read.sizeBytes)) {
      this.#call.reserveResponse(0)
      const sessionId = plan.kind === 'incremental' ? plan.session.id : INVALID_SESSION_ID
      return { errorCode: ErrorCode.NONE, sessionId, responses: [] }
    }
    const hints = new LeaderHints(this.#call.connection.listenerName)
    const responses: ResponseTopic[] = []
    for (let at = 0; at < plan.targets.length; at++) {
      const target = plan.targets[at]!
      const fetched = read.partitions[at]!
      this.#adapt(target, fetched, hints)
      if (plan.kind !== 'incremental' || isNews(target, fetched)) addTo(responses, target, fetched)
      if (plan.kind === 'incremental' && fetched.records.length > 0) plan.session.moveToEnd(target)
      target.highWatermark = fetched.highWatermark
      target.logStartOffset = fetched.logStartOffset
    }
    const { endpoints } = hints
    return {
      errorCode: ErrorCode.NONE,
      sessionId: this.#sessionId(),
      responses,
      nodeEndpoints: endpoints.length === 0 ? undefined : endpoints,
    }
  }

  #sessionId(): number {
    const plan = this.#plan
    if (plan.kind === 'incremental') return plan.session.id
    if (plan.kind === 'sessionless') return INVALID_SESSION_ID
    const usesTopicIds = this.#call.apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS
    return (
      this.#context.fetchSessions.open(plan.targets, usesTopicIds, this.#follower !== null)?.id ?? INVALID_SESSION_ID
    )
  }

  /** What the version of the request makes of an error. */
  #adapt(target: FetchTarget, fetched: FetchedPartition, hints: LeaderHints): void {
    const { apiVersion } = this.#call
    const { errorCode } = fetched
    if (errorCode === ErrorCode.KAFKA_STORAGE_ERROR && apiVersion <= LAST_VERSION_WITHOUT_STORAGE_ERROR) {
      fetched.errorCode = ErrorCode.NOT_LEADER_OR_FOLLOWER
    }
    if (apiVersion < FIRST_VERSION_WITH_HINTS) return
    if (errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH) {
      fetched.currentLeader = hints.add(this.#context.image(), target.topicId, target.partition)
    }
  }
}

/** What the aborted transactions take in the answer. */
function abortedBytes({ partitions }: FetchRead): number {
  let count = 0
  for (const { abortedTransactions } of partitions) count += abortedTransactions?.length ?? 0
  return count * ABORTED_TRANSACTION_BYTES
}

/** Whether an incremental answer must mention the partition. */
function isNews(target: FetchTarget, fetched: FetchedPartition): boolean {
  return (
    fetched.records.length > 0 ||
    fetched.errorCode !== ErrorCode.NONE ||
    fetched.divergingEpoch !== undefined ||
    fetched.highWatermark !== target.highWatermark ||
    fetched.logStartOffset !== target.logStartOffset
  )
}

/** Neighbours of one topic share an entry; the order of the targets stays. */
function addTo(responses: ResponseTopic[], target: FetchTarget, fetched: FetchedPartition): void {
  const last = responses[responses.length - 1]
  if (last !== undefined && last.topic === target.topic && last.topicId === target.topicId)
    last.partitions.push(fetched)
  else responses.push({ topic: target.topic, topicId: target.topicId, partitions: [fetched] })
}
