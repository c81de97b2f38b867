// One fetcher for each broker that leads something which this broker follows.
import type { Peers } from '../client/peers.ts'
import { Fetcher, type FetcherOptions } from './fetcher.ts'
import type { Follower } from './follower.ts'

export class Fetchers {
  readonly #peers: Peers
  readonly #options: FetcherOptions
  readonly #fetchers = new Map<number, Fetcher>()
  #isClosed = false

  constructor(peers: Peers, options: FetcherOptions) {
    this.#peers = peers
    this.#options = options
  }

  /** Fetches for a follower whose log may be fetched for, from the broker that it follows. */
  add(follower: Follower): void {
    if (this.#isClosed) return
    const { leaderId } = follower
    let fetcher = this.#fetchers.get(leaderId)
    if (fetcher === undefined) {
      fetcher = new Fetcher(this.#peers.to(leaderId), this.#options)
      this.#fetchers.set(leaderId, fetcher)
    }
    fetcher.add(follower)
  }

  remove(follower: Follower): void {
    const fetcher = this.#fetchers.get(follower.leaderId)
    fetcher?.remove(follower)
    if (fetcher === undefined || fetcher.size > 0) return
    fetcher.close()
    this.#fetchers.delete(follower.leaderId)
  }

  close(): void {
    this.#isClosed = true
    for (const fetcher of this.#fetchers.values()) fetcher.close()
    this.#fetchers.clear()
  }
}
