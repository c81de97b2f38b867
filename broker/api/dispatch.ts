// From a frame to its answer: reads the header, finds the handler, decodes, runs it, encodes. One instance per broker.
// - An unknown API, a version that is not served, or bytes that do not decode: the connection is closed, as Kafka does
//   (InvalidRequestException in SocketServer). Only ApiVersions of an unknown version is answered, in version 0 (KIP-511).
// - Bytes behind the end of a request are ignored, as Kafka does (AbstractRequest.parseRequest).
// - A handler that throws, or answers what cannot be encoded, is our fault: it is logged and counted, and the connection is closed,
//   so that the client retries.
// - A client over its quota gets its answer with the time of its throttling, and is not read so long (quotas.ts).
// - Errors in answers are counted too (answered-errors.ts); that a client tries again for ever shows nowhere else.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Metrics } from '../metrics.ts'
import { decodeRequest } from '../protocol/compile.ts'
import { encodeResponse, readRequestHeader } from '../protocol/header.ts'
import { ProtocolError } from '../protocol/reader.ts'
import type { Api } from '../protocol/schema.ts'
import { AnsweredErrors } from './answered-errors.ts'
import type { Context } from './context.ts'
import { Unsent, type Call, type ConnectionInfo, type Handler } from './handler.ts'

const PRODUCE_KEY = 0
const API_VERSIONS_KEY = 18

/** One API that is served. */
type Served = { readonly handler: Handler; readonly errors: AnsweredErrors; inFlight: number }

export class Dispatcher {
  readonly #served = new Map<number, Served>()
  readonly #context: Context
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #log: Logger

  constructor(context: Context, metrics: Metrics) {
    this.#context = context
    this.#metrics = metrics
    this.#clock = context.clock
    this.#log = context.log
    for (const [key, handler] of context.apis) {
      const errors = new AnsweredErrors(handler.api, metrics, context.clock, context.log)
      this.#served.set(key, { handler, errors, inFlight: 0 })
    }
  }

  /** How many requests run or wait for something, by the name of their API. */
  *inFlight(): Generator<readonly [string, number]> {
    for (const { handler, inFlight } of this.#served.values()) yield [handler.api.name, inFlight]
  }

  /**
   * Runs one request. Returns the whole answer as chunks, or null when none is sent. Throws, or rejects, when the
   * connection must be closed.
   */
  dispatch(
    frame: Buffer,
    connection: ConnectionInfo,
    reserveResponse: Call['reserveResponse'],
    signal: AbortSignal,
  ): readonly Buffer[] | null | Promise<readonly Buffer[] | null> {
    const startedMs = this.#clock.monotonic()
    let served: Served
    let call: Call
    let request: unknown
    let correlationId: number
    try {
      const header = readRequestHeader(frame, this.#lookup)
      correlationId = header.correlationId
      const found = this.#served.get(header.apiKey)
      if (found === undefined) throw new ProtocolError(`API ${header.apiKey} is not served`)
      served = found
      call = {
        apiKey: header.apiKey,
        apiVersion: header.apiVersion,
        clientId: header.clientId,
        connection,
        signal,
        reserveResponse,
        throttleMs: 0,
      }
      const { handler } = served
      if (isServed(handler, header.apiVersion)) {
        request = decodeRequest(handler.api, header.apiVersion, frame, header.bodyAt, 'ignored')
      } else if (header.apiKey === API_VERSIONS_KEY) {
        request = null
      } else {
        throw new ProtocolError(`${handler.api.name} version ${header.apiVersion} is not served`)
      }
    } catch (error) {
      this.#metrics.refusedFrames.inc()
      this.#log.debug({ connection: connection.id, err: error }, 'closed a connection: a request that cannot be read')
      throw error
    }
    let response: unknown
    served.inFlight++
    try {
      response = served.handler.handle(request, this.#context, call)
    } catch (error) {
      return this.#fail(served, call, error)
    }
    if (this.#context.quotas.isActive) this.#charge(call, frame.length, startedMs)
    if (response instanceof Promise) {
      return response.then(
        value => this.#answer(served, call, correlationId, value, startedMs),
        error => this.#fail(served, call, error),
      )
    }
    return this.#answer(served, call, correlationId, response, startedMs)
  }

  #charge(call: Call, requestBytes: number, startedMs: number): void {
    const { quotas } = this.#context
    if (call.apiKey === PRODUCE_KEY) quotas.produced(call, requestBytes)
    quotas.busy(call, this.#clock.monotonic() - startedMs)
  }

  readonly #lookup = (key: number): Api | undefined => this.#served.get(key)?.handler.api

  #answer(
    served: Served,
    call: Call,
    correlationId: number,
    response: unknown,
    startedMs: number,
  ): readonly Buffer[] | null {
    let chunks: readonly Buffer[] | null
    try {
      chunks = encoded(served, call, correlationId, response)
    } catch (error) {
      return this.#fail(served, call, error)
    }
    const { name } = served.handler.api
    served.inFlight--
    if (call.throttleMs > 0) {
      call.connection.throttle(call.throttleMs)
      this.#metrics.throttleTimeMs.labels(name).inc(call.throttleMs)
    }
    this.#metrics.requests.labels(name).inc()
    this.#metrics.requestTimeMs.labels(name).inc(this.#clock.monotonic() - startedMs)
    return chunks
  }

  #fail(served: Served, call: Call, error: unknown): never {
    const { name } = served.handler.api
    served.inFlight--
    this.#metrics.requestFailures.labels(name).inc()
    const fields = {
      api: name,
      version: call.apiVersion,
      clientId: call.clientId,
      connection: call.connection.id,
      err: error,
    }
    this.#log.error(fields, 'a request failed by a fault of the broker')
    throw error
  }
}

/** The answer as chunks, its errors counted; null when none is sent. Throws when the handler gave what the version cannot carry. */
function encoded(
  { handler, errors }: Served,
  call: Call,
  correlationId: number,
  response: unknown,
): readonly Buffer[] | null {
  if (response === null) return null
  if (response instanceof Unsent) {
    errors.count(response.response as object, call)
    return null
  }
  errors.count(response as object, call)
  const version = isServed(handler, call.apiVersion) ? call.apiVersion : 0
  const answer =
    call.throttleMs > 0 && 'throttleTimeMs' in handler.api.response
      ? { ...(response as object), throttleTimeMs: call.throttleMs }
      : response
  return encodeResponse(handler.api, version, correlationId, answer as never)
}

function isServed(handler: Handler, version: number): boolean {
  return version >= handler.versions[0] && version <= handler.versions[1]
}
