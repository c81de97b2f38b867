// The records that coordinators keep in internal topics, in Kafka's format: tools that read these topics know it. Keys and values are
// declared in the language of schema.ts (records/*.ts) and begin with two bytes. Not here: batches around records (broker/records).
//
//   key    type int16 | fields, always in version 0
//   value  version int16 | fields
import { decodeResponse, encodeResponseBody } from './compile.ts'
import { api, type Api, type Init, type Shape, type Value } from './schema.ts'
import { Writer } from './writer.ts'

/** The key of a kind of records: `type` tells it from the others of its topic. */
export type RecordKey<Fields extends Shape = Shape> = {
  readonly type: number
  readonly name: string
  readonly declaration: Api<Shape, Fields>
}

export type RecordValue<Fields extends Shape = Shape> = {
  readonly name: string
  readonly versions: readonly [oldest: number, latest: number]
  readonly declaration: Api<Shape, Fields>
}

const PREFIX_BYTES = 2
const INITIAL_BYTES = 128

export function recordKey<Fields extends Shape>(type: number, name: string, fields: Fields): RecordKey<Fields> {
  return {
    type,
    name,
    declaration: api({ key: type, name, versions: [0, 0], flexible: null, request: {}, response: fields }),
  }
}

export function recordValue<Fields extends Shape>(
  name: string,
  versions: readonly [number, number],
  flexible: number | null,
  fields: Fields,
): RecordValue<Fields> {
  return {
    name,
    versions,
    declaration: api({ key: -1, name, versions, flexible, request: {}, response: fields }),
  }
}

export function encodeKey<Fields extends Shape>(key: RecordKey<Fields>, fields: Init<Fields>): Buffer {
  return encode(key.declaration, key.type, 0, fields)
}

/** Throws EncodeError for what the version cannot carry. */
export function encodeValue<Fields extends Shape>(
  value: RecordValue<Fields>,
  version: number,
  fields: Init<Fields>,
): Buffer {
  return encode(value.declaration, version, version, fields)
}

/** What a key begins with; -1 when it is too short to be one. */
export function typeOfKey(key: Buffer): number {
  return key.length < PREFIX_BYTES ? -1 : key.readInt16BE(0)
}

/** The fields of a key of this type. Throws ProtocolError when it is malformed. */
export function decodeKey<Fields extends Shape>(key: RecordKey<Fields>, bytes: Buffer): Value<Fields> {
  return decodeResponse(key.declaration, 0, bytes, PREFIX_BYTES) as Value<Fields>
}

/** Throws ProtocolError when it is malformed, and an Error for a version that a later Kafka or Flotilla wrote. */
export function decodeValue<Fields extends Shape>(value: RecordValue<Fields>, bytes: Buffer): Value<Fields> {
  const version = bytes.length < PREFIX_BYTES ? -1 : bytes.readInt16BE(0)
  const [oldest, latest] = value.versions
  if (version < oldest || version > latest) {
    throw new Error(`${value.name} has version ${version}; this broker knows ${oldest} to ${latest}`)
  }
  return decodeResponse(value.declaration, version, bytes, PREFIX_BYTES) as Value<Fields>
}

function encode<Fields extends Shape>(
  declaration: Api<Shape, Fields>,
  prefix: number,
  version: number,
  fields: Init<Fields>,
): Buffer {
  const writer = new Writer(INITIAL_BYTES)
  writer.int16(prefix)
  encodeResponseBody(declaration, version, fields, writer)
  const chunks = writer.finish()
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}
