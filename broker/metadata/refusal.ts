// A request, or an item of one, that cannot be done: the error code that Kafka gives it and a sentence that says what was wrong and
// what is allowed. A value, never thrown.
import { ErrorCode } from '../protocol/errors.ts'

export type Outcome = { readonly errorCode: ErrorCode; readonly errorMessage: string | null }

export const DONE: Outcome = { errorCode: ErrorCode.NONE, errorMessage: null }

export function refuse(errorCode: ErrorCode, errorMessage: string): Outcome {
  return { errorCode, errorMessage }
}

/** The items that appear more than once. */
export function duplicatesOf<T>(items: Iterable<T>): Set<T> {
  const seen = new Set<T>()
  const duplicates = new Set<T>()
  for (const item of items) {
    if (seen.has(item)) duplicates.add(item)
    seen.add(item)
  }
  return duplicates
}

/** As many records as Kafka lets one request make; here also as many items as one may ask about. */
const MAX_ALTERATIONS = 10_000

/** Why a request of so many records or items is refused as a whole, or null. */
export function tooManyAlterations(count: number): Outcome | null {
  if (count <= MAX_ALTERATIONS) return null
  return refuse(
    ErrorCode.POLICY_VIOLATION,
    `Unable to perform excessively large batch operation: ${count} alterations, at most ${MAX_ALTERATIONS} are allowed.`,
  )
}
