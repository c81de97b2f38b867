// Fetches from one leader broker for all partitions that it leads and this broker follows: one connection, one session, one request at a
// time. An answer is given to all its partitions in one turn, so that one group commit stores them; when it has, the next request says how
// far each log is, which acknowledges it. Not here: what an answer does to a log (follower.ts).
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Uuid } from '../base/uuid.ts'
import { Backoff } from '../client/backoff.ts'
import { ConnectionLost } from '../client/connection.ts'
import type { Peer } from '../client/peers.ts'
import type { OutstandingFetch } from '../machine/log-matching.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import { Fetch, type FetchResponse } from '../protocol/messages/fetch.ts'
import type { Applied, Follower } from './follower.ts'
import { ReplicaSession } from './replica-session.ts'

export type FetcherLimits = {
  /** `replica.fetch.wait.max.ms` */
  readonly maxWaitMs: number
  /** `replica.fetch.min.bytes` */
  readonly minBytes: number
  /** `replica.fetch.response.max.bytes` */
  readonly maxBytes: number
  /** `replica.fetch.max.bytes` */
  readonly partitionMaxBytes: number
  /** `replica.fetch.backoff.ms`: the longest pause after something failed; the first is much shorter. */
  readonly backoffMs: number
  /** `replica.socket.timeout.ms`, on top of the time that a fetch may wait. */
  readonly timeoutMs: number
}

export type FetcherOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly brokerId: number
  /** Of this broker's present life (KIP-903); null while it has none. */
  readonly brokerEpoch: () => number | null
  readonly limits: FetcherLimits
}

const FETCH_VERSION = 18
const FIRST_BACKOFF_MS = 20
/** A partition that joins while a fetch waits at the leader waits no longer than this: then the fetch is given up for another. */
const PATIENCE_MS = 10

type Paused = { readonly backoff: Backoff; untilMs: number }

export class Fetcher {
  readonly #peer: Peer
  readonly #options: FetcherOptions
  readonly #followers = new Map<Uuid, Map<number, Follower>>()
  readonly #paused = new Map<Follower, Paused>()
  readonly #session = new ReplicaSession()
  readonly #backoff: Backoff
  #size = 0
  #round = 0
  /** The number of the round whose fetch is at the leader, 0: none is. */
  #atLeader = 0
  #patience: Timer | null = null
  #wake: (() => void) | null = null
  #isClosed = false
  #isRunning = false

  constructor(peer: Peer, options: FetcherOptions) {
    this.#peer = peer
    this.#options = options
    this.#backoff = this.#newBackoff()
  }

  get size(): number {
    return this.#size
  }

  /** Fetches for it from here on, in place of who followed this partition before. */
  add(follower: Follower): void {
    const { topicId, partition } = follower.log
    let partitions = this.#followers.get(topicId)
    if (partitions === undefined) this.#followers.set(topicId, (partitions = new Map()))
    if (!partitions.has(partition)) this.#size++
    partitions.set(partition, follower)
    this.#hurry()
    if (!this.#isRunning) void this.#run()
  }

  remove(follower: Follower): void {
    const { topicId, partition } = follower.log
    const partitions = this.#followers.get(topicId)
    this.#paused.delete(follower)
    if (partitions?.get(partition) !== follower) return
    partitions.delete(partition)
    this.#size--
    if (partitions.size === 0) this.#followers.delete(topicId)
  }

  close(): void {
    this.#isClosed = true
    this.#patience?.cancel()
    this.#peer.close()
    this.#wake?.()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (!this.#isClosed && this.#size > 0) {
      const wanted = this.#wanted()
      const { brokerEpoch } = this.#options
      const epoch = brokerEpoch()
      const pauseMs = wanted.size === 0 || epoch === null ? this.#pauseMs() : await this.#fetch(wanted, epoch)
      if (pauseMs > 0) await this.#sleep(pauseMs)
    }
    this.#isRunning = false
  }

  /** One round. Resolves with how long to pause after it. */
  async #fetch(wanted: ReadonlyMap<Follower, OutstandingFetch>, brokerEpoch: number): Promise<number> {
    const { limits, brokerId, log } = this.#options
    const maxWaitMs = this.#maxWaitMs()
    const round = ++this.#round
    this.#atLeader = round
    try {
      const response = await this.#peer.request(
        Fetch,
        FETCH_VERSION,
        {
          replicaState: { replicaId: brokerId, replicaEpoch: brokerEpoch },
          maxWaitMs,
          minBytes: limits.minBytes,
          maxBytes: limits.maxBytes,
          rackId: '',
          ...this.#session.next(wanted, limits.partitionMaxBytes),
        },
        maxWaitMs + limits.timeoutMs,
      )
      this.#atLeader = 0
      const errorCode = response.errorCode as ErrorCode
      if (!this.#session.onResponse(errorCode, response.sessionId)) {
        log.debug({ leader: this.#peer.brokerId, error: errorName(errorCode) }, 'the fetch session begins anew')
        this.#forgetAll()
        return errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND ? 0 : this.#backoff.next()
      }
      this.#backoff.reset()
      await this.#apply(response)
      return 0
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      const hasGivenUp = this.#atLeader === 0
      this.#atLeader = 0
      this.#session.reset()
      this.#forgetAll()
      if (hasGivenUp) return 0
      log.debug({ leader: this.#peer.brokerId, err: error }, 'cannot fetch from a leader')
      return this.#backoff.next()
    }
  }

  /** The partitions that may be fetched, with where each log ends. */
  #wanted(): Map<Follower, OutstandingFetch> {
    const nowMs = this.#options.clock.monotonic()
    const wanted = new Map<Follower, OutstandingFetch>()
    for (const partitions of this.#followers.values()) {
      for (const follower of partitions.values()) {
        const paused = this.#paused.get(follower)
        if (paused !== undefined && paused.untilMs > nowMs) continue
        const fetch = follower.nextFetch()
        if (fetch !== null) wanted.set(follower, fetch)
      }
    }
    return wanted
  }

  /** All partitions of the answer in one turn; resolves when everything is stored. */
  async #apply({ responses }: FetchResponse): Promise<void> {
    const applying: Promise<void>[] = []
    for (const { topicId, partitions } of responses) {
      const followers = this.#followers.get(topicId)
      for (const partition of partitions) {
        const follower = followers?.get(partition.partitionIndex)
        if (follower === undefined) continue
        const fetch = this.#session.fetchOf(follower)
        if (fetch === undefined) continue
        applying.push(follower.apply(fetch, partition).then(applied => this.#onApplied(follower, applied)))
      }
    }
    await Promise.all(applying)
  }

  #onApplied(follower: Follower, applied: Applied): void {
    if (applied !== 'later') {
      this.#paused.delete(follower)
      return
    }
    let paused = this.#paused.get(follower)
    if (paused === undefined) this.#paused.set(follower, (paused = { backoff: this.#newBackoff(), untilMs: 0 }))
    paused.untilMs = this.#options.clock.monotonic() + paused.backoff.next()
  }

  /** A partition whose pause ends sooner must not wait for the long poll of the others. */
  #maxWaitMs(): number {
    return Math.max(0, Math.min(this.#options.limits.maxWaitMs, Math.ceil(this.#pauseMs())))
  }

  #pauseMs(): number {
    const nowMs = this.#options.clock.monotonic()
    let pauseMs = this.#options.limits.backoffMs
    for (const { untilMs } of this.#paused.values()) pauseMs = Math.min(pauseMs, Math.max(1, untilMs - nowMs))
    return pauseMs
  }

  /** Somebody has come while the others' fetch waits at the leader. */
  #hurry(): void {
    this.#wake?.()
    const round = this.#atLeader
    if (round === 0 || this.#patience !== null) return
    this.#patience = this.#options.clock.after(PATIENCE_MS, () => {
      this.#patience = null
      if (this.#atLeader !== round) return
      this.#atLeader = 0
      this.#peer.reset()
    })
  }

  #forgetAll(): void {
    for (const partitions of this.#followers.values()) for (const follower of partitions.values()) follower.forget()
  }

  #sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        timer.cancel()
        this.#wake = null
        resolve()
      }
      const timer = this.#options.clock.after(ms, wake)
      this.#wake = wake
    })
  }

  #newBackoff(): Backoff {
    const { random, limits } = this.#options
    return new Backoff({ random, firstMs: Math.min(FIRST_BACKOFF_MS, limits.backoffMs), maxMs: limits.backoffMs })
  }
}
