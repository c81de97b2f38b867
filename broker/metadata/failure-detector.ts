// Finds out that a broker is gone: at once when its connection to the controller ends and its port refuses, else when it has been silent
// for broker.session.timeout.ms. The controller in office runs one. Being wrong costs an election and no record (rules B5, C2): a broker
// that was fenced and lives catches up and comes back. Not here: what fencing does (brokers.ts).
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Transport } from '../base/transport.ts'
import type { BrokerSessions } from './broker-sessions.ts'
import type { BrokerImage, MetadataImage } from './image.ts'

export type FailureDetectorOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly transport: Transport
  readonly sessions: BrokerSessions
  /** This broker: it does not ask itself whether it lives. */
  readonly brokerId: number
  /** The listener over which brokers talk to each other. */
  readonly listenerName: string
  image(): MetadataImage
  /** Resolves when the broker is fenced, or is in another life already. */
  fence(brokerId: number, brokerEpoch: number): Promise<unknown>
}

const CHECK_INTERVAL_MS = 500
/** A check that comes this late says that this process stood still: it is in no position to call others silent. */
const STANDSTILL_MS = 2_000

export class FailureDetector {
  readonly #options: FailureDetectorOptions
  /** The connection on which each broker was heard of last. */
  readonly #connections = new Map<number, AbortSignal>()
  #timer: Timer | null = null
  #isStopped = false

  /** Begins to watch: everybody gets a session, and whose port refuses is fenced at once. */
  constructor(options: FailureDetectorOptions) {
    this.#options = options
    options.sessions.begin(options.image(), options.clock.monotonic())
    for (const broker of options.image().brokers.values()) void this.#probe(broker.brokerId, broker.brokerEpoch)
    this.#schedule()
  }

  /** A broker has been heard of on the connection whose end `signal` tells. */
  heard(brokerId: number, brokerEpoch: number, signal: AbortSignal): void {
    if (brokerId === this.#options.brokerId || this.#connections.get(brokerId) === signal) return
    this.#connections.set(brokerId, signal)
    signal.addEventListener(
      'abort',
      () => {
        if (this.#connections.get(brokerId) !== signal) return
        this.#connections.delete(brokerId)
        void this.#probe(brokerId, brokerEpoch)
      },
      { once: true },
    )
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#connections.clear()
  }

  #schedule(): void {
    const { sessions, clock, image } = this.#options
    const dueMs = clock.monotonic() + CHECK_INTERVAL_MS
    this.#timer = clock.after(CHECK_INTERVAL_MS, () => {
      if (clock.monotonic() - dueMs > STANDSTILL_MS) sessions.begin(image(), clock.monotonic())
      for (const { brokerId, brokerEpoch } of sessions.expired(image(), clock.monotonic())) {
        this.#fence(brokerId, brokerEpoch, 'it has not been heard of for broker.session.timeout.ms')
      }
      this.#schedule()
    })
  }

  /** Only a port that refuses says that nobody is there: anything else may be the network, and the session's time decides. */
  async #probe(brokerId: number, brokerEpoch: number): Promise<void> {
    const { transport, image } = this.#options
    const broker = image().brokers.get(brokerId)
    if (this.#isStopped || brokerId === this.#options.brokerId || !isThatLife(broker, brokerEpoch)) return
    const listener = broker.listeners.find(({ name }) => name === this.#options.listenerName) ?? broker.listeners[0]!
    try {
      const socket = await transport.connect(listener)
      socket.destroy()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED')) return
      this.#fence(brokerId, brokerEpoch, `nobody listens on ${listener.host}:${listener.port} any more`)
    }
  }

  #fence(brokerId: number, brokerEpoch: number, reason: string): void {
    const { log, fence, image } = this.#options
    if (this.#isStopped || !isThatLife(image().brokers.get(brokerId), brokerEpoch)) return
    log.warn({ brokerId, brokerEpoch }, `Fencing a broker: ${reason}`)
    // Whoever is controller next finds out for itself.
    fence(brokerId, brokerEpoch).catch((error: unknown) =>
      log.warn({ brokerId, err: error }, 'Could not fence a broker'),
    )
  }
}

function isThatLife(broker: BrokerImage | undefined, brokerEpoch: number): broker is BrokerImage {
  return broker !== undefined && broker.brokerEpoch === brokerEpoch && !broker.isFenced
}
