// From a frame to its answer: reads the header, finds the handler, decodes, runs it, encodes. One instance per broker.
// - An unknown API, a version that is not served, or bytes that do not decode: the connection is closed, as Kafka does
//   (InvalidRequestException in SocketServer). Only ApiVersions of an unknown version is answered, in version 0 (KIP-511).
// - A handler that throws is our fault: it is logged and counted, and the connection is closed, so that the client retries.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Metrics } from '../metrics.ts'
import { decodeRequest } from '../protocol/compile.ts'
import { encodeResponse, readRequestHeader } from '../protocol/header.ts'
import { ProtocolError } from '../protocol/reader.ts'
import type { Api } from '../protocol/schema.ts'
import type { Context } from './context.ts'
import type { Call, ConnectionInfo, Handler } from './handler.ts'

const API_VERSIONS_KEY = 18

export class Dispatcher {
  readonly #handlers: ReadonlyMap<number, Handler>
  readonly #context: Context
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #log: Logger

  constructor(context: Context, metrics: Metrics) {
    this.#handlers = context.apis
    this.#context = context
    this.#metrics = metrics
    this.#clock = context.clock
    this.#log = context.log
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
    let handler: Handler
    let call: Call
    let request: unknown
    let correlationId: number
    try {
      const header = readRequestHeader(frame, this.#lookup)
      correlationId = header.correlationId
      const found = this.#handlers.get(header.apiKey)
      if (found === undefined) throw new ProtocolError(`API ${header.apiKey} is not served`)
      handler = found
      call = {
        apiKey: header.apiKey,
        apiVersion: header.apiVersion,
        clientId: header.clientId,
        connection,
        signal,
        reserveResponse,
      }
      if (isServed(handler, header.apiVersion)) {
        request = decodeRequest(handler.api, header.apiVersion, frame, header.bodyAt)
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
    try {
      response = handler.handle(request, this.#context, call)
    } catch (error) {
      return this.#fail(handler, call, error)
    }
    if (response instanceof Promise) {
      return response.then(
        value => this.#answer(handler, call, correlationId, value, startedMs),
        error => this.#fail(handler, call, error),
      )
    }
    return this.#answer(handler, call, correlationId, response, startedMs)
  }

  readonly #lookup = (key: number): Api | undefined => this.#handlers.get(key)?.api

  #answer(
    handler: Handler,
    call: Call,
    correlationId: number,
    response: unknown,
    startedMs: number,
  ): readonly Buffer[] | null {
    const name = handler.api.name
    this.#metrics.requests.labels(name).inc()
    this.#metrics.requestTimeMs.labels(name).inc(this.#clock.monotonic() - startedMs)
    if (response === null) return null
    const version = isServed(handler, call.apiVersion) ? call.apiVersion : 0
    return encodeResponse(handler.api, version, correlationId, response as never)
  }

  #fail(handler: Handler, call: Call, error: unknown): never {
    const { name } = handler.api
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

function isServed(handler: Handler, version: number): boolean {
  return version >= handler.versions[0] && version <= handler.versions[1]
}
