// What is stored of an accepted batch: mostly what came, sometimes with another time, compression or order.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { compressSync as snappyBlock } from 'snappy'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { HEADER_SIZE, readHeader, withRecords } from '../../../broker/records/batch.ts'
import { compress } from '../../../broker/records/compression.ts'
import { hasLinkedBlocks } from '../../../broker/records/lz4.ts'
import { readRecords, type RecordInit } from '../../../broker/records/record.ts'
import { encodeRecords } from '../../../broker/records/record-writer.ts'
import { COMPRESSIONS, NOW, resealed } from './samples.ts'
import { accept, batchOf, changed, HOUR_MS, refuse, TWO } from './verdicts.ts'

const { MESSAGE_TOO_LARGE } = ErrorCode

test('a batch of a producer is taken as it is, whatever its compression, and not copied', () => {
  for (const compression of COMPRESSIONS) {
    const batch = batchOf({ compression, producerId: 5, producerEpoch: 0, baseSequence: 0 })
    const before = Buffer.from(batch)
    const taken = accept(batch)
    equal(taken.buffer, batch.buffer)
    deepEqual(taken, before, compression)
  }
})

test('offsets inside an uncompressed batch are not looked at', () => {
  const batch = batchOf()
  const odd = resealed(Buffer.concat([batch.subarray(0, HEADER_SIZE), outOfOrder()]))
  const before = Buffer.from(odd)
  deepEqual(accept(odd), before)
})

test('a compressed batch whose offsets are out of order is written anew', () => {
  for (const compression of COMPRESSIONS.filter(name => name !== 'none')) {
    const odd = withRecords(batchOf(), compression, compress(compression, outOfOrder()))
    const taken = readRecords(accept(odd))
    deepEqual(
      taken.map(({ offset, key }) => [offset, key?.toString()]),
      [
        [0, 'a'],
        [1, 'b'],
      ],
    )
  }
})

test('an uncompressed batch whose offsets are out of order is put in order when the topic compresses', () => {
  const odd = resealed(Buffer.concat([batchOf().subarray(0, HEADER_SIZE), outOfOrder()]))
  const taken = accept(odd, { compressionType: 'lz4' })
  deepEqual(
    readRecords(taken).map(({ offset, timestamp }) => [offset, timestamp]),
    [
      [0, NOW - 1000],
      [1, NOW - 2000],
    ],
  )
})

/** The bytes of TWO, with the offset deltas 0 and 5. */
function outOfOrder(): Buffer {
  const gap: RecordInit[] = [TWO[0]!, ...Array<RecordInit>(4).fill({ timestamp: NOW - 1000 }), TWO[1]!]
  const all = encodeRecords(gap, NOW - 1000, 0)
  const withoutLast = encodeRecords(gap.slice(0, 5), NOW - 1000, 0)
  const first = encodeRecords(gap.slice(0, 1), NOW - 1000, 0)
  return Buffer.concat([first, all.subarray(withoutLast.length)])
}

test('the largest timestamp in the header is made right', () => {
  for (const compression of COMPRESSIONS) {
    const batch = changed({ compression }, bytes => bytes.writeBigInt64BE(5n, 35))
    equal(readHeader(accept(batch)).maxTimestamp, NOW - 1000)
  }
})

test('a topic with LogAppendTime stamps the batch and takes any timestamp', () => {
  for (const compression of COMPRESSIONS) {
    const records = [{ timestamp: 0 }, { timestamp: NOW + 100 * HOUR_MS }]
    const taken = accept(batchOf({ compression, records }), { timestampType: 'LogAppendTime', timestampBeforeMaxMs: 0 })
    const header = readHeader(taken)
    equal(header.timestampType, 'LogAppendTime')
    equal(header.maxTimestamp, NOW)
    equal(header.compression, compression)
    deepEqual(
      readRecords(taken).map(({ timestamp }) => timestamp),
      [NOW, NOW],
    )
  }
})

test('a topic with LogAppendTime does not care what a batch says of its own time', () => {
  const batch = changed({}, bytes => {
    bytes.writeBigInt64BE(2n ** 62n, 27)
    bytes.writeBigInt64BE(-(2n ** 62n), 35)
  })
  equal(readHeader(accept(batch, { timestampType: 'LogAppendTime' })).maxTimestamp, NOW)
})

test('a topic with its own compression compresses anew and keeps everything else', () => {
  const fields = { producerId: 7, producerEpoch: 2, baseSequence: 9, isTransactional: true }
  for (const from of COMPRESSIONS) {
    for (const to of COMPRESSIONS) {
      const batch = batchOf({ compression: from, ...fields })
      const before = { ...readHeader(batch), crc: 0, sizeBytes: 0, attributes: 0 }
      const taken = accept(batch, { compressionType: to })
      deepEqual({ ...readHeader(taken), crc: 0, sizeBytes: 0, attributes: 0 }, { ...before, compression: to })
      deepEqual(readRecords(taken), readRecords(batchOf()))
    }
  }
})

test('a batch that has the compression of the topic already is not compressed again', () => {
  for (const compression of COMPRESSIONS) {
    const batch = batchOf({ compression })
    equal(accept(batch, { compressionType: compression }).buffer, batch.buffer)
  }
})

test('the level of the topic is used', () => {
  const value = Buffer.from(Array.from({ length: 5000 }, (_, index) => `${(index * 7919) % 1000} `).join(''))
  const size = (compressionType: 'gzip' | 'zstd', compressionLevel: number): number =>
    accept(batchOf({ records: [{ timestamp: NOW, value }] }), { compressionType, compressionLevel }).length
  ok(size('gzip', 9) < size('gzip', 1))
  ok(size('zstd', 19) < size('zstd', 1))
})

test('compression and LogAppendTime go together', () => {
  const taken = accept(batchOf(), { compressionType: 'zstd', timestampType: 'LogAppendTime' })
  equal(readHeader(taken).compression, 'zstd')
  equal(readHeader(taken).timestampType, 'LogAppendTime')
  equal(readRecords(taken)[1]!.timestamp, NOW)
})

test('max.message.bytes counts the batch as it is stored, too', () => {
  const batch = batchOf({ compression: 'zstd', records: [{ timestamp: NOW, value: Buffer.alloc(50_000) }] })
  refuse(MESSAGE_TOO_LARGE, batch, { compressionType: 'none', maxMessageBytes: 1000 })
  accept(batch, { compressionType: 'none', maxMessageBytes: 51_000 })
})

test('lz4 frames with linked blocks, which Java cannot read, are rewritten', () => {
  const plain = batchOf({ compression: 'lz4' })
  const linked = Buffer.from(plain)
  // The flag and the header checksum of the frame: 0x40 0x40 has c0.
  linked[HEADER_SIZE + 4] = 0x40
  linked[HEADER_SIZE + 6] = 0xc0
  const taken = accept(resealed(linked))
  equal(hasLinkedBlocks(taken.subarray(HEADER_SIZE)), false)
  deepEqual(readRecords(taken), readRecords(plain))
})

test('raw snappy blocks, as librdkafka sends them, are kept as they are', () => {
  const raw = withRecords(batchOf(), 'snappy', snappyBlock(batchOf().subarray(HEADER_SIZE)))
  const before = Buffer.from(raw)
  deepEqual(accept(raw), before)
})
