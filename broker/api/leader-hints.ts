// Where to go instead (KIP-951): answers to Produce and Fetch that hit the wrong leader name the right one and its address, so that
// the client need not ask for metadata first.
import type { Uuid } from '../base/uuid.ts'
import { topicById, type MetadataImage } from '../metadata/image.ts'

export type LeaderHint = { readonly leaderId: number; readonly leaderEpoch: number }
export type NodeEndpoint = {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

const UNKNOWN_LEADER: LeaderHint = { leaderId: -1, leaderEpoch: -1 }

/** Collects the hints of one answer. Addresses are those of the listener that the client came in on. */
export class LeaderHints {
  readonly #listenerName: string
  readonly #endpoints = new Map<number, NodeEndpoint>()

  constructor(listenerName: string) {
    this.#listenerName = listenerName
  }

  /** The leader of a partition, -1 in both fields when there is none or the partition is unknown. */
  add(image: MetadataImage, topicId: Uuid, partition: number): LeaderHint {
    const known = topicById(image, topicId)?.partitions[partition]
    if (known === undefined) return UNKNOWN_LEADER
    this.#addEndpoint(image, known.leader)
    return { leaderId: known.leader, leaderEpoch: known.leaderEpoch }
  }

  #addEndpoint(image: MetadataImage, brokerId: number): void {
    const broker = image.brokers.get(brokerId)
    if (broker === undefined || broker.isFenced) return
    const listener = broker.listeners.find(candidate => candidate.name === this.#listenerName)
    if (listener === undefined) return
    const { host, port } = listener
    this.#endpoints.set(brokerId, { nodeId: brokerId, host, port, rack: broker.rack })
  }

  get endpoints(): NodeEndpoint[] {
    return [...this.#endpoints.values()]
  }
}
