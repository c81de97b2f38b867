// The compiled codecs against the reference interpreter, on random messages of every API in every version, and on
// damaged ones. A failure names the seed; FLOTILLA_SEED=<seed> repeats it, FLOTILLA_ROUNDS=<n> looks longer.
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { describe, test } from 'vitest'
import { decodeRequest, decodeResponse, encodeRequestBody, encodeResponseBody } from '../../broker/protocol/compile.ts'
import { messages } from '../../broker/protocol/messages/index.ts'
import { ProtocolError } from '../../broker/protocol/reader.ts'
import type { Api } from '../../broker/protocol/schema.ts'
import { Writer } from '../../broker/protocol/writer.ts'
import { interpretDecode, interpretEncode } from './interpreter.ts'
import { below, randomMessage, type Chance } from './random-values.ts'
import { seededNumbers } from '../seeded.ts'

type Direction = 'request' | 'response'

const seed = Number(process.env['FLOTILLA_SEED'] ?? 20_260_101)
const rounds = Number(process.env['FLOTILLA_ROUNDS'] ?? 4)

const apis = [...messages.values()]

describe('every message in every version', () => {
  test('has the bytes that the interpreter gives it, and reads back as what was written', () => {
    eachMessage((api, direction, version, chance, what) => {
      const value = randomMessage(chance, api, direction, version)
      const bytes = interpretEncode(api, direction, version, value)
      equal(encode(api, direction, version, value).toString('hex'), bytes.toString('hex'), what)
      deepEqual(decode(api, direction, version, bytes), value, what)
    })
  })

  test('may be given without the fields that have a default', () => {
    eachMessage((api, direction, version, chance, what) => {
      const value = randomMessage(chance, api, direction, version)
      const sparse = Object.fromEntries(
        Object.entries(value).filter(([name]) => !api[direction][name]!.rules.isOptional || chance() < 0.5),
      )
      const bytes = interpretEncode(api, direction, version, sparse)
      equal(encode(api, direction, version, sparse).toString('hex'), bytes.toString('hex'), what)
    })
  })

  test('is refused when its frame ends early, wherever that is', () => {
    eachMessage((api, direction, version, chance, what) => {
      const whole = interpretEncode(api, direction, version, randomMessage(chance, api, direction, version))
      for (let length = 0; length < whole.length; length++) {
        throws(
          () => decode(api, direction, version, whole.subarray(0, length)),
          ProtocolError,
          `${what}, ${length} bytes`,
        )
      }
    }, 1)
  })

  test('is refused when bytes are left over', () => {
    eachMessage((api, direction, version, chance, what) => {
      const whole = interpretEncode(api, direction, version, randomMessage(chance, api, direction, version))
      throws(() => decode(api, direction, version, Buffer.concat([whole, Buffer.alloc(1)])), ProtocolError, what)
    }, 1)
  })

  test('is read as if there were nothing behind it when the caller says so, as Kafka reads requests', () => {
    eachMessage((api, direction, version, chance, what) => {
      if (direction === 'response') return
      const whole = interpretEncode(api, direction, version, randomMessage(chance, api, direction, version))
      const longer = Buffer.concat([whole, Buffer.from('left over')])
      deepEqual(decodeRequest(api, version, longer, 0, 'ignored'), decode(api, direction, version, whole), what)
    }, 1)
  })

  test('with flipped bits is refused or read exactly as the interpreter refuses or reads it', () => {
    eachMessage((api, direction, version, chance, what) => {
      const whole = interpretEncode(api, direction, version, randomMessage(chance, api, direction, version))
      for (let i = 0; i < 12 && whole.length > 0; i++) {
        const damaged = Buffer.from(whole)
        for (let flips = 1 + below(chance, 3); flips > 0; flips--) {
          damaged[below(chance, damaged.length)]! ^= 1 << below(chance, 8)
        }
        sameAsInterpreted(api, direction, version, damaged, `${what}, ${damaged.toString('hex')}`)
      }
    })
  })

  test('made of random bytes is refused or read exactly as the interpreter refuses or reads it', () => {
    eachMessage((api, direction, version, chance, what) => {
      // Mostly small numbers: they make lengths that fit, and so the deeper fields are reached.
      const bytes = Buffer.from(
        Array.from({ length: below(chance, 120) }, () => below(chance, chance() < 0.8 ? 4 : 256)),
      )
      sameAsInterpreted(api, direction, version, bytes, `${what}, ${bytes.toString('hex')}`)
    })
  })
})

function eachMessage(
  check: (api: Api, direction: Direction, version: number, chance: Chance, what: string) => void,
  times = rounds,
): void {
  for (const api of apis) {
    const [oldest, latest] = api.versions
    for (let version = oldest; version <= latest; version++) {
      for (const direction of ['request', 'response'] as const) {
        const chance = seededNumbers(seed + api.key * 1000 + version * 10 + (direction === 'request' ? 0 : 1))
        for (let i = 0; i < times; i++)
          check(api, direction, version, chance, `${api.name} ${direction} v${version}, FLOTILLA_SEED=${seed}`)
      }
    }
  }
}

function sameAsInterpreted(api: Api, direction: Direction, version: number, frame: Buffer, what: string): void {
  let expected: unknown
  let isRefused = false
  try {
    expected = interpretDecode(api, direction, version, frame, 0)
  } catch {
    isRefused = true
  }
  if (isRefused) throws(() => decode(api, direction, version, frame), ProtocolError, what)
  else deepEqual(decode(api, direction, version, frame), expected, what)
}

function encode(api: Api, direction: Direction, version: number, value: Record<string, unknown>): Buffer {
  const writer = new Writer(16)
  if (direction === 'request') encodeRequestBody(api, version, value, writer)
  else encodeResponseBody(api, version, value, writer)
  const chunks = writer.finish()
  ok(chunks.every(chunk => chunk.length > 0))
  return Buffer.concat(chunks)
}

function decode(api: Api, direction: Direction, version: number, frame: Buffer): unknown {
  return direction === 'request' ? decodeRequest(api, version, frame, 0) : decodeResponse(api, version, frame, 0)
}
