// Headers of record batches: reading, patching, building.
import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import * as batches from '../../../broker/records/batch.ts'
import { buildBatch, eachBatch, isCrcValid, readHeader } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'

const record = (timestamp: number, value: string): { timestamp: number; value: Buffer } => ({
  timestamp,
  value: Buffer.from(value),
})

// MemoryRecords.withTransactionalRecords of kafka-clients 4.4.0.
const FROM_JAVA =
  '00000000000000070000004a000000040220766072001000000001000001a3185c5000000001a3185c500500000000000000090003000000050000000' +
  '21c000000026b06762031020268027812000a02010676323200'

test('a batch without anything special has the defaults of a producer that is neither idempotent nor transactional', () => {
  const batch = buildBatch({ records: [record(1000, 'a'), record(3000, 'b'), record(2000, 'c')] })
  deepEqual(readHeader(batch), {
    baseOffset: 0,
    lastOffset: 2,
    sizeBytes: batch.length,
    leaderEpoch: -1,
    magic: 2,
    crc: batch.readUInt32BE(17),
    attributes: 0,
    compression: 'none',
    timestampType: 'CreateTime',
    isTransactional: false,
    isControl: false,
    baseTimestamp: 1000,
    maxTimestamp: 3000,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    lastSequence: -1,
    recordCount: 3,
  })
  equal(isCrcValid(batch), true)
})

test('a batch has every field it was built with', () => {
  const header = readHeader(
    buildBatch({
      baseOffset: 2 ** 40 + 5,
      leaderEpoch: 12,
      compression: 'zstd',
      timestampType: 'LogAppendTime',
      producerId: 2 ** 33,
      producerEpoch: 32767,
      baseSequence: 100,
      isTransactional: true,
      isControl: true,
      records: [record(5, 'a'), record(6, 'b')],
    }),
  )
  equal(header.baseOffset, 2 ** 40 + 5)
  equal(header.lastOffset, 2 ** 40 + 6)
  equal(header.leaderEpoch, 12)
  equal(header.attributes, 0b111100)
  equal(header.compression, 'zstd')
  equal(header.timestampType, 'LogAppendTime')
  equal(header.isTransactional, true)
  equal(header.isControl, true)
  equal(header.producerId, 2 ** 33)
  equal(header.producerEpoch, 32767)
  equal(header.baseSequence, 100)
  equal(header.lastSequence, 101)
})

test('the accessors say what readHeader says, at any position', () => {
  const batch = buildBatch({
    baseOffset: 3,
    producerId: 8,
    producerEpoch: 1,
    baseSequence: 2,
    records: [record(5, 'a')],
  })
  const at = 17
  const buffer = Buffer.concat([Buffer.alloc(at, 0xee), batch, Buffer.alloc(5, 0xee)])
  const header = readHeader(buffer, at)
  deepEqual(header, readHeader(batch))
  equal(batches.sizeOf(buffer, at), header.sizeBytes)
  equal(batches.baseOffset(buffer, at), header.baseOffset)
  equal(batches.lastOffset(buffer, at), header.lastOffset)
  equal(batches.leaderEpoch(buffer, at), header.leaderEpoch)
  equal(batches.magic(buffer, at), header.magic)
  equal(batches.crcOf(buffer, at), header.crc)
  equal(batches.attributes(buffer, at), header.attributes)
  equal(batches.compressionOf(buffer, at), header.compression)
  equal(batches.timestampType(buffer, at), header.timestampType)
  equal(batches.isTransactional(buffer, at), header.isTransactional)
  equal(batches.isControl(buffer, at), header.isControl)
  equal(batches.baseTimestamp(buffer, at), header.baseTimestamp)
  equal(batches.maxTimestamp(buffer, at), header.maxTimestamp)
  equal(batches.producerId(buffer, at), header.producerId)
  equal(batches.producerEpoch(buffer, at), header.producerEpoch)
  equal(batches.baseSequence(buffer, at), header.baseSequence)
  equal(batches.lastSequence(buffer, at), header.lastSequence)
  equal(batches.recordCount(buffer, at), header.recordCount)
  equal(isCrcValid(buffer, at), true)
})

test('an int64 of a header is exact up to 2^53, also when negative', () => {
  const batch = buildBatch({ records: [record(0, 'a')] })
  for (const offset of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -(2 ** 32), -(2 ** 53) + 1]) {
    batches.setBaseOffset(batch, 0, offset)
    equal(batches.baseOffset(batch, 0), offset)
    equal(batch.readBigInt64BE(0), BigInt(offset))
  }
})

test('sequences wrap from 2^31 - 1 to 0', () => {
  const records = [record(0, 'a'), record(0, 'b'), record(0, 'c')]
  equal(readHeader(buildBatch({ producerId: 1, baseSequence: 2 ** 31 - 3, records })).lastSequence, 2 ** 31 - 1)
  equal(readHeader(buildBatch({ producerId: 1, baseSequence: 2 ** 31 - 2, records })).lastSequence, 0)
  equal(readHeader(buildBatch({ producerId: 1, baseSequence: 2 ** 31 - 1, records })).lastSequence, 1)
})

test('moving a batch and stamping its leader epoch leave the checksum alone', () => {
  const batch = buildBatch({ records: [record(0, 'a')] })
  const crc = batches.crcOf(batch, 0)
  batches.setBaseOffset(batch, 0, 77)
  batches.setLeaderEpoch(batch, 0, 5)
  equal(batches.baseOffset(batch, 0), 77)
  equal(batches.leaderEpoch(batch, 0), 5)
  equal(batches.crcOf(batch, 0), crc)
  equal(isCrcValid(batch), true)
})

test('LogAppendTime gives every record one timestamp and renews the checksum', () => {
  const batch = buildBatch({ records: [record(10, 'a'), record(20, 'b')] })
  batches.setLogAppendTime(batch, 0, 99)
  equal(batches.timestampType(batch, 0), 'LogAppendTime')
  equal(batches.maxTimestamp(batch, 0), 99)
  equal(isCrcValid(batch), true)
  deepEqual(
    readRecords(batch).map(({ timestamp }) => timestamp),
    [99, 99],
  )
})

test('a largest timestamp that is right already does not cost a checksum', () => {
  const batch = buildBatch({ records: [record(10, 'a')] })
  const before = Buffer.from(batch)
  batches.setMaxTimestamp(batch, 0, 'CreateTime', 10)
  deepEqual(batch, before)
  batches.setMaxTimestamp(batch, 0, 'CreateTime', 11)
  equal(batches.maxTimestamp(batch, 0), 11)
  equal(isCrcValid(batch), true)
})

test('any flipped bit behind the checksum is seen', () => {
  const batch = buildBatch({ records: [record(10, 'a')] })
  for (let at = 17; at < batch.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      batch[at]! ^= 1 << bit
      equal(isCrcValid(batch), false)
      batch[at]! ^= 1 << bit
    }
  }
  equal(isCrcValid(batch), true)
})

test('batches are visited one after the other, up to the first that is cut off', () => {
  const first = buildBatch({ records: [record(0, 'a')] })
  const second = buildBatch({ baseOffset: 1, records: [record(0, 'bb'), record(0, 'c')] })
  const both = Buffer.concat([first, second])
  deepEqual([...eachBatch(both)], [0, first.length])
  deepEqual([...eachBatch(both, first.length)], [first.length])
  deepEqual([...eachBatch(both.subarray(0, both.length - 1))], [0])
  deepEqual([...eachBatch(both.subarray(0, first.length + 11))], [0])
  deepEqual([...eachBatch(Buffer.alloc(0))], [])
  deepEqual([...eachBatch(Buffer.alloc(200))], [], 'a size that is less than a header would not move on')
})

test('a batch that is not whole has no valid checksum', () => {
  const batch = buildBatch({ records: [record(0, 'a')] })
  equal(isCrcValid(batch.subarray(0, batch.length - 1)), false)
  equal(isCrcValid(batch.subarray(0, 20)), false)
  batch.writeInt32BE(-50, 8)
  equal(isCrcValid(batch), false)
})

test('a compression that does not exist is known before it is asked for', () => {
  const batch = buildBatch({ records: [record(0, 'a')] })
  for (const id of [5, 6, 7]) {
    batch[22] = id
    equal(batches.isCompressionKnown(batch, 0), false)
    throws(() => readHeader(batch), /Unknown compression type id/)
  }
})

test('a batch without records keeps its place, as compaction leaves it', () => {
  const header = readHeader(buildBatch({ baseOffset: 4, records: [] }))
  equal(header.recordCount, 0)
  equal(header.lastOffset, 4)
  equal(header.baseTimestamp, -1)
  equal(header.maxTimestamp, -1)
})

test('the batch of Java is built byte for byte', () => {
  const built = buildBatch({
    baseOffset: 7,
    leaderEpoch: 4,
    producerId: 9,
    producerEpoch: 3,
    baseSequence: 5,
    isTransactional: true,
    records: [
      {
        timestamp: 1_800_000_000_000,
        key: Buffer.from('k'),
        value: Buffer.from('v 1'),
        headers: [{ key: 'h', value: Buffer.from('x') }],
      },
      { timestamp: 1_800_000_000_005, value: Buffer.from('v22') },
    ],
  })
  equal(built.toString('hex'), FROM_JAVA)
})
