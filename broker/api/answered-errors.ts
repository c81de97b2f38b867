// Every error that goes out in an answer is counted, by API and error, and now and then told: without that a client that tries again
// for ever is invisible here. A part of an answer may carry a `cause` that the client does not get (there may be paths in it): it is
// only told. Not here: requests that end in a fault of the broker, and frames that are none (dispatch.ts).
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Metrics } from '../metrics.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import { ErrorFields } from '../protocol/error-fields.ts'
import type { Api } from '../protocol/schema.ts'
import type { Call } from './handler.ts'

/** One line at most for each API and error in so long; the next one says how many there were. */
const LINE_EVERY_MS = 60_000

type Explained = { readonly errorMessage?: string | null; readonly cause?: string | null }

/** Answers that every client gets in the ordinary course of things, and that it knows what to do with. */
const ROUTINE: ReadonlySet<number> = new Set([
  ErrorCode.MEMBER_ID_REQUIRED,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
])

type Told = { atMs: number; untold: number }

/** The errors in the answers of one API. */
export class AnsweredErrors {
  readonly #api: string
  readonly #fields: ErrorFields
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #log: Logger
  // At most one entry for each of Kafka's errors.
  readonly #told = new Map<number, Told>()

  constructor(api: Api, metrics: Metrics, clock: Clock, log: Logger) {
    this.#api = api.name
    this.#fields = new ErrorFields(api.response)
    this.#metrics = metrics
    this.#clock = clock
    this.#log = log
  }

  /** `response` is about to be sent, or would be if anybody waited for it. */
  count(response: object, call: Call): void {
    this.#fields.visit(response, this.#note, call)
  }

  readonly #note = (errorCode: number, holder: object, owner: object | null, call: Call): void => {
    const error = errorName(errorCode)
    this.#metrics.errors.labels(this.#api, error).inc()
    const nowMs = this.#clock.monotonic()
    const told = this.#told.get(errorCode)
    if (told !== undefined && nowMs - told.atMs < LINE_EVERY_MS) {
      told.untold++
      return
    }
    this.#told.set(errorCode, { atMs: nowMs, untold: 0 })
    const fields = {
      api: this.#api,
      error,
      of: namesIn(holder, owner),
      text: (holder as Explained).errorMessage ?? undefined,
      cause: (holder as Explained).cause ?? undefined,
      clientId: call.clientId,
      connection: call.connection.id,
      peer: call.connection.remoteAddress,
      untold: told === undefined ? undefined : told.untold,
    }
    const level = ROUTINE.has(errorCode) ? 'debug' : 'info'
    this.#log[level](fields, 'answered with an error; more of the same are counted, and told once a minute')
  }
}

/** What the error is about, as far as the answer says it: names and numbers beside the code and around it. */
function namesIn(holder: object, owner: object | null): Record<string, string | number> {
  const names: Record<string, string | number> = {}
  for (const fields of owner === null ? [holder] : [owner, holder]) {
    for (const name of NAMES) {
      const value = (fields as Record<string, unknown>)[name]
      if (typeof value === 'number' || (typeof value === 'string' && value !== '')) names[name] = value
    }
  }
  return names
}

const NAMES = [
  ...['name', 'topic', 'topicName', 'topicId', 'index', 'partition', 'partitionIndex', 'partitionId'],
  ...['groupId', 'memberId', 'transactionalId', 'resourceName', 'brokerId'],
]
