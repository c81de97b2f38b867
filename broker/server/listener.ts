// A listener: accepts connections within the limits, closes those that idle or stall, and ends them all when the broker stops.
// - Over `max.connections` or `max.connections.per.ip` a new connection is closed at once (Kafka delays accepting for the first).
// - Too many a second from one address (connection-rates.ts): not served, and closed a little later, as in Kafka.
// - `connections.max.idle.ms`: closed when nothing was sent or asked for so long.
// - A peer that leaves its answers unread while the bound on answers is reached, and one that may finish its request while the bound
//   on requests is reached and does not, is closed: they would stop everybody else.
import type { Timer } from '../base/clock.ts'
import type { Address, Listening, Socket, Transport } from '../base/transport.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { ConnectionShared } from './connection.ts'
import { Connection } from './connection.ts'
import { shareOpenFiles } from './open-files.ts'
import type { ConnectionRates } from './connection-rates.ts'

/** What may be altered while the broker runs, and what is read with it. */
export type ConnectionLimits = {
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
  readonly maxConnectionsPerIpOverrides: ReadonlyMap<string, number>
  /** -1 = never. */
  readonly maxIdleMs: number
}

export type ListenerLimits = ConnectionLimits & { readonly rates?: Pick<ConnectionRates, 'refusalMs'> }

/** As `config` has them, and no more connections than there are files for. */
export function connectionLimits(config: BrokerConfig, maxOpenFiles = Infinity): ConnectionLimits {
  return {
    maxConnections: shareOpenFiles(maxOpenFiles, config.maxConnections).connections,
    maxConnectionsPerIp: config.maxConnectionsPerIp,
    maxConnectionsPerIpOverrides: config.maxConnectionsPerIpOverrides,
    maxIdleMs: config.connectionsMaxIdleMs,
  }
}

const SWEEP_MS = 1_000
const STALL_MS = 10_000
const SILENT_MS = 2_000

/** All connections of a broker, whatever listener they came in on; the limits are the broker's. */
export class Connections {
  readonly #shared: ConnectionShared
  #limits: ListenerLimits
  readonly #open = new Set<Connection>()
  /** Connections that are too many a second, until they are closed. */
  readonly #held = new Set<Socket>()
  readonly #perIp = new Map<string, number>()
  #sweep: Timer
  // Since when unfinished requests fill the memory for requests and none of them gets finished.
  #progressAtMs: number
  #finished = 0
  #accepted = 0
  #refusalsLogged = 0

  constructor(shared: ConnectionShared, limits: ListenerLimits) {
    this.#shared = shared
    this.#limits = limits
    this.#progressAtMs = shared.clock.monotonic()
    this.#sweep = shared.clock.after(SWEEP_MS, () => this.#onSweep())
  }

  get count(): number {
    return this.#open.size + this.#held.size
  }

  /** Other limits for those that come from here on; nobody who is connected is closed for them. */
  limit(limits: ConnectionLimits): void {
    this.#limits = { ...this.#limits, ...limits }
  }

  accept(socket: Socket, listenerName: string): void {
    const ip = socket.remoteAddress
    const ofIp = this.#perIp.get(ip) ?? 0
    const perIp = this.#limits.maxConnectionsPerIpOverrides.get(ip) ?? this.#limits.maxConnectionsPerIp
    if (this.count >= this.#limits.maxConnections) return this.#refuse(socket, 'max.connections')
    if (ofIp >= perIp) return this.#refuse(socket, 'max.connections.per.ip')
    this.#perIp.set(ip, ofIp + 1)
    const refusalMs = this.#limits.rates?.refusalMs(ip) ?? 0
    if (refusalMs > 0) return this.#hold(socket, refusalMs)
    const id = `${listenerName}-${++this.#accepted}`
    const connection: Connection = new Connection(socket, id, listenerName, this.#shared, () =>
      this.#onClosed(connection),
    )
    this.#open.add(connection)
  }

  /** Ends every connection after the requests it has in progress. */
  end(): void {
    this.#sweep.cancel()
    this.#dropHeld()
    for (const connection of this.#open) connection.end()
  }

  /** Drops every connection at once. */
  destroy(): void {
    this.#sweep.cancel()
    this.#dropHeld()
    for (const connection of this.#open) connection.close('the broker stops')
  }

  #refuse(socket: Socket, key: string): void {
    socket.start({ data: () => {}, drain: () => {}, close: () => {} })
    socket.destroy()
    if (this.#refusalsLogged++ % 1000 === 0) {
      const fields = { peer: socket.remoteAddress, open: this.#open.size, refused: this.#refusalsLogged }
      this.#shared.log.warn(fields, `refused a connection: ${key} is reached`)
    }
  }

  #hold(socket: Socket, forMs: number): void {
    this.#held.add(socket)
    const timer = this.#shared.clock.after(forMs, () => socket.destroy())
    const close = (): void => {
      timer.cancel()
      if (this.#held.delete(socket)) this.#forgetIp(socket.remoteAddress)
    }
    socket.start({ data: () => {}, drain: () => {}, close })
    socket.pause()
  }

  #dropHeld(): void {
    for (const socket of this.#held) socket.destroy()
  }

  #onClosed(connection: Connection): void {
    this.#open.delete(connection)
    this.#forgetIp(connection.remoteAddress)
  }

  #forgetIp(ip: string): void {
    const left = this.#perIp.get(ip)! - 1
    if (left === 0) this.#perIp.delete(ip)
    else this.#perIp.set(ip, left)
  }

  #onSweep(): void {
    const { maxIdleMs } = this.#limits
    const { clock, requestBytes, responseBytes } = this.#shared
    if (!requestBytes.isReached || requestBytes.finished !== this.#finished) this.#progressAtMs = clock.monotonic()
    this.#finished = requestBytes.finished
    for (const connection of this.#open) {
      if (maxIdleMs >= 0 && connection.idleMs() > maxIdleMs)
        connection.close('idle longer than connections.max.idle.ms')
      else if (connection.stalledMs() > STALL_MS && responseBytes.isFull) connection.close('its answers are not read')
      else if (requestBytes.isReached && this.#isObstacle(connection))
        connection.close('its unfinished request keeps others from finishing theirs')
      else if (requestBytes.isReached && connection.isThrottled && connection.partialBytes > 0) connection.endThrottle()
    }
    this.#sweep = clock.after(SWEEP_MS, () => this.#onSweep())
  }

  /** It may finish its request although the bound is reached, and does not send; or it sends so little that nobody gets to finish. */
  #isObstacle(connection: Connection): boolean {
    const finishingMs = connection.finishingMs()
    if (finishingMs > SILENT_MS && connection.silentMs() > SILENT_MS) return true
    return finishingMs > STALL_MS && this.#shared.clock.monotonic() - this.#progressAtMs > STALL_MS
  }
}

/** Listens on one address and hands what it accepts to `connections`. */
export function listen(
  transport: Transport,
  address: Address,
  listenerName: string,
  connections: Connections,
): Promise<Listening> {
  return transport.listen(address, socket => connections.accept(socket, listenerName))
}
