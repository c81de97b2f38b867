// Frames that nobody sends by accident: lengths that lie, tags that repeat, numbers at the edge. Each is refused with a
// ProtocolError before anything is allocated for it, or means what it means to Kafka.
import { deepEqual, equal, notEqual, ok, throws } from 'node:assert/strict'
import { describe, test } from 'vitest'
import { decodeRequest, decodeResponse } from '../../broker/protocol/compile.ts'
import { AddPartitionsToTxn } from '../../broker/protocol/messages/add-partitions-to-txn.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { Heartbeat } from '../../broker/protocol/messages/heartbeat.ts'
import { messages } from '../../broker/protocol/messages/index.ts'
import { Metadata } from '../../broker/protocol/messages/metadata.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { ProtocolError } from '../../broker/protocol/reader.ts'
import {
  api,
  array,
  bytes,
  defaultOf,
  exists,
  Field,
  float64,
  int32,
  int64,
  int8,
  string,
  struct,
  uuid,
} from '../../broker/protocol/schema.ts'
import type { Shape, Type } from '../../broker/protocol/schema.ts'
import { interpretEncode } from './interpreter.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

/** An API of one request with these fields; v0 is plain, v1 flexible. */
function one<S extends Shape>(request: S) {
  return api({ key: 0, name: 'One', versions: [0, 1], flexible: 1, request, response: {} })
}

function read<S extends Shape>(request: S, version: number, bytes: string) {
  return decodeRequest(one(request), version, hex(bytes), 0)
}

describe('an array', () => {
  test('that announces more elements than the frame has bytes for is refused at once', () => {
    const list = { list: array(int32) }
    throws(() => read(list, 0, '7fffffff 00000001'), /2147483647 elements/)
    throws(() => read(list, 0, '00000002 00000001'), ProtocolError)
    throws(() => read(list, 1, 'ffffffff0f 00000001 00'), /4294967294 elements/)
    const structs = { list: array({ id: uuid, name: string }) }
    throws(() => read(structs, 0, `00000002 ${'00'.repeat(18 + 17)}`), /2 elements/)
    throws(() => read(structs, 1, `04 ${'00'.repeat(53)}`), /3 elements/)
  })

  test('of a negative length is null where that may be, whatever the number', () => {
    equal(read({ list: array(int32).nullable() }, 0, 'ffffffff').list, null)
    equal(read({ list: array(int32).nullable() }, 0, '80000000').list, null)
    throws(() => read({ list: array(int32) }, 0, 'ffffffff'), /must not be null/)
    throws(() => read({ list: array(int32) }, 1, '00 00'), /must not be null/)
  })

  test('of more than a million elements is refused in a request, and an array like any other in a response', () => {
    const list = { list: array(int8) }
    const frame = Buffer.alloc(4 + 1_100_000, 3)
    frame.writeInt32BE(1_100_000)
    throws(() => decodeRequest(one(list), 0, frame, 0), /too many elements/)
    const answered = decodeResponse(api({ ...one({}), response: list }), 0, frame, 0)
    ok(answered.list.length === 1_100_000 && answered.list.every(value => value === 3))
  })

  test('is counted with all others of its request', () => {
    const nested = { outer: array({ inner: array(int8) }) }
    const inner = Buffer.concat([hex('00010000'), Buffer.alloc(65_536)])
    const frame = (count: number): Buffer => Buffer.concat([Buffer.from([0, 0, 0, count]), ...Array(count).fill(inner)])
    equal(decodeRequest(one(nested), 0, frame(15), 0).outer.length, 15)
    throws(() => decodeRequest(one(nested), 0, frame(16), 0), /too many elements/)
  })
})

describe('a string', () => {
  test('of a negative length is null where that may be', () => {
    equal(read({ text: string.nullable() }, 0, 'fffe').text, null)
    throws(() => read({ text: string }, 0, 'fffe'), /must not be null/)
    throws(() => read({ text: string }, 1, '00 00'), /must not be null/)
  })

  test('longer than the frame, or than a string can be, is refused', () => {
    throws(() => read({ text: string }, 0, '0003 6162'), ProtocolError)
    throws(() => read({ text: string }, 1, '04 6162 00'), ProtocolError)
    const long = Buffer.concat([hex('818002'), Buffer.alloc(32_768, 0x61), hex('00')])
    throws(() => decodeRequest(one({ text: string }), 1, long, 0), /32768 bytes/)
    const longest = Buffer.concat([hex('808002'), Buffer.alloc(32_767, 0x61), hex('00')])
    equal(decodeRequest(one({ text: string }), 1, longest, 0).text.length, 32_767)
  })

  test('that is not UTF-8 reads with replacement characters', () => {
    equal(read({ text: string }, 0, '0004 61ff 62c3').text, 'a\ufffdb\ufffd')
    equal(read({ text: string }, 0, '0003 eda080').text, '\ufffd\ufffd\ufffd')
  })
})

describe('bytes', () => {
  test('longer than the frame are refused, and negative lengths are null', () => {
    throws(() => read({ data: bytes }, 0, '7fffffff 00'), ProtocolError)
    throws(() => read({ data: bytes }, 1, 'ffffffff0f 00'), ProtocolError)
    equal(read({ data: bytes.nullable() }, 0, 'ffffff00').data, null)
  })
})

describe('a number', () => {
  test('of 64 bits is the nearest double when it is beyond 2^53', () => {
    const number = { number: int64 }
    equal(read(number, 0, '7fffffffffffffff').number, 2 ** 63)
    equal(read(number, 0, '8000000000000000').number, -(2 ** 63))
    equal(read(number, 0, 'ffffffffffffffff').number, -1)
    equal(read(number, 0, '001fffffffffffff').number, Number.MAX_SAFE_INTEGER)
    equal(read(number, 0, 'ffe0000000000001').number, Number.MIN_SAFE_INTEGER)
    equal(read(number, 0, '00000000ffffffff').number, 2 ** 32 - 1)
  })

  test('that is no number is read as it is', () => {
    ok(Number.isNaN(read({ number: float64 }, 0, '7ff8000000000001').number))
    ok(Object.is(read({ number: float64 }, 0, '8000000000000000').number, -0))
  })

  test('of variable length has at most 32 bits, and may take more bytes than it needs', () => {
    equal(read({ text: string }, 1, '828000 61 00').text, 'a')
    throws(() => read({ text: string }, 1, '808080808001 00'), /more than 32 bits/)
    throws(() => read({ text: string }, 1, 'ffffffff7f 00'), /more than 32 bits/)
  })
})

describe('a tag buffer', () => {
  const tagged = { first: int32.tagged(0), second: string.tagged(1), third: struct({ id: int32 }).tagged(2) }

  test('may hold tags that are not known, in any order', () => {
    const request = read(tagged, 1, '04  63 03 aabbcc  01 02 0261  00 04 00000007  ffffffff0f 00')
    deepEqual(request, { first: 7, second: 'a', third: { id: 0 } })
  })

  test('that repeats a tag means the last one', () => {
    equal(read(tagged, 1, '02  00 04 00000007  00 04 00000008').first, 8)
  })

  test('whose sizes do not fit their fields is refused', () => {
    throws(() => read(tagged, 1, '01  00 03 00000007'), /to end at byte 6/)
    throws(() => read(tagged, 1, '01  00 05 00000007 00'), /to end at byte 8/)
    throws(() => read(tagged, 1, '01  00 00'), ProtocolError)
    throws(() => read(tagged, 1, '01  09 05 00000007'), /has 5 bytes/)
    throws(() => read(tagged, 1, '01  02 06 00000001 00'), ProtocolError)
  })

  test('that announces more tags than there are bytes is refused when the bytes end', () => {
    throws(() => read(tagged, 1, 'ffffffff0f'), ProtocolError)
    throws(() => read(tagged, 1, `ffffffff0f ${'0900'.repeat(1000)}`), ProtocolError)
    throws(() => read({ plain: int8 }, 1, `01 ffffffff0f ${'0900'.repeat(1000)}`), ProtocolError)
  })

  test('is not expected in a version that is not flexible', () => {
    deepEqual(read({ plain: int8 }, 0, '01'), { plain: 1 })
    throws(() => read({ plain: int8 }, 0, '01 00'), /left over/)
  })
})

describe('a nullable struct', () => {
  test('is null when its mark is negative, and there when it is anything else', () => {
    const request = { inner: struct({ id: int8 }).nullable() }
    deepEqual(read(request, 0, 'ff'), { inner: null })
    deepEqual(read(request, 0, '80'), { inner: null })
    deepEqual(read(request, 0, '01 05'), { inner: { id: 5 } })
    deepEqual(read(request, 0, '00 05'), { inner: { id: 5 } })
  })
})

describe('what is decoded', () => {
  test('has one shape in all versions', () => {
    const fields = Object.keys(Fetch.response)
    for (const [version, body] of [
      [4, '00000000 00000000'],
      [12, '00000000 0000 00000000 01 00'],
      [18, '00000000 0000 00000000 01 00'],
    ] as const) {
      deepEqual(Object.keys(decodeResponse(Fetch, version, hex(body), 0)), fields)
    }
  })

  test('shares no default with anything else that is decoded', () => {
    const body = hex('0001 78 0000000000000000 0000 00000000')
    const [one, other] = [body, body].map(frame => decodeRequest(AddPartitionsToTxn, 0, frame, 0))
    deepEqual(one, other)
    notEqual(one!.transactions, other!.transactions)
  })

  test('is bounded by the bytes it came from: two values a byte, for every request', () => {
    for (const declared of messages.values()) {
      const [oldest, latest] = declared.versions
      for (let version = oldest; version <= latest; version++) {
        const frame = interpretEncode(declared, 'request', version, widest(declared.request, version, 300))
        const values = valuesIn(decodeRequest(declared, version, frame, 0))
        ok(values <= 32 + 2 * frame.length, `${declared.name} v${version}: ${values} values of ${frame.length} bytes`)
      }
    }
  })
})

test('a frame of nothing, and of nothing but ones, is refused or read by every request', () => {
  for (const declared of messages.values()) {
    const [oldest, latest] = declared.versions
    for (let version = oldest; version <= latest; version++) {
      for (const fill of [0x00, 0x01, 0x02, 0x7f, 0x80, 0xff]) {
        for (const size of [0, 1, 7, 64, 65_536]) {
          try {
            decodeRequest(declared, version, Buffer.alloc(size, fill), 0)
          } catch (error) {
            ok(error instanceof ProtocolError, `${declared.name} v${version}, ${size} bytes of ${fill}: ${error}`)
          }
        }
      }
    }
  }
})

test('an error says which message is broken and where', () => {
  throws(() => decodeRequest(Heartbeat, 4, hex('0267 000000'), 0), {
    message: 'Heartbeat request v4: 4 more bytes are needed (byte 2 of 5)',
  })
  throws(() => decodeRequest(Metadata, 1, hex('7fffffff'), 0), {
    message: 'Metadata request v1: an array has 2147483647 elements (byte 4 of 4)',
  })
  throws(() => decodeRequest(Produce, 9, hex('00'), 2), ProtocolError)
})

/** A message of which every array has that many elements, each as small as can be. */
function widest(shape: Shape, version: number, length: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(shape).map(([name, field]) => {
      const { type } = field
      if (!exists(field, version)) return [name, defaultOf(field)]
      if (type.kind !== 'array') return [name, smallest(type, version)]
      return [name, Array.from({ length }, () => smallest(type.element, version))]
    }),
  )
}

function smallest(type: Type, version: number): unknown {
  if (type.kind !== 'struct') return defaultOf(new Field(type))
  return Object.fromEntries(
    Object.entries(type.shape).map(([name, field]) => {
      return [name, exists(field, version) ? smallest(field.type, version) : defaultOf(field)]
    }),
  )
}

/** How many objects, elements and fields a value is made of. */
function valuesIn(value: unknown): number {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return 1
  return Object.values(value).reduce((sum: number, inner) => sum + valuesIn(inner), 1)
}
