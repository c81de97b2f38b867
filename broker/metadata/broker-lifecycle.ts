// A broker's life as its cluster sees it (KIP-631): it registers, says that it lives, and hands over before it stops. Runs on every broker;
// the controller's side is brokers.ts and broker-sessions.ts. Rule C1: until this broker has registered and replayed the metadata up to its
// own registration it leads nothing and answers no produce or fetch; whoever builds the broker waits for `register` before it serves.
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { UserError } from '../base/user-error.ts'
import type { Uuid } from '../base/uuid.ts'
import type { ControllerChannel } from '../client/controller-channel.ts'
import { ErrorCode, errorMessage } from '../protocol/errors.ts'
import { BrokerHeartbeat, type BrokerHeartbeatResponse } from '../protocol/messages/broker-heartbeat.ts'
import { BrokerRegistration } from '../protocol/messages/broker-registration.ts'
import { supportedFeatures } from './features.ts'
import type { Listener } from './image.ts'
import { securityProtocolId } from './security-protocols.ts'

export type BrokerLifecycleOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly channel: ControllerChannel
  readonly clusterId: string
  readonly brokerId: number
  /** Random for every start of a process. */
  readonly incarnation: Uuid
  readonly directoryId: Uuid
  readonly rack: string | null
  readonly listeners: readonly Listener[]
  /** The broker epoch in which it last stopped cleanly; -1 when it did not. */
  readonly previousBrokerEpoch: number
  /** broker.heartbeat.interval.ms */
  readonly heartbeatIntervalMs: number
  /** Version of the newest image that this broker acts on. */
  reachedVersion(): number
}

const REGISTRATION_VERSION = 4
const HEARTBEAT_VERSION = 1
const RETRY_MS = 100
/** While something is about to change: the broker is fenced, or waits to be let go. */
const IMPATIENT_INTERVAL_MS = 50
/** A controller that nobody finds must not keep a broker from stopping; it is fenced in time anyway. */
const MAX_STOP_MS = 30_000

/** Answers that no patience changes. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.INVALID_REGISTRATION,
  ErrorCode.INCONSISTENT_CLUSTER_ID,
  ErrorCode.UNSUPPORTED_VERSION,
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
])

export class BrokerLifecycle {
  readonly #options: BrokerLifecycleOptions
  #brokerEpoch = -1
  #isFenced = true
  #timer: Timer | null = null
  #isEnded = false
  #wantsShutDown = false
  #onShouldShutDown = (): void => {}
  #onUnfenced = (): void => {}
  readonly #unfenced: Promise<void>

  constructor(options: BrokerLifecycleOptions) {
    this.#options = options
    this.#unfenced = new Promise(resolve => (this.#onUnfenced = resolve))
  }

  /** -1 before the registration. */
  get brokerEpoch(): number {
    return this.#brokerEpoch
  }

  /** As the controller said last. */
  get isFenced(): boolean {
    return this.#isFenced
  }

  /** Resolves when the controller lets this broker lead for the first time. */
  get unfenced(): Promise<void> {
    return this.#unfenced
  }

  /** Registers, however long it takes until a controller answers, and begins to say that it lives. Rejects with a UserError when it is refused for good. */
  async register(): Promise<number> {
    const { clock, log } = this.#options
    for (let lastProblem = ''; !this.#isEnded; await sleep(clock, RETRY_MS)) {
      const problem = await this.#tryToRegister()
      if (problem === null) {
        void this.#beat()
        return this.#brokerEpoch
      }
      if (problem !== lastProblem) log.info(`Not registered yet: ${problem}`)
      lastProblem = problem
    }
    throw new Error('stopped before it was registered')
  }

  /**
   * Asks to stop and resolves when nobody needs this broker any more, or after 30 s. Others lead then what they can lead, and know it.
   * Afterwards this broker is silent.
   */
  async stop(): Promise<void> {
    if (this.#brokerEpoch >= 0 && !this.#isEnded) {
      const mayGo = new Promise<void>(resolve => (this.#onShouldShutDown = resolve))
      this.#wantsShutDown = true
      this.#timer?.cancel()
      void this.#beat()
      const deadline = this.#options.clock.after(MAX_STOP_MS, () => {
        this.#options.log.warn('The controller has not let this broker go; stopping all the same')
        this.#onShouldShutDown()
      })
      await mayGo
      deadline.cancel()
    }
    this.#isEnded = true
    this.#timer?.cancel()
  }

  /** Null when it is registered, else why not. */
  async #tryToRegister(): Promise<string | null> {
    const { channel, brokerId, clusterId, incarnation, directoryId, rack, listeners, previousBrokerEpoch } =
      this.#options
    let answer
    try {
      answer = await channel.request(BrokerRegistration, REGISTRATION_VERSION, {
        brokerId,
        clusterId,
        incarnationId: incarnation,
        listeners: listeners.map(listener => ({
          name: listener.name,
          host: listener.host,
          port: listener.port,
          securityProtocol: securityProtocolId(listener.securityProtocol),
        })),
        features: supportedFeatures.map(({ name, minLevel, maxLevel }) => ({
          name,
          minSupportedVersion: minLevel,
          maxSupportedVersion: maxLevel,
        })),
        rack,
        logDirs: [directoryId],
        previousBrokerEpoch,
      })
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
    const { brokerEpoch } = answer
    const errorCode = answer.errorCode as ErrorCode
    if (errorCode === ErrorCode.NONE) {
      this.#brokerEpoch = brokerEpoch
      return null
    }
    const problem =
      errorCode === ErrorCode.DUPLICATE_BROKER_REGISTRATION ? duplicate(brokerId) : errorMessage(errorCode)
    if (HOPELESS.has(errorCode)) throw refused(brokerId, clusterId, errorCode)
    return problem
  }

  async #beat(): Promise<void> {
    const { channel, brokerId, reachedVersion, clock } = this.#options
    try {
      const answer = await channel.request(BrokerHeartbeat, HEARTBEAT_VERSION, {
        brokerId,
        brokerEpoch: this.#brokerEpoch,
        currentMetadataOffset: reachedVersion(),
        wantFence: false,
        wantShutDown: this.#wantsShutDown,
      })
      this.#onAnswer(answer)
    } catch {
      // The controller is away or changes: it learns at the next beat.
    }
    if (this.#isEnded) return
    // A beat that was asked for out of turn takes the place of the one that waits.
    this.#timer?.cancel()
    this.#timer = clock.after(this.#pauseMs(), () => void this.#beat())
  }

  #pauseMs(): number {
    const { heartbeatIntervalMs } = this.#options
    return this.#isFenced || this.#wantsShutDown
      ? Math.min(IMPATIENT_INTERVAL_MS, heartbeatIntervalMs)
      : heartbeatIntervalMs
  }

  #onAnswer({ errorCode, isFenced, shouldShutDown }: BrokerHeartbeatResponse): void {
    if (errorCode !== ErrorCode.NONE) {
      // Another process has this id, or the broker was unregistered: it must not act as one, and says so until it is restarted.
      if (isOfAnotherLife(errorCode as ErrorCode)) this.#fenced()
      return
    }
    if (shouldShutDown) this.#onShouldShutDown()
    if (isFenced) return this.#fenced()
    if (!this.#isFenced) return
    this.#isFenced = false
    this.#options.log.info({ brokerEpoch: this.#brokerEpoch }, 'The controller lets this broker lead')
    this.#onUnfenced()
  }

  #fenced(): void {
    if (this.#isFenced) return
    this.#isFenced = true
    this.#options.log.warn(
      { brokerEpoch: this.#brokerEpoch },
      'The controller has fenced this broker: it leads nothing',
    )
  }
}

function isOfAnotherLife(errorCode: ErrorCode): boolean {
  return errorCode === ErrorCode.STALE_BROKER_EPOCH || errorCode === ErrorCode.BROKER_ID_NOT_REGISTERED
}

function duplicate(brokerId: number): string {
  return `another broker with node.id ${brokerId} and another data directory is alive: stop it, or give this one a number of its own`
}

function refused(brokerId: number, clusterId: string, errorCode: ErrorCode): UserError {
  if (errorCode === ErrorCode.INCONSISTENT_CLUSTER_ID) {
    return new UserError(
      `The data directory of this broker belongs to the cluster ${clusterId}, but the controller leads another one.`,
      'Check controller.quorum.voters, or start the broker with its own data directory (log.dirs). Nothing was changed.',
    )
  }
  return new UserError(`The controller refuses to register broker ${brokerId}: ${errorMessage(errorCode)}`, '')
}

function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise(resolve => void clock.after(delayMs, resolve))
}
