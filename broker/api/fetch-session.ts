// Fetch sessions (KIP-227): what a client wants to fetch is remembered, so that its next requests name only what changes and the
// answers hold only partitions with news. The cache is bounded in sessions and in partitions; a client without a session sends
// everything each time and works as well. Semantics of Kafka's FetchSession and FetchManager. Not here: reading (fetch.ts).
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Uuid } from '../base/uuid.ts'
import { ErrorCode } from '../protocol/errors.ts'

export const INVALID_SESSION_ID = 0
const INITIAL_EPOCH = 0
const FINAL_EPOCH = -1
const MAX_EPOCH = 2 ** 31 - 1
const UNKNOWN_HIGH_WATERMARK = 2 ** 63

/** A session that was not used for so long may be evicted by anybody; a younger one only by a follower's. */
const EVICTION_MS = 120_000

const DEFAULT_MAX_PARTITIONS = 1_000_000

/** One partition of a fetch request as Kafka's message has it. */
export type FetchPartitionRequest = {
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly lastFetchedEpoch: number
  readonly partitionMaxBytes: number
  /** Of a follower's log. */
  readonly logStartOffset?: number
  /** What a follower knows (KIP-1166); 2^63 - 1, or nothing: it does not say. */
  readonly highWatermark?: number
}

/** A partition that somebody fetches: what was asked, and in a session what was answered last. */
export class FetchTarget {
  readonly topic: string
  /** ZERO_UUID in versions that name topics. */
  readonly topicId: Uuid
  readonly partition: number
  currentLeaderEpoch: number
  fetchOffset: number
  lastFetchedEpoch: number
  maxBytes: number
  followerLogStartOffset: number
  /** As last told to the client; -1 when it was told nothing, or an error. */
  highWatermark = -1
  logStartOffset = -1

  constructor(topic: string, topicId: Uuid, request: FetchPartitionRequest) {
    this.topic = topic
    this.topicId = topicId
    this.partition = request.partition
    this.currentLeaderEpoch = request.currentLeaderEpoch
    this.fetchOffset = request.fetchOffset
    this.lastFetchedEpoch = request.lastFetchedEpoch
    this.maxBytes = request.partitionMaxBytes
    this.followerLogStartOffset = request.logStartOffset ?? -1
    this.#take(request)
  }

  /** A follower that took the place of another may not have heard what that was told. */
  #take({ highWatermark = Infinity }: FetchPartitionRequest): void {
    if (highWatermark < UNKNOWN_HIGH_WATERMARK) this.highWatermark = highWatermark
  }

  update(request: FetchPartitionRequest): void {
    this.currentLeaderEpoch = request.currentLeaderEpoch
    this.fetchOffset = request.fetchOffset
    this.lastFetchedEpoch = request.lastFetchedEpoch
    this.maxBytes = request.partitionMaxBytes
    this.followerLogStartOffset = request.logStartOffset ?? -1
    this.#take(request)
  }
}

/** The parts of a fetch request that sessions are about. */
export type FetchSessionRequest = {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly topics: readonly {
    readonly topic: string
    readonly topicId: Uuid
    readonly partitions: readonly FetchPartitionRequest[]
  }[]
  readonly forgottenTopicsData: readonly {
    readonly topic: string
    readonly topicId: Uuid
    readonly partitions: readonly number[]
  }[]
}

/**
 * How a request is to be answered. `targets` in the order in which they are to be served.
 * - sessionless: everything, nothing is remembered.
 * - full: everything; then `open` a session for it.
 * - incremental: only news, and only if `isCurrent` still holds when the answer is ready.
 * - error: no partition is served.
 */
export type FetchPlan =
  | { readonly kind: 'error'; readonly errorCode: ErrorCode }
  | { readonly kind: 'sessionless'; readonly targets: readonly FetchTarget[] }
  | { readonly kind: 'full'; readonly targets: readonly FetchTarget[] }
  | {
      readonly kind: 'incremental'
      readonly targets: readonly FetchTarget[]
      readonly session: FetchSession
      readonly epoch: number
    }

export class FetchSession {
  readonly id: number
  readonly usesTopicIds: boolean
  readonly isPrivileged: boolean
  readonly createdMs: number
  lastUsedMs: number
  /** The epoch the next request must carry. */
  epoch = nextEpoch(INITIAL_EPOCH)
  /** In the order in which they are served next. */
  readonly #order = new Set<FetchTarget>()
  readonly #byTopic = new Map<string, Map<number, FetchTarget>>()

  constructor(id: number, usesTopicIds: boolean, isPrivileged: boolean, nowMs: number) {
    this.id = id
    this.usesTopicIds = usesTopicIds
    this.isPrivileged = isPrivileged
    this.createdMs = nowMs
    this.lastUsedMs = nowMs
  }

  get size(): number {
    return this.#order.size
  }

  targets(): FetchTarget[] {
    return Array.from(this.#order)
  }

  /** Served with data: whoever got nothing comes first next time, so that one busy partition cannot starve the others. */
  moveToEnd(target: FetchTarget): void {
    if (this.#order.delete(target)) this.#order.add(target)
  }

  add(target: FetchTarget): void {
    const key = this.#key(target.topic, target.topicId)
    let partitions = this.#byTopic.get(key)
    if (partitions === undefined) this.#byTopic.set(key, (partitions = new Map<number, FetchTarget>()))
    const known = partitions.get(target.partition)
    if (known !== undefined) this.#order.delete(known)
    partitions.set(target.partition, target)
    this.#order.add(target)
  }

  /** Takes over what a request names and drops what it forgets. */
  update(request: FetchSessionRequest): void {
    for (const { topic, topicId, partitions } of request.topics) {
      const known = this.#byTopic.get(this.#key(topic, topicId))
      for (const partition of partitions) {
        const target = known?.get(partition.partition)
        if (target === undefined) this.add(new FetchTarget(topic, topicId, partition))
        else target.update(partition)
      }
    }
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      const key = this.#key(topic, topicId)
      const known = this.#byTopic.get(key)
      if (known === undefined) continue
      for (const partition of partitions) this.#forget(known, partition)
      if (known.size === 0) this.#byTopic.delete(key)
    }
  }

  #forget(known: Map<number, FetchTarget>, partition: number): void {
    const target = known.get(partition)
    if (target === undefined) return
    known.delete(partition)
    this.#order.delete(target)
  }

  #key(topic: string, topicId: Uuid): string {
    return this.usesTopicIds ? topicId : topic
  }
}

export type FetchSessionsOptions = {
  readonly clock: Clock
  readonly random: Random
  /** `max.incremental.fetch.session.cache.slots`; 0 = no sessions. */
  readonly maxSessions: number
  /** Partitions of all sessions together: each takes about 150 bytes. */
  readonly maxPartitions?: number
}

/** The sessions of this broker. */
export class FetchSessions {
  readonly #clock: Clock
  readonly #random: Random
  readonly #maxSessions: number
  readonly #maxPartitions: number
  /** Least recently used first. */
  readonly #sessions = new Map<number, FetchSession>()
  #partitions = 0
  #evictions = 0

  constructor(options: FetchSessionsOptions) {
    this.#clock = options.clock
    this.#random = options.random
    this.#maxSessions = options.maxSessions
    this.#maxPartitions = options.maxPartitions ?? DEFAULT_MAX_PARTITIONS
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Partitions of all sessions together. */
  get partitions(): number {
    return this.#partitions
  }

  /** Sessions that had to make room since the start. */
  get evictions(): number {
    return this.#evictions
  }

  /** What a request asks for, with what its session remembers. `usesTopicIds`: version 13 or later. */
  plan(request: FetchSessionRequest, usesTopicIds: boolean): FetchPlan {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
      if (sessionId !== INVALID_SESSION_ID) this.#remove(this.#sessions.get(sessionId))
      return { kind: sessionEpoch === INITIAL_EPOCH ? 'full' : 'sessionless', targets: targetsOf(request) }
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) return { kind: 'error', errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND }
    if (session.epoch !== sessionEpoch) return { kind: 'error', errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH }
    if (session.usesTopicIds !== usesTopicIds) {
      return { kind: 'error', errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR }
    }
    return this.#continue(session, request)
  }

  #continue(session: FetchSession, request: FetchSessionRequest): FetchPlan {
    const before = session.size
    session.update(request)
    this.#partitions += session.size - before
    const targets = session.targets()
    // A client that gets session id 0 knows that its session is closed, and names everything next time.
    if (session.size === 0 || this.#partitions > this.#maxPartitions) {
      this.#remove(session)
      return { kind: 'sessionless', targets }
    }
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
    session.lastUsedMs = this.#clock.monotonic()
    session.epoch = nextEpoch(session.epoch)
    return { kind: 'incremental', targets, session, epoch: session.epoch }
  }

  /** Whether the answer to an incremental request may still be given: no later request has moved the session on. */
  isCurrent(plan: FetchPlan & { kind: 'incremental' }): boolean {
    return plan.session.epoch === plan.epoch
  }

  /**
   * Opens a session for the targets of a full request, null when there is no room for it: the answer then carries session id 0.
   * The targets must hold what the answer says of them. `isPrivileged`: a follower's.
   */
  open(targets: readonly FetchTarget[], usesTopicIds: boolean, isPrivileged: boolean): FetchSession | null {
    const nowMs = this.#clock.monotonic()
    if (this.#partitions + targets.length > this.#maxPartitions) return null
    if (this.#sessions.size >= this.#maxSessions && !this.#evict(isPrivileged, targets.length, nowMs)) return null
    const session = new FetchSession(this.#freshId(), usesTopicIds, isPrivileged, nowMs)
    for (const target of targets) session.add(target)
    this.#sessions.set(session.id, session)
    this.#partitions += session.size
    return session
  }

  /**
   * Makes room for one session: of one that nobody has used for two minutes, else of the least valuable one that is less
   * valuable than the newcomer (a consumer's before a follower's, then the smaller one). One that is younger than two minutes
   * is safe from consumers, so that many of them do not throw each other out in turn.
   */
  #evict(isPrivileged: boolean, size: number, nowMs: number): boolean {
    const oldest = this.#sessions.values().next().value
    if (oldest === undefined) return false
    let victim: FetchSession | null = nowMs - oldest.lastUsedMs > EVICTION_MS ? oldest : null
    if (victim === null) {
      for (const session of this.#sessions.values()) {
        const isProtected = nowMs - session.createdMs <= EVICTION_MS && !(isPrivileged && !session.isPrivileged)
        if (!isProtected && (victim === null || isLessValuable(session, victim.isPrivileged, victim.size))) {
          victim = session
        }
      }
      if (victim === null || !isLessValuable(victim, isPrivileged, size)) return false
    }
    this.#remove(victim)
    this.#evictions++
    return true
  }

  #remove(session: FetchSession | undefined): void {
    if (session === undefined) return
    this.#sessions.delete(session.id)
    this.#partitions -= session.size
  }

  #freshId(): number {
    for (;;) {
      const id = 1 + Math.floor(this.#random.next() * (MAX_EPOCH - 1))
      if (!this.#sessions.has(id)) return id
    }
  }
}

function isLessValuable(session: FetchSession, isPrivileged: boolean, size: number): boolean {
  if (session.isPrivileged !== isPrivileged) return isPrivileged
  return session.size < size
}

function nextEpoch(epoch: number): number {
  return epoch === MAX_EPOCH ? 1 : epoch + 1
}

function targetsOf(request: FetchSessionRequest): readonly FetchTarget[] {
  const targets: FetchTarget[] = []
  for (const { topic, topicId, partitions } of request.topics) {
    for (const partition of partitions) targets.push(new FetchTarget(topic, topicId, partition))
  }
  return targets
}
