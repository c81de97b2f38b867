// Records of stored batches.
import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { buildBatch, HEADER_SIZE, setBaseOffset } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { COMPRESSIONS, Samples } from './samples.ts'

test('records are read with their offsets, timestamps, nulls and headers', () => {
  const batch = buildBatch({
    baseOffset: 100,
    records: [
      { timestamp: 1000, key: Buffer.from('k'), value: Buffer.from('v') },
      { timestamp: 900, key: null, value: null },
      {
        timestamp: 2 ** 42,
        key: Buffer.alloc(0),
        value: Buffer.alloc(0),
        headers: [{ key: 'ä' }, { key: '', value: Buffer.from('x') }],
      },
    ],
  })
  deepEqual(readRecords(batch), [
    { offset: 100, timestamp: 1000, key: Buffer.from('k'), value: Buffer.from('v'), headers: [] },
    { offset: 101, timestamp: 900, key: null, value: null, headers: [] },
    {
      offset: 102,
      timestamp: 2 ** 42,
      key: Buffer.alloc(0),
      value: Buffer.alloc(0),
      headers: [
        { key: 'ä', value: null },
        { key: '', value: Buffer.from('x') },
      ],
    },
  ])
})

test('whatever was built is read back, with every compression', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const samples = new Samples(seed)
    const records = samples.records(1 + samples.below(60))
    for (const compression of COMPRESSIONS) {
      const batch = buildBatch({ baseOffset: seed, compression, records })
      const expected = records.map(({ timestamp, key, value, headers }, index) => ({
        offset: seed + index,
        timestamp,
        key: key ?? null,
        value: value ?? null,
        headers: (headers ?? []).map(header => ({ key: header.key, value: header.value ?? null })),
      }))
      deepEqual(readRecords(batch), expected, `seed ${seed}, ${compression}`)
    }
  }
})

test('a batch is read when others follow it in the buffer', () => {
  const batch = buildBatch({ records: [{ timestamp: 1, value: Buffer.from('a') }] })
  equal(readRecords(Buffer.concat([batch, batch])).length, 1)
})

test('keys and values of an uncompressed batch are slices of it', () => {
  const batch = buildBatch({ records: [{ timestamp: 1, value: Buffer.from('abc') }] })
  const value = readRecords(batch)[0]!.value!
  equal(value.buffer, batch.buffer)
})

test('offsets follow the batch when it is moved', () => {
  const batch = buildBatch({ compression: 'gzip', records: [{ timestamp: 1 }, { timestamp: 2 }] })
  setBaseOffset(batch, 0, 2 ** 40)
  deepEqual(
    readRecords(batch).map(({ offset }) => offset),
    [2 ** 40, 2 ** 40 + 1],
  )
})

test('a batch without records has none', () => {
  deepEqual(readRecords(buildBatch({ records: [] })), [])
})

test('a corrupt batch throws and is not read in part', () => {
  const records = [
    { timestamp: 1, key: Buffer.from('key'), value: Buffer.from('value'), headers: [{ key: 'h', value: null }] },
  ]
  const batch = buildBatch({ records })
  const change = (at: number, byte: number): Buffer => {
    const copy = Buffer.from(batch)
    copy[HEADER_SIZE + at] = byte
    return copy
  }
  throws(() => readRecords(change(0, 0x7e)), /claims 63 bytes/)
  throws(() => readRecords(change(0, 0x01)), /claims -1 bytes/)
  throws(() => readRecords(change(4, 0x7e)), /malformed|headers/)
  throws(() => readRecords(change(14, 0x7e)), /claims 63 headers/)
  throws(() => readRecords(change(14, 0x01)), /claims -1 headers/)
  throws(() => readRecords(change(15, 0x01)), /no key/)
  const tooMany = Buffer.from(batch)
  tooMany.writeInt32BE(2, 57)
  throws(() => readRecords(tooMany))
  const tooFew = Buffer.from(batch)
  tooFew.writeInt32BE(0, 57)
  throws(() => readRecords(tooFew), /bytes follow the last record/)
})
