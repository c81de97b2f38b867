// Whole frames: the header of a request and of a response (versions: KIP-482), and a body behind it with the size in
// front. A frame as it is read here has no size; connections cut frames by it.
//
//   request v1, v2    api key int16 | version int16 | correlation id int32 | client id int16 + bytes, -1 null | v2: tag buffer
//   response v0, v1   correlation id int32 | v1: tag buffer
//
// The flexible versions of an API use the higher header version, except that ApiVersions is always answered with v0: a
// client that asks for a version the broker does not have must be able to read the answer (KIP-511).
import { encodeRequestBody, encodeResponseBody } from './compile.ts'
import { ProtocolError, Reader } from './reader.ts'
import { isFlexible, type Api, type RequestInit, type ResponseInit } from './schema.ts'
import { Writer } from './writer.ts'

export type RequestHeader = {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  /** Where in the frame the body starts. */
  readonly bodyAt: number
}

const API_VERSIONS_KEY = 18
const SIZE_BYTES = 4
// Enough for most requests and responses, and small enough to come out of Node's pool of buffers.
const INITIAL_BYTES = 512

/**
 * The header of a request frame. Of an API that `lookup` does not know, or a version that it does not declare, only the ids are
 * certain; the caller answers or closes. Throws ProtocolError when the frame is too short or malformed.
 */
export function readRequestHeader(frame: Buffer, lookup: (key: number) => Api | undefined): RequestHeader {
  try {
    const reader = new Reader(frame, 0, 0)
    const apiKey = reader.int16()
    const apiVersion = reader.int16()
    const correlationId = reader.int32()
    const clientId = reader.nullableString()
    const api = lookup(apiKey)
    if (api !== undefined && isFlexible(api, apiVersion)) reader.skipTags()
    return { apiKey, apiVersion, correlationId, clientId, bodyAt: reader.at }
  } catch (error) {
    if (error instanceof ProtocolError) error.message = `request header: ${error.message}`
    throw error
  }
}

/** The header of a response to a request of this API and version. Throws ProtocolError when malformed. */
export function readResponseHeader(
  api: Api,
  version: number,
  frame: Buffer,
): { correlationId: number; bodyAt: number } {
  try {
    const reader = new Reader(frame, 0, 0)
    const correlationId = reader.int32()
    if (hasTaggedResponseHeader(api, version)) reader.skipTags()
    return { correlationId, bodyAt: reader.at }
  } catch (error) {
    if (error instanceof ProtocolError) error.message = `${api.name} response header: ${error.message}`
    throw error
  }
}

/** A whole frame, its size included, as the chunks to send. Throws EncodeError when `body` is not what the version can carry. */
export function encodeRequest<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  clientId: string | null,
  body: RequestInit<A>,
): Buffer[] {
  const writer = new Writer(INITIAL_BYTES)
  writer.int32(0)
  writer.int16(api.key)
  writer.int16(version)
  writer.int32(correlationId)
  writer.nullableString(clientId, 'client id')
  if (isFlexible(api, version)) writer.unsignedVarint(0)
  encodeRequestBody(api, version, body, writer)
  return finishFrame(writer)
}

/** As `encodeRequest`, for a response. */
export function encodeResponse<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  body: ResponseInit<A>,
): Buffer[] {
  const writer = new Writer(INITIAL_BYTES)
  writer.int32(0)
  writer.int32(correlationId)
  if (hasTaggedResponseHeader(api, version)) writer.unsignedVarint(0)
  encodeResponseBody(api, version, body, writer)
  return finishFrame(writer)
}

function hasTaggedResponseHeader(api: Api, version: number): boolean {
  return api.key !== API_VERSIONS_KEY && isFlexible(api, version)
}

function finishFrame(writer: Writer): Buffer[] {
  const sizeBytes = writer.sizeBytes - SIZE_BYTES
  const chunks = writer.finish()
  chunks[0]!.writeInt32BE(sizeBytes, 0)
  return chunks
}
