// Random batches, whole and damaged, against validateProduce: it never throws, and what it accepts can be read and stays accepted.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { buildBatch, HEADER_SIZE, isCrcValid, readHeader, type BatchInit } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { validateProduce, type ProduceLimits, type ProduceVerdict } from '../../../broker/records/validate.ts'
import { COMPRESSIONS, NOW, resealed, Samples } from './samples.ts'

const ROUNDS = 150

function limitsFrom(samples: Samples): ProduceLimits {
  return {
    maxMessageBytes: samples.chance(0.05) ? samples.below(2000) : 1 << 24,
    segmentBytes: 1 << 30,
    isCompacted: samples.chance(0.2),
    timestampType: samples.chance(0.2) ? 'LogAppendTime' : 'CreateTime',
    timestampBeforeMaxMs: samples.chance(0.2) ? samples.below(100_000) : -1,
    timestampAfterMaxMs: samples.chance(0.2) ? 1000 : 3_600_000,
    compressionType: samples.chance(0.6) ? 'producer' : samples.pick(COMPRESSIONS),
  }
}

function batchFrom(samples: Samples): Buffer {
  const init: BatchInit = { compression: samples.pick(COMPRESSIONS), records: samples.records(1 + samples.below(8)) }
  if (samples.chance(0.5)) return buildBatch(init)
  return buildBatch({ ...init, producerId: samples.below(100), producerEpoch: 0, baseSequence: samples.below(1000) })
}

/** A verdict is a refusal that says why, or a batch that is whole, readable and would be accepted again as it is. */
function checkVerdict(verdict: ProduceVerdict, limits: ProduceLimits, context: string): void {
  if (verdict.errorCode !== 0) {
    ok(verdict.message.length > 0, context)
    ok(verdict.message.length < 500, context)
    return
  }
  const { batch, header } = verdict
  ok(isCrcValid(batch), context)
  deepEqual(readHeader(batch), header, context)
  equal(batch.length, header.sizeBytes, context)
  ok(batch.length <= limits.maxMessageBytes, context)
  const records = readRecords(batch)
  equal(records.length, header.recordCount, context)
  equal(Math.max(...records.map(({ timestamp }) => timestamp), -1), header.maxTimestamp, context)
  if (header.compression !== 'none') {
    deepEqual(
      records.map(({ offset }) => offset),
      records.map((_, index) => index),
      context,
    )
  }
  if (limits.timestampType === 'LogAppendTime') return
  const before = Buffer.from(batch)
  const again = validateProduce(batch, limits, NOW)
  ok(again.errorCode === 0, context)
  deepEqual(again.batch, before, context)
}

test('a batch that obeys the rules of the topic is accepted with all its records', () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const samples = new Samples(seed)
    const limits = {
      ...limitsFrom(samples),
      maxMessageBytes: 1 << 24,
      isCompacted: false,
      timestampBeforeMaxMs: -1,
      timestampAfterMaxMs: -1,
    }
    const batch = batchFrom(samples)
    const expected = readRecords(Buffer.from(batch))
    const verdict = validateProduce(batch, limits, NOW)
    ok(verdict.errorCode === 0, `seed ${seed}`)
    checkVerdict(verdict, limits, `seed ${seed}`)
    const isStamped = limits.timestampType === 'LogAppendTime'
    deepEqual(
      readRecords(verdict.batch),
      expected.map(record => (isStamped ? { ...record, timestamp: NOW } : record)),
      `seed ${seed}`,
    )
  }
})

test('a batch that is cut off anywhere is refused', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const samples = new Samples(seed)
    const batch = batchFrom(samples)
    const limits = limitsFrom(samples)
    for (let size = 0; size < batch.length; size += 1 + samples.below(1 + (batch.length >> 8)))
      ok(
        validateProduce(Buffer.from(batch.subarray(0, size)), limits, NOW).errorCode !== 0,
        `seed ${seed}, ${size} bytes`,
      )
  }
})

test('a flipped bit behind the checksum is always refused', () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const samples = new Samples(seed)
    const batch = batchFrom(samples)
    const limits = limitsFrom(samples)
    const at = 17 + samples.below(batch.length - 17)
    batch[at]! ^= 1 << samples.below(8)
    ok(validateProduce(batch, limits, NOW).errorCode !== 0, `seed ${seed}, byte ${at}`)
  }
})

test('a damaged batch with a right checksum gets a verdict that holds', () => {
  for (let seed = 1; seed <= 6 * ROUNDS; seed++) {
    const samples = new Samples(seed)
    const limits = limitsFrom(samples)
    const batch = batchFrom(samples)
    for (let count = samples.below(4); count >= 0; count--) {
      // Half of the damage goes to the first bytes behind the header, where lengths are; some to the header itself.
      const at = samples.chance(0.5)
        ? HEADER_SIZE + samples.below(Math.min(30, batch.length - HEADER_SIZE))
        : 21 + samples.below(batch.length - 21)
      batch[at] = samples.chance(0.5) ? samples.pick([0, 1, 0x7f, 0x80, 0xfe, 0xff]) : samples.below(256)
    }
    const damaged = resealed(
      samples.chance(0.2) ? batch.subarray(0, HEADER_SIZE + samples.below(batch.length - HEADER_SIZE)) : batch,
    )
    checkVerdict(validateProduce(damaged, limits, NOW), limits, `seed ${seed}`)
  }
})

test('a header of extremes gets a verdict', () => {
  const extremes = [0n, 1n, -1n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]
  for (let seed = 1; seed <= 4 * ROUNDS; seed++) {
    const samples = new Samples(seed)
    const limits = limitsFrom(samples)
    const batch = batchFrom(samples)
    for (let count = samples.below(3); count >= 0; count--) {
      const extreme = samples.pick(extremes)
      const at = samples.pick([23, 27, 35, 43, 51, 53, 57])
      if (at === 51) batch.writeInt16BE(Number(BigInt.asIntN(16, extreme)), at)
      else if (at === 27 || at === 35 || at === 43) batch.writeBigInt64BE(extreme, at)
      else batch.writeInt32BE(Number(BigInt.asIntN(32, extreme)), at)
    }
    if (samples.chance(0.2)) batch.writeBigInt64BE(samples.pick(extremes), 0)
    checkVerdict(validateProduce(resealed(batch), limits, NOW), limits, `seed ${seed}`)
  }
})

test('garbage gets a refusal', () => {
  for (let seed = 1; seed <= 10 * ROUNDS; seed++) {
    const samples = new Samples(seed)
    const garbage = samples.bytes(samples.below(300))
    if (garbage.length > 17 && samples.chance(0.7)) {
      garbage.writeInt32BE(garbage.length - 12, 8)
      garbage[16] = 2
    }
    ok(validateProduce(garbage, limitsFrom(samples), NOW).errorCode !== 0, `seed ${seed}`)
  }
})
