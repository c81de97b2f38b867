// The numbers inside a record.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { sizeOfVarint, sizeOfVarlong, VarintReader, writeVarint, writeVarlong } from '../../../broker/records/varint.ts'

const INT32_EDGES = [
  0,
  -1,
  1,
  63,
  -64,
  64,
  -65,
  8191,
  -8192,
  8192,
  2 ** 20,
  -(2 ** 20),
  2 ** 27,
  2 ** 28,
  2 ** 31 - 1,
  -(2 ** 31),
]
const INT64_EDGES = [
  ...INT32_EDGES,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 41,
  1_800_000_000_000,
  -1_800_000_000_000,
  2 ** 53 - 1,
  -(2 ** 53) + 1,
]

function readerOf(bytes: readonly number[]): VarintReader {
  return new VarintReader(Buffer.from(bytes), 0, bytes.length)
}

test('a 32-bit number is written as Kafka writes it', () => {
  const buffer = Buffer.alloc(5)
  for (const [value, bytes] of [
    [0, [0]],
    [-1, [1]],
    [1, [2]],
    [300, [0xd8, 0x04]],
    [2 ** 31 - 1, [0xfe, 0xff, 0xff, 0xff, 0x0f]],
    [-(2 ** 31), [0xff, 0xff, 0xff, 0xff, 0x0f]],
  ] as const) {
    deepEqual([...buffer.subarray(0, writeVarint(buffer, 0, value))], bytes)
  }
})

test('a 64-bit number is written as Kafka writes it', () => {
  const buffer = Buffer.alloc(10)
  for (const [value, bytes] of [
    [0, [0]],
    [-1, [1]],
    [2 ** 31, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [2 ** 53 - 1, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]],
  ] as const) {
    deepEqual([...buffer.subarray(0, writeVarlong(buffer, 0, value))], bytes)
  }
})

test('what was written is read back, and has the size that was announced', () => {
  const buffer = Buffer.alloc(16)
  for (const value of INT32_EDGES) {
    const end = writeVarint(buffer, 0, value)
    equal(end, sizeOfVarint(value))
    equal(new VarintReader(buffer, 0, end).varint(), value)
  }
  for (const value of INT64_EDGES) {
    const end = writeVarlong(buffer, 0, value)
    equal(end, sizeOfVarlong(value))
    const reader = new VarintReader(buffer, 0, end)
    equal(reader.varlong(), value)
    equal(reader.at, end)
  }
})

test('a 64-bit number beyond 2^53 keeps its sign and its size, not its last digits', () => {
  equal(readerOf([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).varlong(), 2 ** 63)
  equal(readerOf([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).varlong(), -(2 ** 63))
})

test('bits that do not fit are dropped as Java drops them', () => {
  equal(readerOf([0xfe, 0xff, 0xff, 0xff, 0x7f]).varint(), 2 ** 31 - 1)
  equal(readerOf([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e]).varlong(), 0)
})

test('a number that is too long or cut off breaks the reader and moves it to its end', () => {
  for (const bytes of [[], [0x80], [0xff, 0xff], [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]]) {
    const reader = readerOf(bytes)
    reader.varint()
    equal(reader.isBroken, true)
    equal(reader.at, bytes.length)
  }
  for (const bytes of [[], [0x80], [...Array<number>(10).fill(0x80), 0]]) {
    const reader = readerOf(bytes)
    reader.varlong()
    equal(reader.isBroken, true)
    equal(reader.at, bytes.length)
  }
})

test('a reader does not see what is behind its end', () => {
  const reader = new VarintReader(Buffer.from([0x80, 0x01]), 0, 1)
  reader.varint()
  equal(reader.isBroken, true)
})

test('skipping more than is left breaks the reader', () => {
  const reader = readerOf([1, 2, 3])
  reader.skip(3)
  equal(reader.isBroken, false)
  reader.skip(1)
  equal(reader.isBroken, true)
})
