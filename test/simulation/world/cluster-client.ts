// What every client of the simulation is made of: connections to brokers by node, request time-outs as real clients have them (the connection
// goes with the request), and what it knows of topics and leaders.
import { BrokerConnection } from '../../../broker/client/connection.ts'
import type { Address } from '../../../broker/base/transport.ts'
import { Metadata } from '../../../broker/protocol/messages/metadata.ts'
import type { Api, RequestInit, ResponseOf } from '../../../broker/protocol/schema.ts'
import type { SimulatedProcess } from './process.ts'
import type { Client, World } from './world.ts'

const REQUEST_TIMEOUT_MS = 5000
const CONNECT_TIMEOUT_MS = 3000

/** No answer came: what was asked may have been done. */
export class NoAnswer extends Error {
  constructor(cause: unknown) {
    super('no answer', { cause })
  }
}

export type KnownTopic = {
  readonly name: string
  readonly topicId: string
  readonly errorCode: number
  /** By partition: the node that leads, -1 when nobody does. */
  readonly leaders: ReadonlyMap<number, number>
}

type Kept = { opening: Promise<BrokerConnection> | null; open: BrokerConnection | null }

export class ClusterClient {
  readonly world: World
  readonly process: SimulatedProcess
  readonly #client: Client
  readonly #kept = new Map<string, Kept>()
  readonly #bootstrap: readonly Address[]
  #nodes = new Map<number, Address>()
  controllerId = -1

  constructor(world: World, name: string) {
    this.world = world
    this.#client = world.addClient(name)
    this.process = this.#client.process
    this.#bootstrap = world.machines.map(({ host }) => ({ host: host.name, port: 9092 }))
  }

  get name(): string {
    return this.process.name
  }

  sleep(delayMs: number): Promise<void> {
    return this.process.sleep(delayMs)
  }

  /** Asks one node; null: any. Rejects with NoAnswer. */
  async ask<A extends Api>(
    nodeId: number | null,
    api: A,
    version: number,
    body: RequestInit<A>,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<ResponseOf<A>> {
    const address = this.#addressOf(nodeId)
    let connection: BrokerConnection
    try {
      connection = await this.#connection(address)
    } catch (cause) {
      throw new NoAnswer(cause)
    }
    let timer: { cancel(): void } | null = null
    const timedOut = new Promise<never>((_, reject) => {
      timer = this.process.clock.after(timeoutMs, () => {
        connection.close()
        reject(new Error('timed out'))
      })
    })
    try {
      return await Promise.race([connection.request(api, version, body), timedOut])
    } catch (cause) {
      throw new NoAnswer(cause)
    } finally {
      timer!.cancel()
    }
  }

  /** What one of the brokers says about topics; null: about all. Rejects with NoAnswer. */
  async metadata(names: readonly string[] | null): Promise<readonly KnownTopic[]> {
    const answer = await this.ask(null, Metadata, 12, {
      topics: names === null ? null : names.map(name => ({ name, topicId: NO_ID })),
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    })
    this.#nodes = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    this.controllerId = answer.controllerId
    return answer.topics.map(({ name, topicId, errorCode, partitions }) => ({
      name: name ?? '',
      topicId,
      errorCode,
      leaders: new Map(partitions.map(({ partitionIndex, leaderId }) => [partitionIndex, leaderId])),
    }))
  }

  /** The process is gone. */
  close(): void {
    this.process.end()
    for (const { open } of this.#kept.values()) open?.close()
    this.#kept.clear()
  }

  #addressOf(nodeId: number | null): Address {
    const known = nodeId === null ? undefined : this.#nodes.get(nodeId)
    return known ?? this.world.dice.of(this.#bootstrap)
  }

  async #connection(address: Address): Promise<BrokerConnection> {
    const key = `${address.host}:${address.port}`
    let kept = this.#kept.get(key)
    if (kept === undefined) this.#kept.set(key, (kept = { opening: null, open: null }))
    if (kept.open !== null && !kept.open.isLost) return kept.open
    const place = kept
    place.opening ??= this.#open(address).finally(() => {
      place.opening = null
    })
    place.open = await place.opening
    return place.open
  }

  async #open(address: Address): Promise<BrokerConnection> {
    const opening = BrokerConnection.open(this.#client.transport, address, this.name)
    let isLate = false
    const late = new Promise<never>((_, reject) => {
      const timer = this.process.clock.after(CONNECT_TIMEOUT_MS, () => {
        isLate = true
        reject(new Error('connecting timed out'))
      })
      opening.then(
        connection => {
          timer.cancel()
          if (isLate) connection.close()
        },
        () => timer.cancel(),
      )
    })
    return Promise.race([opening, late])
  }
}

const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
