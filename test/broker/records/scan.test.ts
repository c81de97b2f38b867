// Malformed records inside a batch whose header and checksum are right. Each is a sequence of bytes that somebody hostile would send.
import { equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { encodeRecords } from '../../../broker/records/record-writer.ts'
import { scanRecords, type Scan, type ScanRules } from '../../../broker/records/scan.ts'
import { Samples } from './samples.ts'

const ANY: ScanRules = {
  isCompacted: false,
  earliestTimestamp: -Infinity,
  latestTimestamp: Infinity,
  timestampRefusal: null,
  maxErrors: 10,
}

const HUGE = [0xfe, 0xff, 0xff, 0xff, 0x0f]
const LOWEST = [0xff, 0xff, 0xff, 0xff, 0x0f]

/** The parts of a record behind its length: attributes, timestamp delta, offset delta, key, value, headers. */
const body = (...parts: readonly (number | readonly number[])[]): number[] => parts.flat()

const withLength = (bytes: readonly number[]): number[] => [bytes.length * 2, ...bytes]

const scan = (bytes: readonly number[] | Buffer, count = 1): Scan => scanRecords(Buffer.from(bytes), 0, count, 0, ANY)

const malformed: Record<string, number[]> = {
  'nothing at all': [],
  'a length of zero': [0],
  'a negative length': [1],
  'a negative length that would fit': [13, 0, 0, 0, 1, 1, 0],
  'the lowest length': LOWEST,
  'a length of 2^31 - 1': HUGE,
  'a length that never ends': Array<number>(20).fill(0x80),
  'a length one too large': [16, 0, 0, 0, 1, 1, 0],
  'a length one too small': [10, 0, 0, 0, 1, 1, 0],
  'only attributes': withLength([0]),
  'no headers count': withLength([0, 0, 0, 1, 1]),
  'a timestamp delta of eleven bytes': withLength(body(0, Array<number>(10).fill(0x80), 0, 0, 1, 1, 0)),
  'an offset delta of six bytes': withLength(body(0, 0, Array<number>(5).fill(0x80), 0, 1, 1, 0)),
  'a key of 2^31 - 1 bytes': withLength(body(0, 0, 0, HUGE, 1, 0)),
  'a key that takes the value too': withLength(body(0, 0, 0, 8, 1, 0)),
  'a value of 2^31 - 1 bytes': withLength(body(0, 0, 0, 1, HUGE, 0)),
  'a value that takes the headers too': withLength(body(0, 0, 0, 1, 2, 0)),
  'a value that is shorter than the record': withLength(body(0, 0, 0, 1, 2, 7, 7, 7)),
  'a headers count of 2^31 - 1': withLength(body(0, 0, 0, 1, 1, HUGE)),
  'a negative headers count': withLength(body(0, 0, 0, 1, 1, 1)),
  'the lowest headers count': withLength(body(0, 0, 0, 1, 1, LOWEST)),
  'one header and no bytes for it': withLength(body(0, 0, 0, 1, 1, 2)),
  'a header with a null key': withLength(body(0, 0, 0, 1, 1, 2, 1, 1)),
  'a header that is only a null key': withLength(body(0, 0, 0, 1, 1, 2, 1)),
  'a header key of 2^31 - 1 bytes': withLength(body(0, 0, 0, 1, 1, 2, HUGE, 0)),
  'a header value of 2^31 - 1 bytes': withLength(body(0, 0, 0, 1, 1, 2, 0, HUGE)),
  'a header value that is cut off': withLength(body(0, 0, 0, 1, 1, 2, 0, 4, 9)),
  'bytes behind the last header': withLength(body(0, 0, 0, 1, 1, 2, 0, 1, 9)),
}

for (const [what, bytes] of Object.entries(malformed)) {
  test(`${what} is a malformed record`, () => {
    ok(scan(bytes).problem !== null)
    // The same with enough bytes behind it that no reader runs into the end of the batch.
    ok(scan([...bytes, ...Array<number>(64).fill(0)]).problem !== null)
  })
}

test('null, negative and empty keys and values are what Kafka takes for null and empty', () => {
  for (const size of [0, 1, 3, 5]) {
    equal(scan(withLength(body(0, 0, 0, size, 1, 0))).problem, null)
    equal(scan(withLength(body(0, 0, 0, 1, size, 0))).problem, null)
    equal(scan(withLength(body(0, 0, 0, 1, 1, 2, 0, size))).problem, null)
  }
})

test('attributes of a record mean nothing', () => {
  equal(scan(withLength(body(0xff, 0, 0, 1, 1, 0))).problem, null)
})

test('numbers may be longer than they need to be', () => {
  equal(
    scan(withLength(body(0, [0x80, 0x00], [0x80, 0x80, 0x00], [0x81, 0x00], 1, [0x80, 0x80, 0x80, 0x80, 0x00])))
      .problem,
    null,
  )
})

test('bytes behind the last record are malformed', () => {
  const one = withLength(body(0, 0, 0, 1, 1, 0))
  equal(scan(one).problem, null)
  ok(scan([...one, 0]).problem !== null)
  ok(scan([...one, ...one]).problem !== null)
})

test('a claim of more records than there are bytes ends at the end of the bytes', () => {
  const one = withLength(body(0, 0, 0, 1, 1, 0))
  ok(scan(one, 2 ** 31 - 1).problem !== null)
})

test('the quick way and the general way judge every record alike', () => {
  // A record of usual shape is read in registers; appended headers force the general way. The key figures must not differ.
  for (let seed = 1; seed <= 300; seed++) {
    const samples = new Samples(seed)
    const plain = Array.from({ length: 1 + samples.below(5) }, () => ({
      timestamp: samples.below(20_000) - 10_000,
      key: samples.field(),
      value: samples.field(),
    }))
    const general = plain.map(record => ({ ...record, headers: [{ key: 'h' }] }))
    const rules: ScanRules = {
      ...ANY,
      isCompacted: samples.chance(0.5),
      earliestTimestamp: -5000,
      latestTimestamp: 5000,
    }
    const [quick, slow] = [plain, general].map(records => {
      const bytes = encodeRecords(records, 3, 0)
      const { problem, maxTimestamp, isSequential, errors } = scanRecords(bytes, 0, records.length, 3, rules)
      return JSON.stringify({ problem, maxTimestamp, isSequential, errors })
    })
    equal(quick, slow, `seed ${seed}`)
  }
})

test('a changed byte never makes a record longer than its batch', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const samples = new Samples(seed)
    const records = samples.records(1 + samples.below(4))
    const bytes = encodeRecords(records, 0, 0)
    for (let round = 0; round < 50; round++) {
      const changed = Buffer.from(bytes)
      changed[samples.below(Math.min(changed.length, 40))] = samples.below(256)
      const result = scan(changed.subarray(0, changed.length - samples.below(2)), records.length)
      ok(result.problem === null || result.problem.length > 0)
    }
  }
})
