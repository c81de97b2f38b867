// Chooses brokers for new partitions: striped over racks and, within a rack, over its brokers (org.apache.kafka.metadata.placement.
// StripedReplicaPlacer). Leaders and replicas spread evenly, racks come before brokers, fenced brokers are used last and never
// first. Pure but for the Random it is given. Example with racks a, b, c of two brokers each, all offsets 0:
//
//     partition 0: a0 b0 c0     partition 1: b1 c1 a1     partition 2: c0 a0 b0
//
// After as many partitions as there are live brokers everything is shuffled, so that the same neighbours do not meet for ever.
import { assert } from '../base/assert.ts'
import type { Random } from '../base/random.ts'

export type UsableBroker = {
  readonly brokerId: number
  readonly rack: string | null
  /** Or stopping: it may hold replicas, but is not there at the start. */
  readonly isFenced: boolean
}

/** Null when `replicationFactor` replicas can be placed on `brokers`, else why not. */
export function cannotPlace(brokers: readonly UsableBroker[], replicationFactor: number): string | null {
  if (brokers.every(broker => broker.isFenced)) return 'All brokers are currently fenced.'
  if (replicationFactor > brokers.length) {
    return (
      `The target replication factor of ${replicationFactor} cannot be reached because only ${brokers.length} ` +
      'broker(s) are registered.'
    )
  }
  return null
}

/**
 * The replicas of `count` partitions, the leader first. `existing` are those of the topic's partitions so far: the stripe goes on
 * where they end.
 */
export function placeReplicas(
  brokers: readonly UsableBroker[],
  count: number,
  replicationFactor: number,
  random: Random,
  existing: readonly (readonly number[])[] = [],
): number[][] {
  assert(replicationFactor > 0, 'the replication factor is positive')
  assert(cannotPlace(brokers, replicationFactor) === null, 'there are brokers enough')
  const stripe = new Stripe(brokers, random, existing)
  return Array.from({ length: count }, () => stripe.next(replicationFactor))
}

// A ring of brokers that is walked once per partition, each time from one further on.
class Ring {
  readonly brokers: number[]
  #offset: number
  #taken = 0
  #round = 0

  constructor(brokers: readonly number[], offset: number) {
    this.brokers = [...brokers]
    this.#offset = offset
  }

  /** The next broker in this round, or null when all have been taken in it. */
  take(round: number): number | null {
    if (this.brokers.length === 0) return null
    if (round !== this.#round) {
      this.#round = round
      this.#taken = 0
      this.#offset = (this.#offset + 1) % this.brokers.length
    }
    if (this.#taken === this.brokers.length) return null
    return this.brokers[(this.#taken++ + this.#offset) % this.brokers.length]!
  }
}

type Rack = { readonly live: Ring; readonly fenced: Ring }

class Stripe {
  readonly #random: Random
  readonly #racks: Rack[]
  readonly #liveCount: number
  #round = 0
  #firstRack: number

  constructor(brokers: readonly UsableBroker[], random: Random, existing: readonly (readonly number[])[]) {
    this.#random = random
    this.#liveCount = brokers.filter(broker => !broker.isFenced).length
    const names = [...new Set(brokers.map(broker => broker.rack))].sort(byRack)
    this.#racks = names.map(name => {
      const members = brokers.filter(broker => broker.rack === name).sort((a, b) => a.brokerId - b.brokerId)
      const live = members.filter(broker => !broker.isFenced).map(broker => broker.brokerId)
      const fenced = members.filter(broker => broker.isFenced).map(broker => broker.brokerId)
      const ids = members.map(broker => broker.brokerId)
      return {
        live: new Ring(live, offsetAfter(live, lastOf(existing, ids)) ?? below(random, live.length)),
        fenced: new Ring(fenced, below(random, fenced.length)),
      }
    })
    const lastLeader = existing.at(-1)?.[0]
    const lastRack = brokers.find(broker => broker.brokerId === lastLeader)?.rack
    this.#firstRack = offsetAfter(names, lastRack) ?? below(random, names.length)
  }

  next(replicationFactor: number): number[] {
    // A ring of one would be walked in the same round for ever if the round went back to 0.
    if (this.#round === this.#liveCount && this.#liveCount > 1) {
      this.#shuffle()
      this.#round = 0
    }
    const count = this.#racks.length
    const start = this.#firstRack % count
    const replicas: number[] = []
    let leaderRack = start
    for (;;) {
      const leader = this.#racks[leaderRack]!.live.take(this.#round)
      if (leader !== null) {
        replicas.push(leader)
        break
      }
      leaderRack = (leaderRack + 1) % count
    }
    // The first pass leaves out the leader's rack; from the second on every rack gives again.
    let isFirstPass = true
    for (let at = start; replicas.length < replicationFactor; at = (at + 1) % count) {
      if (isFirstPass && at === leaderRack) {
        isFirstPass = false
        continue
      }
      const rack = this.#racks[at]!
      const replica = rack.live.take(this.#round) ?? rack.fenced.take(this.#round)
      if (replica !== null) replicas.push(replica)
    }
    this.#round++
    this.#firstRack = start + 1
    return replicas
  }

  #shuffle(): void {
    shuffle(this.#racks, this.#random)
    for (const rack of this.#racks) {
      shuffle(rack.live.brokers, this.#random)
      shuffle(rack.fenced.brokers, this.#random)
    }
  }
}

function byRack(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return a < b ? -1 : 1
}

/** The broker of `ids` that the newest of the partitions uses, the one nearest to its leader. */
function lastOf(existing: readonly (readonly number[])[], ids: readonly number[]): number | undefined {
  for (let index = existing.length - 1; index >= 0; index--) {
    const found = existing[index]!.find(id => ids.includes(id))
    if (found !== undefined) return found
  }
  return undefined
}

function offsetAfter<T>(list: readonly T[], item: T | undefined): number | null {
  const at = item === undefined ? -1 : list.indexOf(item)
  return at < 0 ? null : (at + 1) % list.length
}

function below(random: Random, limit: number): number {
  return limit === 0 ? 0 : Math.floor(random.next() * limit)
}

function shuffle<T>(list: T[], random: Random): void {
  for (let at = list.length - 1; at > 0; at--) {
    const other = below(random, at + 1)
    const held = list[at]!
    list[at] = list[other]!
    list[other] = held
  }
}
