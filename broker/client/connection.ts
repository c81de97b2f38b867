// An outgoing connection to one broker: requests are pipelined, answers come back in their order. It knows nothing of topics,
// leaders or retries; whoever uses it decides what a lost connection means.
import type { Address, Socket, Transport } from '../base/transport.ts'
import { decodeResponse } from '../protocol/compile.ts'
import { FrameReader } from '../protocol/frame.ts'
import { encodeRequest, readResponseHeader } from '../protocol/header.ts'
import type { Api, RequestInit, ResponseOf } from '../protocol/schema.ts'

/** The connection is gone; what was asked may or may not have been done. */
export class ConnectionLost extends Error {}

type Pending = {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  resolve(response: unknown): void
  reject(error: Error): void
}

const LEAST_RESPONSE_BYTES = 4
const MAX_RESPONSE_BYTES = 2 ** 31 - 1

export class BrokerConnection {
  readonly #socket: Socket
  readonly #clientId: string
  readonly #pending: Pending[] = []
  #nextCorrelationId = 0
  #lost: ConnectionLost | null = null

  private constructor(socket: Socket, clientId: string) {
    this.#socket = socket
    this.#clientId = clientId
    const reader = new FrameReader(LEAST_RESPONSE_BYTES, MAX_RESPONSE_BYTES, frame => this.#onFrame(frame))
    socket.start({
      data: chunk => {
        try {
          reader.push(chunk)
        } catch (error) {
          this.#lose('the broker answered with something that is no answer', error)
        }
      },
      drain: () => {},
      close: cause => this.#lose('the broker closed the connection', cause),
    })
  }

  /** Connects; rejects with the system's error when nobody listens there. */
  static async open(transport: Transport, address: Address, clientId: string): Promise<BrokerConnection> {
    return new BrokerConnection(await transport.connect(address), clientId)
  }

  get isLost(): boolean {
    return this.#lost !== null
  }

  /** Sends a request and resolves with its answer. Rejects with ConnectionLost when the connection ends first. */
  request<A extends Api>(api: A, version: number, body: RequestInit<A>): Promise<ResponseOf<A>> {
    if (this.#lost !== null) return Promise.reject(this.#lost)
    return new Promise((resolve, reject) => {
      const correlationId = this.#send(api, version, body)
      this.#pending.push({ api, version, correlationId, resolve: resolve as Pending['resolve'], reject })
    })
  }

  /** Sends a request that is not answered (Produce with acks=0). */
  send<A extends Api>(api: A, version: number, body: RequestInit<A>): void {
    if (this.#lost === null) this.#send(api, version, body)
  }

  close(): void {
    this.#lose('this side closed the connection')
  }

  #send<A extends Api>(api: A, version: number, body: RequestInit<A>): number {
    const correlationId = this.#nextCorrelationId
    this.#nextCorrelationId = (correlationId + 1) & 0x7fffffff
    this.#socket.write(encodeRequest(api, version, correlationId, this.#clientId, body))
    return correlationId
  }

  #onFrame(frame: Buffer): void {
    const pending = this.#pending.shift()
    if (pending === undefined) throw new Error('an answer that nobody asked for')
    const { api, version } = pending
    try {
      const { correlationId, bodyAt } = readResponseHeader(api, version, frame)
      if (correlationId !== pending.correlationId) throw new Error('an answer to another request')
      pending.resolve(decodeResponse(api, version, frame, bodyAt))
    } catch (cause) {
      pending.reject(new Error(`cannot read the answer to ${api.name} version ${version}`, { cause }))
      throw cause
    }
  }

  #lose(reason: string, cause?: unknown): void {
    if (this.#lost !== null) return
    this.#lost = new ConnectionLost(reason, { cause })
    this.#socket.destroy()
    for (const { reject } of this.#pending.splice(0)) reject(this.#lost)
  }
}
