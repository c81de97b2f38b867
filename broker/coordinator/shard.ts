// The state machine over one partition of an internal topic, while this broker leads it in one leader epoch: loads the state, answers
// requests on it, and loads it again when an append failed. Not here: which partitions there are (shards.ts), what the state means.
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Journal } from '../machine/journal.ts'
import { Runtime, StateLostError } from '../machine/runtime.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { LeaderClosedError } from '../replication/append-result.ts'

/** One state machine and what must know when its state comes and goes. */
export type ShardMachine<State, R> = {
  /** The state before any record. */
  create(): State
  replay(state: State, record: R): void
  /** The shard that runs this machine; called once, before the first load. */
  attach?(shard: Shard<State, R>): void
  /** The state is complete and committed; called before the first request is decided on it. */
  onLoaded?(state: State): void
  /** Records of a decision are committed; in order, and not for what a load has replayed. */
  onCommitted?(records: readonly R[]): void
  /** The state is gone, and with it everything that waited for it. It may be loaded again. */
  onLost?(errorCode: ErrorCode): void
}

export type ShardOptions<State, R, M extends ShardMachine<State, R> = ShardMachine<State, R>> = {
  readonly clock: Clock
  readonly log: Logger
  readonly topicName: string
  readonly partition: number
  readonly machine: M
  /** The journal over the partition; `signal` ends a replay that nobody needs any more. Throws LeaderClosedError when there is no leader. */
  readonly journal: (signal: AbortSignal) => Journal<R>
  /** Whether the partition would take records: NONE, or why not. */
  readonly refusal: () => ErrorCode
  /** How long an answer may wait until its records are committed. */
  readonly commitTimeoutMs: number
}

/** What was decided, or why nothing was: an error of a coordinator that clients know how to handle. */
export type Answered<T> = { readonly response: T } | { readonly errorCode: ErrorCode }

const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 10_000

export class Shard<State, R, M extends ShardMachine<State, R> = ShardMachine<State, R>> {
  readonly partition: number
  readonly machine: M
  readonly #options: ShardOptions<State, R, M>
  readonly #abort = new AbortController()
  #runtime: Runtime<State, R> | null = null
  #state: State | null = null
  #retry: Timer | null = null
  #retryMs = FIRST_RETRY_MS

  constructor(options: ShardOptions<State, R, M>) {
    this.#options = options
    this.partition = options.partition
    this.machine = options.machine
    options.machine.attach?.(this)
  }

  /** NONE, or what a request is answered with: COORDINATOR_LOAD_IN_PROGRESS, or NOT_COORDINATOR when the shard was closed. */
  get errorCode(): ErrorCode {
    if (this.#abort.signal.aborted) return ErrorCode.NOT_COORDINATOR
    return this.#state === null ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : ErrorCode.NONE
  }

  /** Loads the state, and tries again until that succeeds or the shard is closed. */
  async load(): Promise<void> {
    const { clock, log, topicName, partition } = this.#options
    const startedMs = clock.monotonic()
    this.#retry = null
    try {
      const runtime = this.#newRuntime()
      this.#runtime = runtime
      await runtime.load()
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#tryAgain(error)
      return
    }
    if (this.#abort.signal.aborted) return
    this.#retryMs = FIRST_RETRY_MS
    const tookMs = Math.round(clock.monotonic() - startedMs)
    log.debug({ topic: topicName, partition, tookMs }, 'Loaded the state of a coordinator')
  }

  /** This broker stops leading the partition, or it is deleted: whoever waits gets `errorCode`. */
  close(errorCode: ErrorCode = ErrorCode.NOT_COORDINATOR): void {
    this.#abort.abort()
    this.#retry?.cancel()
    this.#runtime?.unload()
    this.#forget(errorCode)
  }

  /**
   * Lets `decide` answer on the newest state and emit records; answers when these are committed. It is refused before it decides when
   * the partition takes no records. When the outcome is not known in time, or the state is lost meanwhile, the answer is an error, and
   * the records may still be kept.
   */
  write<T>(decide: (state: State, emit: (record: R) => void) => T): Promise<Answered<T>> {
    const refusal = this.errorCode === ErrorCode.NONE ? coordinatorError(this.#options.refusal()) : this.errorCode
    if (refusal !== ErrorCode.NONE) return Promise.resolve({ errorCode: refusal })
    return this.#answer(decide)
  }

  /** As `write`, for what emits nothing: it also goes on while the partition takes no records. */
  read<T>(decide: (state: State) => T): Promise<Answered<T>> {
    const { errorCode } = this
    if (errorCode !== ErrorCode.NONE) return Promise.resolve({ errorCode })
    return this.#answer(decide)
  }

  #answer<T>(decide: (state: State, emit: (record: R) => void) => T): Promise<Answered<T>> {
    const { clock, commitTimeoutMs } = this.#options
    const written = this.#runtime!.write(decide)
    return new Promise((resolve, reject) => {
      const timer = clock.after(commitTimeoutMs, () => resolve({ errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE }))
      written
        .then(
          response => resolve({ response }),
          (error: unknown) => {
            if (error instanceof StateLostError) resolve({ errorCode: errorCodeOf(error) })
            else reject(error)
          },
        )
        .finally(() => timer.cancel())
    })
  }

  #newRuntime(): Runtime<State, R> {
    const { machine } = this.#options
    let loading: State | null = null
    return new Runtime<State, R>(this.#options.journal(this.#abort.signal), {
      create: () => (loading = machine.create()),
      replay: (state, record) => machine.replay(state, record),
      // Called once the load is complete, before anything can be decided on the state, and after every decision.
      view: () => {
        if (this.#abort.signal.aborted || this.#state !== null) return
        this.#state = loading
        machine.onLoaded?.(loading!)
      },
      onCommitted: records => machine.onCommitted?.(records),
      onLost: cause => this.#onLost(cause),
    })
  }

  #onLost(cause: unknown): void {
    if (this.#abort.signal.aborted) return
    this.#forget(coordinatorError(cause instanceof LeaderClosedError ? cause.errorCode : ErrorCode.KAFKA_STORAGE_ERROR))
    this.#tryAgain(cause)
  }

  #forget(errorCode: ErrorCode): void {
    this.#state = null
    this.machine.onLost?.(errorCode)
  }

  #tryAgain(cause: unknown): void {
    const { clock, log, topicName, partition } = this.#options
    const retryMs = this.#retryMs
    log.warn({ topic: topicName, partition, err: cause, retryMs }, 'A coordinator has no state: loading it again')
    this.#retryMs = Math.min(2 * retryMs, MAX_RETRY_MS)
    this.#retry = clock.after(retryMs, () => void this.load())
  }
}

function errorCodeOf(error: StateLostError): ErrorCode {
  const { cause } = error
  return coordinatorError(cause instanceof LeaderClosedError ? cause.errorCode : ErrorCode.KAFKA_STORAGE_ERROR)
}

/** What clients of a coordinator are told when its partition answers so (CoordinatorOperationExceptionHelper). */
function coordinatorError(errorCode: ErrorCode): ErrorCode {
  switch (errorCode) {
    case ErrorCode.NONE:
      return ErrorCode.NONE
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
    case ErrorCode.KAFKA_STORAGE_ERROR:
      return ErrorCode.NOT_COORDINATOR
    default:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
  }
}
