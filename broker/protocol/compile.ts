// From a declaration to code: for every (message, version) that is used, straight-line functions that decode and encode
// it, made on first use and kept. This is the only file that needs `new Function`; test/protocol/interpreter.ts says
// the same slowly and is its oracle. One object shape per struct for all versions: an absent field reads as its default
// (see schema.ts).
import { assert } from '../base/assert.ts'
import { decoderSource } from './decoder-source.ts'
import { encoderSource } from './encoder-source.ts'
import { ProtocolError, Reader } from './reader.ts'
import { isFlexible, type Api, type RequestInit, type RequestOf, type ResponseInit, type ResponseOf } from './schema.ts'
import { refuse, refuseVersion, type Writer } from './writer.ts'

// A topic without a name and without partitions takes three bytes of a frame and some thirty times that on the heap, so
// a peer could make a hundred megabytes into more than this process has. No request that means something has a million
// elements; responses come from brokers, which we trust, and may be larger.
const MAX_REQUEST_ELEMENTS = 1 << 20

type Decode = (reader: Reader) => unknown
type Encode = (writer: Writer, value: unknown) => void
type Codec = { decode: Decode | undefined; encode: Encode | undefined }

/** What becomes of bytes behind the end of a message. */
export type BytesBehind = 'refused' | 'ignored'

/**
 * The request whose body starts at byte `at` of `frame` and fills the rest, or may end earlier. Bytes and records are slices of the
 * frame. Throws ProtocolError when the frame is malformed; the version must be one that the API declares.
 */
export function decodeRequest<A extends Api>(
  api: A,
  version: number,
  frame: Buffer,
  at: number,
  bytesBehind: BytesBehind = 'refused',
): RequestOf<A> {
  return decode(api, 'request', version, frame, at, bytesBehind) as RequestOf<A>
}

/** The response whose body starts at byte `at` of `frame` and fills the rest; otherwise as `decodeRequest`. */
export function decodeResponse<A extends Api>(api: A, version: number, frame: Buffer, at: number): ResponseOf<A> {
  return decode(api, 'response', version, frame, at, 'refused') as ResponseOf<A>
}

/** Throws EncodeError when `value` is not what the version can carry. */
export function encodeRequestBody<A extends Api>(api: A, version: number, value: RequestInit<A>, writer: Writer): void {
  encode(api, 'request', version, value, writer)
}

/** As `encodeRequestBody`, for a response. */
export function encodeResponseBody<A extends Api>(
  api: A,
  version: number,
  value: ResponseInit<A>,
  writer: Writer,
): void {
  encode(api, 'response', version, value, writer)
}

type Direction = 'request' | 'response'

function decode(
  api: Api,
  direction: Direction,
  version: number,
  frame: Buffer,
  at: number,
  bytesBehind: BytesBehind,
): unknown {
  const codec = codecOf(api, direction, version)
  codec.decode ??= compile<Decode>(decoderSource(api[direction], version, isFlexible(api, version)))
  try {
    const reader = new Reader(frame, at, direction === 'request' ? MAX_REQUEST_ELEMENTS : Infinity)
    const value = codec.decode(reader)
    if (bytesBehind === 'refused') reader.finish()
    return value
  } catch (error) {
    if (error instanceof ProtocolError) error.message = `${api.name} ${direction} v${version}: ${error.message}`
    throw error
  }
}

function encode(api: Api, direction: Direction, version: number, value: unknown, writer: Writer): void {
  const codec = codecOf(api, direction, version)
  codec.encode ??= compile<Encode>(encoderSource(api.name, api[direction], version, isFlexible(api, version)))
  codec.encode(writer, value)
}

// A cache only: what it holds follows from the declarations.
const codecs = new WeakMap<Api, Record<Direction, Codec[]>>()

function codecOf(api: Api, direction: Direction, version: number): Codec {
  let ofApi = codecs.get(api)
  if (ofApi === undefined) codecs.set(api, (ofApi = { request: [], response: [] }))
  const known = ofApi[direction][version]
  if (known !== undefined) return known
  const [oldest, latest] = api.versions
  assert(version >= oldest && version <= latest, `${api.name} has versions ${oldest} to ${latest}, not ${version}`)
  return (ofApi[direction][version] = { decode: undefined, encode: undefined })
}

function compile<F>(source: string): F {
  return new Function('EMPTY', 'refuse', 'refuseVersion', source)(Buffer.alloc(0), refuse, refuseVersion)
}
