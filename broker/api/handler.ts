// What a handler of a Kafka API is: a declaration, the versions this broker serves of it, and a function from request to
// response. A handler does no I/O on sockets and knows nothing of frames; dispatch.ts decodes before it and encodes after it.
import type { Api, RequestOf, ResponseInit } from '../protocol/schema.ts'
import type { Context } from './context.ts'

/** Who asks: the connection a request came in on. */
export type ConnectionInfo = {
  /** Unique within this process, for logs. */
  readonly id: string
  readonly remoteAddress: string
  readonly remotePort: number
  /** The listener it was accepted on, as named in `listeners`. */
  readonly listenerName: string
  /** Kafka's form, `User:name`; `User:ANONYMOUS` on a listener without authentication. */
  readonly principal: string
  /** Reads nothing more from the client for so long: what a quota does to who is over it (KIP-219). */
  throttle(delayMs: number): void
  /** Drops the connection; Kafka's answer to a failed Produce with acks=0, for one. */
  close(reason: string): void
}

/** One request in progress. */
export type Call = {
  readonly apiKey: number
  readonly apiVersion: number
  readonly clientId: string | null
  readonly connection: ConnectionInfo
  /** Aborts when the connection is gone: nobody will read the answer. */
  readonly signal: AbortSignal
  /**
   * Asks for memory for the answer: returns how many bytes of `wantBytes` the broker grants, so that slow readers cannot fill
   * its memory. A second call replaces the first (shrink it to what was really read). It is given back when the answer is sent.
   */
  reserveResponse(wantBytes: number): number
  /** How long the client is over a quota, as far as this request tells: the answer says it, and the connection is not read meanwhile. */
  throttleMs: number
}

/** What a handler makes of a request: null, and what is `Unsent`, is not sent. */
export type Answer<A extends Api> = ResponseInit<A> | Unsent<ResponseInit<A>> | null

export type Handler = {
  readonly api: Api
  /** The oldest and the newest version served. */
  readonly versions: readonly [number, number]
  readonly handle: (request: unknown, context: Context, call: Call) => unknown
}

/** An answer that is not sent, because the client does not wait for one, with errors that shall be counted all the same. */
export class Unsent<R = unknown> {
  readonly response: R

  constructor(response: R) {
    this.response = response
  }
}

/**
 * Declares a handler. `handle` runs in the order in which requests arrived on a connection, up to its first `await`
 * ("stage one"); answers are sent in the same order. It returns the response, or null to send none (Produce with acks=0),
 * or an `Unsent` to send none although there are errors in it.
 * Everything the protocol expects to go wrong is a value in the response; a throw means that the broker is at fault, and
 * the connection is closed.
 */
export function handler<A extends Api>(
  api: A,
  handle: (request: RequestOf<A>, context: Context, call: Call) => Answer<A> | Promise<Answer<A>>,
  options: { versions?: readonly [number, number] } = {},
): Handler {
  return { api, versions: options.versions ?? api.versions, handle: handle as Handler['handle'] }
}
