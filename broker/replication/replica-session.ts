// The follower's side of a fetch session (KIP-227): which partitions the leader knows of and what it was told of each, so that the next
// request names only what has changed. Pure. Not here: the leader's side (api/fetch-session.ts).
import type { Uuid } from '../base/uuid.ts'
import { isSameEnd, type OutstandingFetch } from '../machine/log-matching.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { Fetch } from '../protocol/messages/fetch.ts'
import type { RequestInit } from '../protocol/schema.ts'
import type { Follower } from './follower.ts'

const NO_SESSION = 0
const INITIAL_EPOCH = 0
const MAX_EPOCH = 2 ** 31 - 1

type Sent = { readonly fetch: OutstandingFetch; readonly logStartOffset: number }

/** The parts of a Fetch request that sessions are about. */
export type SessionRequest = Pick<
  RequestInit<typeof Fetch>,
  'sessionId' | 'sessionEpoch' | 'topics' | 'forgottenTopicsData'
>

type RequestTopics = {
  topicId: Uuid
  partitions: RequestInit<typeof Fetch>['topics'][number]['partitions'][number][]
}[]

export class ReplicaSession {
  #id = NO_SESSION
  #epoch = INITIAL_EPOCH
  readonly #sent = new Map<Follower, Sent>()

  /** What the leader was told of a partition in the last request, named there or not; undefined when it does not know it. */
  fetchOf(follower: Follower): OutstandingFetch | undefined {
    return this.#sent.get(follower)?.fetch
  }

  /** The next request, which is about exactly `wanted`. */
  next(wanted: ReadonlyMap<Follower, OutstandingFetch>, partitionMaxBytes: number): SessionRequest {
    const isFull = this.#epoch === INITIAL_EPOCH
    if (isFull) this.#sent.clear()
    const topics: RequestTopics = []
    for (const [follower, fetch] of wanted) {
      const { log } = follower
      const known = this.#sent.get(follower)
      this.#sent.set(follower, { fetch, logStartOffset: log.logStartOffset })
      if (known !== undefined && isSame(known, fetch, log.logStartOffset)) continue
      add(topics, log.topicId, {
        partition: log.partition,
        currentLeaderEpoch: fetch.leaderEpoch,
        fetchOffset: fetch.end.offset,
        lastFetchedEpoch: fetch.end.epoch,
        logStartOffset: log.logStartOffset,
        partitionMaxBytes,
        highWatermark: follower.highWatermark,
      })
    }
    return { sessionId: this.#id, sessionEpoch: this.#epoch, topics, forgottenTopicsData: this.#forget(wanted) }
  }

  #forget(wanted: ReadonlyMap<Follower, OutstandingFetch>): SessionRequest['forgottenTopicsData'] {
    const forgotten: { topicId: Uuid; partitions: number[] }[] = []
    const named = new Set<string>()
    for (const { log } of wanted.keys()) named.add(`${log.partition} ${log.topicId}`)
    for (const follower of this.#sent.keys()) {
      if (wanted.has(follower)) continue
      this.#sent.delete(follower)
      const { topicId, partition } = follower.log
      // The same partition under another leader epoch is named by its successor.
      if (named.has(`${partition} ${topicId}`)) continue
      const last = forgotten.at(-1)
      if (last?.topicId === topicId) last.partitions.push(partition)
      else forgotten.push({ topicId, partitions: [partition] })
    }
    return forgotten
  }

  /** Whether the answer is about partitions; if not, the next request names everything again. */
  onResponse(errorCode: ErrorCode, sessionId: number): boolean {
    if (errorCode !== ErrorCode.NONE) {
      this.reset()
      // The leader may still have a session of that id: it is closed with the next full request.
      if (errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND) this.#id = NO_SESSION
      return false
    }
    if (sessionId === NO_SESSION) this.reset()
    else this.#epoch = this.#epoch === MAX_EPOCH ? 1 : this.#epoch + 1
    this.#id = sessionId
    return true
  }

  /** The connection is gone: the next request names everything. */
  reset(): void {
    this.#epoch = INITIAL_EPOCH
  }
}

function isSame({ fetch, logStartOffset }: Sent, next: OutstandingFetch, nextLogStartOffset: number): boolean {
  return (
    fetch.leaderEpoch === next.leaderEpoch && isSameEnd(fetch.end, next.end) && logStartOffset === nextLogStartOffset
  )
}

function add(topics: RequestTopics, topicId: Uuid, partition: RequestTopics[number]['partitions'][number]): void {
  const last = topics.at(-1)
  if (last?.topicId === topicId) last.partitions.push(partition)
  else topics.push({ topicId, partitions: [partition] })
}
