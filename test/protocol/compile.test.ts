// Corners of the declaration language that no message of Kafka's reaches often enough for random values to prove them.
import { deepEqual, equal, throws } from 'node:assert/strict'
import { describe, test } from 'vitest'
import { decodeRequest, encodeRequestBody } from '../../broker/protocol/compile.ts'
import { api, array, bytes, int32, int64, int8, string, struct, uuid } from '../../broker/protocol/schema.ts'
import type { Init, Shape } from '../../broker/protocol/schema.ts'
import { EncodeError, Writer } from '../../broker/protocol/writer.ts'
import { interpretEncode } from './interpreter.ts'

/** An API of one request with these fields; v0 is plain, v1 flexible. */
function one<S extends Shape>(request: S) {
  return api({ key: 0, name: 'One', versions: [0, 1], flexible: 1, request, response: {} })
}

function encode<S extends Shape>(request: S, version: number, value: Init<S>): Buffer {
  const writer = new Writer(16)
  encodeRequestBody(one(request), version, value as never, writer)
  const encoded = Buffer.concat(writer.finish())
  equal(encoded.toString('hex'), interpretEncode(one(request), 'request', version, value).toString('hex'))
  return encoded
}

describe('tagged fields', () => {
  test('may have any size, in a buffer that grows while they are written', () => {
    for (const sizeBytes of [
      1, 125, 126, 127, 128, 129, 16_380, 16_381, 16_382, 16_383, 16_384, 2_097_148, 2_097_149,
    ]) {
      const shape = { before: int8, data: bytes.tagged(0), text: string.tagged(1) }
      const value = { before: 7, data: Buffer.alloc(sizeBytes, 9), text: 'after' }
      const decoded = decodeRequest(one(shape), 1, encode(shape, 1, value), 0)
      deepEqual(decoded, value)
    }
  })

  test('are sent in the order of their tags, wherever they are declared', () => {
    const shape = { second: int8.tagged(1), first: int8.tagged(0) }
    equal(encode(shape, 1, { second: 2, first: 1 }).toString('hex'), '02' + '000101' + '010102')
  })

  test('are sent when they differ from their default in any part, and read as the default otherwise', () => {
    const inner = struct({ id: int32.default(-1), name: string.nullable().default(null) })
    const shape = { inner: inner.tagged(0), list: array(int8).nullable().default(null).tagged(1) }
    equal(encode(shape, 1, { inner: { id: -1, name: null }, list: null }).toString('hex'), '00')
    equal(encode(shape, 1, { inner: {} }).toString('hex'), '00')
    equal(encode(shape, 1, { inner: { name: '' } }).toString('hex'), '01' + '0006' + 'ffffffff' + '01' + '00')
    equal(encode(shape, 1, { list: [] }).toString('hex'), '01' + '010101')
    deepEqual(decodeRequest(one(shape), 1, Buffer.from('00', 'hex'), 0), { inner: { id: -1, name: null }, list: null })
  })
})

describe('a nullable struct', () => {
  test('takes one byte when it is null, also in an array at the end of a frame', () => {
    const shape = { list: array({ inner: struct({ id: int64, key: uuid }).nullable() }) }
    const value = { list: [{ inner: null }, { inner: null }] }
    for (const version of [0, 1]) deepEqual(decodeRequest(one(shape), version, encode(shape, version, value), 0), value)
  })
})

describe('a field that the version lacks', () => {
  const shape = {
    list: array(int8).since(1).nullable(),
    text: string.since(1).nullable().default(null),
    inner: struct({ id: int32.default(-1) }).since(1),
    key: uuid.since(1),
    data: bytes.since(1).nullable(),
  }

  test('may be given when it says no more than the default does', () => {
    const value = { list: [], text: null, inner: { id: -1 }, key: 'AAAAAAAAAAAAAAAAAAAAAA', data: Buffer.alloc(0) }
    equal(encode(shape, 0, value).length, 0)
    deepEqual(decodeRequest(one(shape), 0, Buffer.alloc(0), 0), value)
  })

  test('is refused with anything else, null included', () => {
    const refused: Init<typeof shape>[] = [
      { list: null },
      { list: [1] },
      { text: '' },
      { inner: { id: 0 } },
      { key: 'AAAAAAAAAAAAAAAAAAAAAQ' },
      { data: null },
      { data: Buffer.alloc(1) },
    ]
    for (const value of refused) throws(() => encode(shape, 0, value), EncodeError)
  })
})

describe('a value of the wrong kind', () => {
  const shape = {
    number: int32,
    wide: int64,
    text: string,
    key: uuid,
    data: bytes,
    list: array(int8),
    inner: struct({ id: int8 }),
  }
  const right = {
    number: 1,
    wide: 2,
    text: 'x',
    key: 'AAAAAAAAAAAAAAAAAAAAAQ',
    data: Buffer.alloc(1),
    list: [1],
    inner: { id: 1 },
  }

  test('is refused by name, in place of bytes that mean something else', () => {
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ number: 1.5 }, /One.number must be an int32, not 1.5/],
      [{ number: undefined }, /One.number must be an int32, not undefined/],
      [{ number: NaN }, /One.number/],
      [{ number: '1' }, /One.number must be an int32, not '1'/],
      [{ wide: 2 ** 53 }, /One.wide must be a safe integer/],
      [{ text: null }, /One.text must be a string, not null/],
      [{ text: 5 }, /One.text must be a string, not 5/],
      [{ key: 'short' }, /One.key must be a Uuid/],
      [{ key: '****************------' }, /One.key must be a Uuid/],
      [{ data: 'x' }, /One.data must be bytes/],
      [{ list: null }, /One.list must be an array, not null/],
      [{ list: { length: 1 } }, /One.list must be an array, not an object/],
      [{ list: [300] }, /One.list\[\] must be an int8, not 300/],
      [{ inner: null }, /One.inner must be a struct, not null/],
      [{ inner: { id: null } }, /One.inner.id must be an int8, not null/],
    ]
    for (const version of [0, 1]) {
      for (const [part, expected] of wrong) {
        const writer = new Writer(16)
        throws(() => encodeRequestBody(one(shape), version, { ...right, ...part } as never, writer), expected)
        throws(() => encodeRequestBody(one(shape), version, { ...right, ...part } as never, writer), EncodeError)
      }
    }
  })

  test('a version that the API does not declare is our mistake', () => {
    throws(() => decodeRequest(one(shape), 2, Buffer.alloc(0), 0), /One has versions 0 to 1, not 2/)
  })
})

test('a field that is missing or not declared is a mistake that the compiler sees', () => {
  const shape = { must: int8, may: int8.default(0) }
  const value: Init<typeof shape> = { must: 1 }
  equal(encode(shape, 0, value).length, 2)
  // @ts-expect-error `must` has no default.
  const missing: Init<typeof shape> = { may: 1 }
  throws(() => encode(shape, 0, missing), EncodeError)
  // @ts-expect-error `other` is not declared.
  const unknown: Init<typeof shape> = { must: 1, other: 2 }
  equal(encode(shape, 0, unknown).length, 2)
})
