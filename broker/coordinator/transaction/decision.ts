// What decisions about transactions take and give: the time and chance that they may not fetch themselves, and answers.
import type { ErrorCode } from '../../protocol/errors.ts'
import type { Identity } from './transaction.ts'

export type Circumstances = {
  readonly nowMs: number
  /** A producer id that nobody has had; null unless a decision has asked for one. */
  readonly freshProducerId: number | null
}

/** The decision takes a producer id that nobody has had: nothing has changed, decide again with one. */
export const NEEDS_PRODUCER_ID = Symbol('needs a producer id')

/** NONE with who the producer is from here on; an error with -1 and -1. */
export type IdentityResult = Identity & { readonly errorCode: ErrorCode }

export function refusedIdentity(errorCode: ErrorCode): IdentityResult {
  return { errorCode, producerId: -1, producerEpoch: -1 }
}
