// Waits for a decision of the controller on behalf of a client: not longer than the client said, and with an answer that it can act on
// when the controller's state was lost meanwhile. In both cases the change may still have been made.
import type { Clock } from '../base/clock.ts'
import { StateLostError } from '../machine/runtime.ts'
import { refuse, type Outcome } from '../metadata/refusal.ts'
import { ErrorCode } from '../protocol/errors.ts'

// For clients that name no time, and an upper bound for the others: requests that wait hold memory.
const DEFAULT_TIMEOUT_MS = 60_000
const MAX_TIMEOUT_MS = 600_000

/** The decision, or why there is none: REQUEST_TIMED_OUT, or NOT_CONTROLLER, upon which clients look for the controller and ask again. */
export function decided<T extends readonly unknown[]>(
  decision: Promise<T>,
  timeoutMs: number,
  clock: Clock,
): Promise<T | Outcome> {
  const waitMs = timeoutMs > 0 ? Math.min(timeoutMs, MAX_TIMEOUT_MS) : DEFAULT_TIMEOUT_MS
  return new Promise((resolve, reject) => {
    const timer = clock.after(waitMs, () => {
      const problem = `The controller did not answer within ${waitMs} ms; the change may still be made.`
      resolve(refuse(ErrorCode.REQUEST_TIMED_OUT, problem))
    })
    decision
      .then(resolve, (error: unknown) => {
        if (!(error instanceof StateLostError)) return reject(error)
        resolve(refuse(ErrorCode.NOT_CONTROLLER, `${error.message}. Ask again: the change may have been made.`))
      })
      .finally(() => timer.cancel())
  })
}

export function isOutcome<T extends readonly unknown[]>(answer: T | Outcome): answer is Outcome {
  return 'errorCode' in answer
}
