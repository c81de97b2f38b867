// A topic with Kafka's defaults, a batch of two records, and what validateProduce says to them.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { errorName, type ErrorCode } from '../../../broker/protocol/errors.ts'
import { buildBatch, isCrcValid, readHeader, type BatchInit } from '../../../broker/records/batch.ts'
import type { RecordInit } from '../../../broker/records/record.ts'
import { validateProduce, type ProduceLimits, type ProduceRefusal } from '../../../broker/records/validate.ts'
import { NOW, resealed } from './samples.ts'

export const HOUR_MS = 3_600_000
const UNLIMITED = Number.MAX_SAFE_INTEGER

export const DEFAULTS: ProduceLimits = {
  maxMessageBytes: 1_048_588,
  segmentBytes: 1 << 30,
  isCompacted: false,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: UNLIMITED,
  timestampAfterMaxMs: HOUR_MS,
  compressionType: 'producer',
}

export const TWO: readonly RecordInit[] = [
  { timestamp: NOW - 1000, key: Buffer.from('a'), value: Buffer.from('first') },
  { timestamp: NOW - 2000, key: Buffer.from('b'), value: Buffer.alloc(300, 'second ') },
]

export const batchOf = (init: Partial<BatchInit> = {}): Buffer => buildBatch({ records: TWO, ...init })

/** The batch with its header or records changed and the checksum made right again. */
export function changed(init: Partial<BatchInit>, change: (batch: Buffer) => void): Buffer {
  const batch = batchOf(init)
  change(batch)
  return resealed(batch)
}

export function accept(records: Buffer, limits: Partial<ProduceLimits> = {}): Buffer {
  const verdict = validateProduce(records, { ...DEFAULTS, ...limits }, NOW)
  if (verdict.errorCode !== 0) throw new Error(`${errorName(verdict.errorCode)}: ${verdict.message}`)
  ok(isCrcValid(verdict.batch))
  equal(verdict.batch.length, verdict.header.sizeBytes)
  deepEqual(verdict.header, readHeader(verdict.batch))
  return verdict.batch
}

export function refuse(code: ErrorCode, records: Buffer, limits: Partial<ProduceLimits> = {}): ProduceRefusal {
  const verdict = validateProduce(records, { ...DEFAULTS, ...limits }, NOW)
  if (verdict.errorCode === 0) throw new Error('accepted')
  equal(errorName(verdict.errorCode), errorName(code), verdict.message)
  ok(verdict.message.length > 10)
  return verdict
}
