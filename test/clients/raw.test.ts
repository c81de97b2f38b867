// What arrives on a socket that no client sends: garbage, unknown requests, frames that lie about their length, half frames.
// Kafka closes the connection, with one exception: an ApiVersions request of an unknown version gets an answer.
import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { startBroker } from './broker.ts'
import type { TestBroker } from './broker.ts'
import { Wire, int16, int32, requestFrame, text } from './wire.ts'

const timeout = 120_000
let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ 'auto.create.topics.enable': 'false' })
}, timeout)
afterAll(() => broker?.remove(), timeout)

const API_VERSIONS = 18
const METADATA = 3
const apiVersions0 = (correlationId: number) => requestFrame(API_VERSIONS, 0, correlationId, Buffer.alloc(0))

/** Runs `talk` on a connection of its own; afterwards the broker must serve another one. */
async function connected(talk: (wire: Wire) => Promise<void>): Promise<void> {
  const wire = await Wire.open(broker)
  try {
    await talk(wire)
  } finally {
    wire.destroy()
  }
  const other = await Wire.open(broker)
  other.send(apiVersions0(1))
  notEqual(await other.frame(), null, 'the broker serves other connections')
  other.destroy()
}

/** Sends bytes and expects the broker to close the connection without a word. */
function closes(...bytes: readonly Buffer[]): Promise<void> {
  return connected(async wire => {
    wire.send(...bytes)
    equal((await wire.closed()).length, 0)
  })
}

describe('a connection is closed on', { timeout }, () => {
  test('a request of another protocol', () => closes(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')))
  test('a TLS handshake', () => closes(Buffer.from('16030100c8010000c40303', 'hex'), randomBytes(194)))
  test('random bytes in a frame of the right length', () =>
    closes(int32(4_000), Buffer.alloc(2, 0x7f), randomBytes(3_998)))
  test('a negative length', () => closes(int32(-1)))
  test('a length above socket.request.max.bytes', () => closes(int32(104_857_601)))
  test('a frame of no bytes', () => closes(int32(0)))
  test('a frame that ends inside the request header', () => closes(int32(6), int16(METADATA), int16(1), int16(0)))
  test('an unknown API key', () => closes(requestFrame(9_999, 0, 1, Buffer.alloc(0))))
  test('a negative API key', () => closes(requestFrame(-1, 0, 1, Buffer.alloc(0))))
  test('an API that only controllers serve', () => closes(requestFrame(52, 0, 1, Buffer.alloc(0), 2)))
  test('an unknown version of a known API', () => closes(requestFrame(METADATA, 99, 1, int32(0), 2)))
  test('a negative version', () => closes(requestFrame(METADATA, -1, 1, int32(0))))
  // ApiVersions shows Produce from version 0 on for the sake of an old librdkafka (KIP-896), and nothing more.
  test('a Produce request of version 2', () =>
    closes(requestFrame(0, 2, 1, Buffer.concat([int16(1), int32(1_000), int32(0)]))))
  test('a body that ends too early', () => closes(requestFrame(METADATA, 1, 1, Buffer.concat([int32(2), text('one')]))))
  test('an array of two thousand million elements', () => closes(requestFrame(METADATA, 1, 1, int32(0x7fffffff))))
  test('a string longer than the frame', () =>
    closes(requestFrame(METADATA, 1, 1, Buffer.concat([int32(1), int16(30_000), Buffer.from('x')]))))
})

describe('a connection is served when', { timeout }, () => {
  test('the version of ApiVersions is unknown: the answer has version 0, error 35 and the versions of ApiVersions (KIP-511)', () =>
    connected(async wire => {
      wire.send(requestFrame(API_VERSIONS, 99, 5, Buffer.from([1, 1, 0]), 2))
      const answer = (await wire.frame())!
      equal(answer.readInt32BE(0), 5)
      equal(answer.readInt16BE(4), 35)
      // Nothing but this one API: from it the client learns with which version to ask for the rest.
      deepEqual([...versionRanges(answer).keys()], [API_VERSIONS])
      wire.send(apiVersions0(6))
      const second = (await wire.frame())!
      equal(second.readInt16BE(4), 0)
      ok(versionRanges(second).has(METADATA))
    }))

  test('a frame arrives byte by byte', () =>
    connected(async wire => {
      for (const byte of apiVersions0(7)) {
        wire.send(Buffer.of(byte))
        await new Promise(resolve => setImmediate(resolve))
      }
      equal((await wire.frame())?.readInt32BE(0), 7)
    }))

  test('many requests arrive at once: they are answered in order', () =>
    connected(async wire => {
      const ids = Array.from({ length: 50 }, (_, index) => 100 + index)
      wire.send(...ids.map(id => (id % 2 === 0 ? apiVersions0(id) : requestFrame(METADATA, 1, id, int32(0)))))
      for (const id of ids) equal((await wire.frame())?.readInt32BE(0), id)
    }))

  test('tagged fields that nobody knows are in the header and in the body', () =>
    connected(async wire => {
      // ApiVersions v3: client id, one tag in the header; software name and version, one tag in the body.
      const tag = Buffer.from([1, 0x63, 2, 0xca, 0xfe])
      const header = Buffer.concat([int16(API_VERSIONS), int16(3), int32(8), text('wire'), tag])
      const body = Buffer.concat([Buffer.from([5]), Buffer.from('wire'), Buffer.from([2]), Buffer.from('1'), tag])
      wire.send(int32(header.length + body.length), header, body)
      const answer = (await wire.frame())!
      equal(answer.readInt32BE(0), 8)
      equal(answer.readInt16BE(4), 0)
    }))

  for (const [what, version, topics, headerVersion] of [
    ['a request', 1, int32(0), 1],
    ['a request of a flexible version', 12, Buffer.of(1, 1, 1, 0), 2],
  ] as const) {
    test(`bytes are left over behind ${what}: they are ignored`, () =>
      connected(async wire => {
        const left = Buffer.from('left over')
        wire.send(requestFrame(METADATA, version, 12, Buffer.concat([topics, left]), headerVersion), apiVersions0(13))
        equal((await wire.frame())?.readInt32BE(0), 12)
        equal((await wire.frame())?.readInt32BE(0), 13)
      }))
  }

  test('the client id is null', () =>
    connected(async wire => {
      const header = Buffer.concat([int16(METADATA), int16(1), int32(9), int16(-1)])
      wire.send(int32(header.length + 4), header, int32(0))
      equal((await wire.frame())?.readInt32BE(0), 9)
    }))

  test('the name of the client software is invalid: ApiVersions answers INVALID_REQUEST', () =>
    connected(async wire => {
      wire.send(
        requestFrame(
          API_VERSIONS,
          3,
          10,
          Buffer.concat([Buffer.from([4]), Buffer.from('a b'), Buffer.from([2]), Buffer.from('1'), Buffer.of(0)]),
          2,
        ),
      )
      const answer = (await wire.frame())!
      equal(answer.readInt16BE(4), 42)
    }))
})

describe('half a frame', { timeout }, () => {
  test('and then nothing more does not disturb other connections', () =>
    connected(async wire => {
      wire.send(int32(1_000), randomBytes(10))
      const other = await Wire.open(broker)
      other.send(apiVersions0(11))
      equal((await other.frame())?.readInt32BE(0), 11)
      other.destroy()
    }))

  test('and then the end of the connection does not disturb the broker', () =>
    connected(async wire => {
      wire.send(int32(1_000), randomBytes(10))
      wire.end()
      equal((await wire.closed()).length, 0)
    }))

  test('a large one that ends early does not disturb the broker', () =>
    connected(async wire => {
      wire.send(int32(90_000_000), randomBytes(1_000_000))
      wire.end()
      equal((await wire.closed()).length, 0)
    }))
})

/** The ranges of an ApiVersions answer of version 0: key -> [min, max]. */
function versionRanges(answer: Buffer): Map<number, [number, number]> {
  const count = answer.readInt32BE(6)
  equal(answer.length, 10 + count * 6)
  const rangeAt = (at: number): [number, [number, number]] => [
    answer.readInt16BE(at),
    [answer.readInt16BE(at + 2), answer.readInt16BE(at + 4)],
  ]
  return new Map(Array.from({ length: count }, (_, index) => rangeAt(10 + index * 6)))
}
