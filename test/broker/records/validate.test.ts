// What a broker refuses from producers. Where nothing else is said, Apache Kafka 4.4 gave the same answer to the same bytes.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { buildBatch, withRecords } from '../../../broker/records/batch.ts'
import { compress } from '../../../broker/records/compression.ts'
import type { RecordInit } from '../../../broker/records/record.ts'
import { MAX_DECOMPRESSED_BYTES } from '../../../broker/records/validate.ts'
import { COMPRESSIONS, NOW, resealed } from './samples.ts'
import { accept, batchOf, changed, HOUR_MS, refuse, TWO } from './verdicts.ts'

const { CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE } = ErrorCode
const { UNSUPPORTED_COMPRESSION_TYPE } = ErrorCode

test('exactly one whole batch is needed', () => {
  const batch = batchOf()
  refuse(INVALID_RECORD, Buffer.alloc(0))
  refuse(INVALID_RECORD, batch.subarray(0, 10))
  refuse(INVALID_RECORD, batch.subarray(0, batch.length - 1))
  refuse(INVALID_RECORD, Buffer.concat([batch, batch]))
})

test('the beginning of a second batch is dropped without a word', () => {
  const batch = batchOf()
  for (const rest of [1, 11, 12, 16, 17, 60, batch.length - 1])
    deepEqual(accept(Buffer.concat([batch, batch.subarray(0, rest)])), batch, `${rest} bytes`)
})

test('a size or a magic that no batch has is corruption, in a second batch too', () => {
  for (const length of [0, -1, 13, -(2 ** 31)]) {
    const batch = batchOf()
    batch.writeInt32BE(length, 8)
    refuse(CORRUPT_MESSAGE, batch)
    refuse(CORRUPT_MESSAGE, Buffer.concat([batchOf(), batch]))
  }
  for (const magic of [3, 4, 127, 255]) {
    const batch = batchOf()
    batch[16] = magic
    refuse(CORRUPT_MESSAGE, batch)
    refuse(CORRUPT_MESSAGE, Buffer.concat([batchOf(), batch]))
  }
})

test('the formats before magic 2 are refused', () => {
  for (const magic of [0, 1]) {
    const batch = batchOf()
    batch[16] = magic
    refuse(INVALID_RECORD, batch)
  }
})

test('a batch that is smaller than a header is corrupt', () => {
  for (const size of [26, 57, 60]) refuse(CORRUPT_MESSAGE, resealed(Buffer.from(batchOf().subarray(0, size))))
})

test('the base offset is 0: offsets are given by the broker', () => {
  refuse(INVALID_RECORD, batchOf({ baseOffset: 1 }))
  refuse(INVALID_RECORD, batchOf({ baseOffset: -1 }))
})

test('a wrong checksum is corruption', () => {
  const batch = batchOf()
  batch[batch.length - 1]! ^= 1
  refuse(CORRUPT_MESSAGE, batch)
})

test('max.message.bytes counts the whole batch', () => {
  const batch = batchOf()
  accept(batch, { maxMessageBytes: batch.length })
  refuse(MESSAGE_TOO_LARGE, batch, { maxMessageBytes: batch.length - 1 })
})

test('segment.bytes counts the batch as it is stored, and is looked at last', () => {
  const batch = batchOf()
  accept(batch, { segmentBytes: batch.length })
  refuse(RECORD_LIST_TOO_LARGE, batch, { segmentBytes: batch.length - 1 })
  refuse(MESSAGE_TOO_LARGE, batch, { segmentBytes: batch.length - 1, maxMessageBytes: batch.length - 1 })
  const small = batchOf({ compression: 'gzip', records: [{ timestamp: NOW, key: null, value: Buffer.alloc(5000) }] })
  accept(small, { segmentBytes: 1000 })
  refuse(RECORD_LIST_TOO_LARGE, small, { segmentBytes: 1000, compressionType: 'none' })
  const old = batchOf({ records: [{ timestamp: NOW - 10 * HOUR_MS, key: null, value: Buffer.alloc(100) }] })
  refuse(INVALID_TIMESTAMP, old, { segmentBytes: 50, timestampBeforeMaxMs: HOUR_MS })
})

test('a batch that is too large is told so before anybody reads it for a checksum', () => {
  const batch = batchOf()
  batch[batch.length - 1]! ^= 1
  refuse(MESSAGE_TOO_LARGE, batch, { maxMessageBytes: 100 })
})

test('a compression that does not exist is unsupported, where Kafka has an unknown error', () => {
  for (const id of [5, 6, 7])
    refuse(
      UNSUPPORTED_COMPRESSION_TYPE,
      changed({}, batch => (batch[22] = id)),
    )
})

test('the offsets of a batch are as many as its records', () => {
  refuse(
    INVALID_RECORD,
    changed({}, batch => batch.writeInt32BE(3, 57)),
  )
  refuse(
    INVALID_RECORD,
    changed({}, batch => batch.writeInt32BE(2, 23)),
  )
  refuse(
    INVALID_RECORD,
    changed({}, batch => batch.writeInt32BE(-1, 23)),
  )
  refuse(
    INVALID_RECORD,
    changed({}, batch => batch.writeInt32BE(2 ** 31 - 1, 23)),
  )
})

test('a batch has at least one record', () => {
  refuse(INVALID_RECORD, buildBatch({ records: [] }))
  for (const count of [0, -1, -(2 ** 31)]) {
    refuse(
      INVALID_RECORD,
      changed({}, batch => {
        batch.writeInt32BE(count, 57)
        batch.writeInt32BE((count - 1) | 0, 23)
      }),
    )
  }
})

test('a batch has exactly as many records as it claims', () => {
  for (const compression of COMPRESSIONS) {
    for (const count of [1, 3, 1000, 2 ** 31 - 1]) {
      refuse(
        INVALID_RECORD,
        changed({ compression }, batch => {
          batch.writeInt32BE(count, 57)
          batch.writeInt32BE(count - 1, 23)
        }),
      )
    }
  }
})

test('clients may not write control batches', () => {
  refuse(INVALID_RECORD, batchOf({ isControl: true }))
})

test('an idempotent batch has a sequence number', () => {
  accept(batchOf({ producerId: 0, producerEpoch: 0, baseSequence: 0 }))
  accept(batchOf({ producerId: 7, producerEpoch: 3, baseSequence: 2 ** 31 - 1 }))
  refuse(INVALID_RECORD, batchOf({ producerId: 0, producerEpoch: 0, baseSequence: -1 }))
  refuse(INVALID_RECORD, batchOf({ producerId: 7, producerEpoch: 0, baseSequence: -2 }))
})

test('a transactional batch has a producer id, which Kafka checks elsewhere', () => {
  accept(batchOf({ producerId: 7, producerEpoch: 0, baseSequence: 0, isTransactional: true }))
  refuse(INVALID_RECORD, batchOf({ isTransactional: true }))
})

test('producer ids that no broker gives are refused', () => {
  refuse(INVALID_RECORD, batchOf({ producerId: -2 }))
  refuse(
    INVALID_RECORD,
    changed({ producerId: 1, producerEpoch: 0, baseSequence: 0 }, batch => batch.writeBigInt64BE(2n ** 60n, 43)),
  )
})

test('a compacted topic refuses records without a key and says which', () => {
  const records: RecordInit[] = [
    { timestamp: NOW, key: Buffer.alloc(0) },
    { timestamp: NOW },
    TWO[0]!,
    { timestamp: NOW, key: null },
  ]
  for (const compression of COMPRESSIONS) {
    const refusal = refuse(INVALID_RECORD, batchOf({ compression, records }), { isCompacted: true })
    deepEqual(
      refusal.recordErrors.map(({ batchIndex }) => batchIndex),
      [1, 3],
    )
    accept(batchOf({ compression, records }), { isCompacted: false })
  }
  accept(batchOf(), { isCompacted: true })
})

test('timestamps too far in the past or the future are refused record by record', () => {
  const timestamps = [NOW - 5001, NOW - 5000, NOW, NOW + 100, NOW + 101, -2, 0]
  const records = timestamps.map(timestamp => ({ timestamp }))
  const limits = { timestampBeforeMaxMs: 5000, timestampAfterMaxMs: 100 }
  const refusal = refuse(INVALID_TIMESTAMP, batchOf({ records }), limits)
  deepEqual(
    refusal.recordErrors.map(({ batchIndex }) => batchIndex),
    [0, 4, 5, 6],
  )
  ok(refusal.recordErrors[0]!.message!.includes(String(NOW - 5001)))
  accept(batchOf({ records: records.slice(1, 4) }), limits)
})

test('a limit of zero accepts only this very millisecond', () => {
  const limits = { timestampBeforeMaxMs: 0, timestampAfterMaxMs: 0 }
  accept(batchOf({ records: [{ timestamp: NOW }] }), limits)
  refuse(INVALID_TIMESTAMP, batchOf({ records: [{ timestamp: NOW - 1 }] }), limits)
  refuse(INVALID_TIMESTAMP, batchOf({ records: [{ timestamp: NOW + 1 }] }), limits)
})

test('a negative limit is none', () => {
  const records = [{ timestamp: 0 }, { timestamp: NOW * 2 }]
  accept(batchOf({ records }), { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 })
})

test('a record without a timestamp is fine, however narrow the limits', () => {
  accept(batchOf({ records: [{ timestamp: -1 }] }), { timestampBeforeMaxMs: 0, timestampAfterMaxMs: 0 })
})

test('one invalid timestamp among records without keys makes the error INVALID_TIMESTAMP', () => {
  const records = [{ timestamp: NOW }, { timestamp: NOW + 2 * HOUR_MS, key: Buffer.from('k') }]
  const refusal = refuse(INVALID_TIMESTAMP, batchOf({ records }), { isCompacted: true })
  deepEqual(
    refusal.recordErrors.map(({ batchIndex }) => batchIndex),
    [0, 1],
  )
})

test('timestamps beyond 2^53 are refused even where nothing limits them', () => {
  for (const base of [2n ** 53n, 2n ** 62n, -(2n ** 63n), 2n ** 63n - 1n]) {
    const batch = changed({}, bytes => bytes.writeBigInt64BE(base, 27))
    refuse(INVALID_TIMESTAMP, batch, { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 })
  }
})

test('a producer may not stamp LogAppendTime itself', () => {
  for (const timestampType of ['CreateTime', 'LogAppendTime'] as const) {
    const refusal = refuse(INVALID_TIMESTAMP, batchOf({ timestampType: 'LogAppendTime' }), { timestampType })
    equal(refusal.recordErrors.length, 2)
  }
})

test('compressed bytes that are none are refused for good, where Kafka has an unknown error', () => {
  for (const compression of COMPRESSIONS.filter(name => name !== 'none')) {
    refuse(INVALID_RECORD, withRecords(batchOf(), compression, Buffer.from('this is not compressed')))
    refuse(INVALID_RECORD, withRecords(batchOf(), compression, Buffer.alloc(0)))
  }
})

test('records that are larger than any batch should be when decompressed are too large, so that a producer splits them', () => {
  const value = Buffer.alloc(MAX_DECOMPRESSED_BYTES / 4)
  const part = compress('zstd', value)
  const bomb = withRecords(batchOf(), 'zstd', Buffer.concat([part, part, part, part, part]))
  ok(bomb.length < 20_000)
  refuse(MESSAGE_TOO_LARGE, bomb)
})

test('the number of record errors is bounded by the size of the batch', () => {
  const records = Array.from({ length: 20_000 }, () => ({ timestamp: NOW }))
  const batch = batchOf({ records })
  const refusal = refuse(INVALID_RECORD, batch, { isCompacted: true })
  equal(refusal.recordErrors.length, 100 + Math.floor(batch.length / 64))
})
