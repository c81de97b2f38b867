// What became of an append at a partition's leader, as a value; and the error of those who waited when their leader stopped leading.
import { ErrorCode, errorMessage } from '../protocol/errors.ts'
import type { RecordError } from '../records/scan.ts'

/** What became of one batch. */
export type AppendResult = {
  readonly errorCode: ErrorCode
  /** Null when there is nothing to add to the code. */
  readonly errorMessage: string | null
  readonly recordErrors: readonly RecordError[]
  /** First offset of the batch, -1 when nothing was appended; of the original when it is a duplicate. */
  readonly baseOffset: number
  /** Exclusive; what the high watermark must reach for acks=all. */
  readonly endOffset: number
  /** -1 unless the topic stamps batches itself, or the batch is a duplicate. */
  readonly logAppendTimeMs: number
  /** Stored under the topic's flush policy: rejects with StorageError. Null when nothing was appended or there is nothing to wait for. */
  readonly stored: Promise<unknown> | null
}

export const NO_RECORD_ERRORS: readonly RecordError[] = []

export function refused(errorCode: ErrorCode, message: string, recordErrors = NO_RECORD_ERRORS): AppendResult {
  return {
    errorCode,
    errorMessage: message,
    recordErrors,
    baseOffset: -1,
    endOffset: -1,
    logAppendTimeMs: -1,
    stored: null,
  }
}

/** Why a request that waited for the leader did not get what it waited for. */
export class LeaderClosedError extends Error {
  readonly errorCode: ErrorCode

  constructor(errorCode: ErrorCode) {
    super(errorMessage(errorCode))
    this.name = 'LeaderClosedError'
    this.errorCode = errorCode
  }
}

/** For those who wait with a promise that rejects. */
export function rejectOnError(errorCode: ErrorCode): void {
  if (errorCode !== ErrorCode.NONE) throw new LeaderClosedError(errorCode)
}
