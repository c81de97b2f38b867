// Connections to the other brokers of the cluster, each for one purpose (a fetcher, the controller channel), so that a long poll of one
// holds nothing up of another. A connection is opened when something is asked and none is there; when to ask again after a failure
// is the owner's decision (backoff.ts). Brokers of a fleet speak the newest version of every API.
import type { Clock } from '../base/clock.ts'
import type { Address, Transport } from '../base/transport.ts'
import type { Api, RequestInit, ResponseOf } from '../protocol/schema.ts'
import { BrokerConnection, ConnectionLost } from './connection.ts'

export type PeersOptions = {
  readonly transport: Transport
  readonly clock: Clock
  /** What this broker calls itself. */
  readonly clientId: string
  /** Where a broker can be reached by others, null when that is not known. Asked each time a connection is opened. */
  readonly addressOf: (brokerId: number) => Address | null
  /** A connection that takes longer to open is given up: `socket.connection.setup.timeout.ms`. */
  readonly connectTimeoutMs?: number
}

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

export class Peers {
  readonly #options: PeersOptions

  constructor(options: PeersOptions) {
    this.#options = options
  }

  /** A connection of its own to the broker; nothing is opened yet. */
  to(brokerId: number): Peer {
    return new Peer(brokerId, this.#options)
  }
}

export class Peer {
  readonly brokerId: number
  readonly #options: PeersOptions
  #connection: BrokerConnection | null = null
  #opening: Promise<BrokerConnection> | null = null
  #isClosed = false

  /** Made by Peers only. */
  constructor(brokerId: number, options: PeersOptions) {
    this.brokerId = brokerId
    this.#options = options
  }

  /**
   * Sends a request, over the connection that there is or a new one, and resolves with its answer. Rejects with ConnectionLost when there is
   * no connection, when it ends, or when the answer has not come within `timeoutMs`: the connection is dropped then.
   */
  async request<A extends Api>(
    api: A,
    version: number,
    body: RequestInit<A>,
    timeoutMs: number,
  ): Promise<ResponseOf<A>> {
    const connection = await this.#connected()
    const timer = this.#options.clock.after(timeoutMs, () => connection.close())
    try {
      return await connection.request(api, version, body)
    } catch (cause) {
      if (cause instanceof ConnectionLost) throw cause
      // An answer that cannot be read: what comes after it could not be trusted.
      connection.close()
      throw new ConnectionLost(`broker ${this.brokerId} sent something that is no answer`, { cause })
    } finally {
      timer.cancel()
    }
  }

  /** Drops the connection; the next request opens another. */
  reset(): void {
    this.#connection?.close()
    this.#connection = null
  }

  /** Drops the connection for good. */
  close(): void {
    this.#isClosed = true
    this.reset()
  }

  async #connected(): Promise<BrokerConnection> {
    if (this.#isClosed) throw new ConnectionLost('this side closed the connection')
    if (this.#connection !== null && !this.#connection.isLost) return this.#connection
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null
    })
    const connection = await this.#opening
    if (connection.isLost) throw new ConnectionLost('this side closed the connection')
    return connection
  }

  async #open(): Promise<BrokerConnection> {
    const { transport, clock, clientId, addressOf, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = this.#options
    const address = addressOf(this.brokerId)
    if (address === null) throw new ConnectionLost(`it is not known where broker ${this.brokerId} is`)
    const opening = BrokerConnection.open(transport, address, clientId)
    const connection = await within(clock, connectTimeoutMs, opening).catch((cause: unknown) => {
      throw new ConnectionLost(`cannot connect to broker ${this.brokerId}`, { cause })
    })
    if (this.#isClosed) connection.close()
    this.#connection = connection
    return connection
  }
}

/** What `opening` becomes, unless that takes too long: then it is closed as soon as it is there. */
function within(clock: Clock, timeoutMs: number, opening: Promise<BrokerConnection>): Promise<BrokerConnection> {
  return new Promise((resolve, reject) => {
    let isLate = false
    const timer = clock.after(timeoutMs, () => {
      isLate = true
      reject(new Error(`no connection within ${timeoutMs} ms`))
    })
    opening
      .then(
        connection => {
          if (isLate) connection.close()
          resolve(connection)
        },
        (cause: unknown) => reject(cause instanceof Error ? cause : new Error(String(cause))),
      )
      .finally(() => timer.cancel())
  })
}
