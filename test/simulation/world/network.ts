// The network between the hosts of the simulation: Transport with delay, jitter, bandwidth, slow links, cuts in one or both directions, hosts
// that are gone, connections that break or that one side only believes in. What it promises is what TCP does: the bytes of a connection
// arrive in order, once, or not at all.
import type { Address, Listening, Socket, Transport } from '../../../broker/base/transport.ts'
import type { Dice } from '../dice.ts'
import { Connection } from './connection.ts'
import type { SimulatedProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'

/** One direction between two hosts. */
export type Link = {
  readonly isLocal: boolean
  latencyMs: number
  bytesPerMs: number
  isCut: boolean
  /** When the bytes that are on their way have left the sender. */
  busyUntilMs: number
}

type Listener = { readonly process: SimulatedProcess; readonly onSocket: (socket: Socket) => void }

export class Host {
  readonly name: string
  readonly ip: string
  /** Off: the machine is gone, nothing is answered. */
  isUp = true
  readonly listeners = new Map<number, Listener>()
  nextPort = 30_000

  constructor(name: string, ip: string) {
    this.name = name
    this.ip = ip
  }
}

// As Linux does it by default.
const CONNECT_TIMEOUT_MS = 127_000
const FIRST_SYN_RETRY_MS = 1000

export class Network {
  readonly scheduler: Scheduler
  readonly dice: Dice
  readonly hosts = new Map<string, Host>()
  readonly connections = new Set<Connection>()
  readonly #links = new Map<string, Link>()

  constructor(scheduler: Scheduler, dice: Dice) {
    this.scheduler = scheduler
    this.dice = dice
  }

  addHost(name: string): Host {
    const host = new Host(name, `10.0.0.${this.hosts.size + 1}`)
    this.hosts.set(name, host)
    return host
  }

  link(from: Host, to: Host): Link {
    const key = `${from.name} ${to.name}`
    let link = this.#links.get(key)
    if (link === undefined) {
      link = { isLocal: from === to, ...this.#healthy(from === to), isCut: false, busyUntilMs: 0 }
      this.#links.set(key, link)
    }
    return link
  }

  #healthy(isLocal: boolean): { latencyMs: number; bytesPerMs: number } {
    return { latencyMs: isLocal ? 0.02 : this.dice.spread(0.1, 2), bytesPerMs: 100_000 }
  }

  /** Nothing gets from one host to the other any more, not even the word that something has arrived. */
  cut(from: Host, to: Host): void {
    this.link(from, to).isCut = true
  }

  slow(from: Host, to: Host): void {
    Object.assign(this.link(from, to), {
      latencyMs: this.dice.spread(20, 1500),
      bytesPerMs: this.dice.spread(10, 1000),
    })
  }

  /** The links are as on the first day; what was held up goes on after a while, as retransmission does. */
  heal(from: Host, to: Host): void {
    this.#mend(this.link(from, to))
    this.#goOn()
  }

  healAll(): void {
    for (const link of this.#links.values()) this.#mend(link)
    this.#goOn()
  }

  #mend(link: Link): void {
    Object.assign(link, this.#healthy(link.isLocal), { isCut: false, busyUntilMs: 0 })
  }

  /** The machine is gone: its peers hear nothing, and no process of it hears anything. */
  turnOff(host: Host): void {
    host.isUp = false
    host.listeners.clear()
    for (const connection of this.connections) connection.lose(host)
  }

  turnOn(host: Host): void {
    host.isUp = true
    this.#goOn()
  }

  /** Breaks a connection for both sides, as a middlebox may. */
  reset(connection: Connection): void {
    connection.reset()
  }

  isOpen(from: Host, to: Host): boolean {
    return from.isUp && to.isUp && !this.link(from, to).isCut
  }

  #goOn(): void {
    for (const connection of this.connections) connection.retransmit()
  }

  transport(host: Host, process: SimulatedProcess): Transport {
    return {
      listen: (address, onSocket) => this.#listen(host, process, address, onSocket),
      connect: address => this.#connect(host, process, address),
    }
  }

  async #listen(
    host: Host,
    process: SimulatedProcess,
    { port }: Address,
    onSocket: (socket: Socket) => void,
  ): Promise<Listening> {
    if (host.listeners.has(port)) throw networkError('EADDRINUSE', `${host.name}:${port}`)
    host.listeners.set(port, { process, onSocket })
    const close = (): void => void (host.listeners.get(port)?.process === process && host.listeners.delete(port))
    process.onEnd.add(close)
    return { host: host.name, port, close: async () => close() }
  }

  #connect(from: Host, process: SimulatedProcess, { host: name, port }: Address): Promise<Socket> {
    const { scheduler } = this
    const to = this.hosts.get(name)
    return new Promise((resolve, reject) => {
      const fail = (code: string): void => process.enter(() => reject(networkError(code, `${name}:${port}`)))
      const startMs = scheduler.nowMs
      let retryMs = FIRST_SYN_RETRY_MS
      const attempt = (): void => {
        if (!process.isAlive) return
        if (to === undefined) return fail('ENOTFOUND')
        if (this.isOpen(from, to) && this.isOpen(to, from)) {
          const roundTripMs = this.#delay(from, to) + this.#delay(to, from)
          scheduler.after(roundTripMs / 2, () => arrive(to, roundTripMs / 2))
          return
        }
        if (scheduler.nowMs - startMs + retryMs > CONNECT_TIMEOUT_MS) {
          scheduler.at(startMs + CONNECT_TIMEOUT_MS, () => fail('ETIMEDOUT'))
          return
        }
        scheduler.after(retryMs, attempt)
        retryMs *= 2
      }
      const arrive = (to: Host, backMs: number): void => {
        if (!process.isAlive || !to.isUp) return attempt()
        const listener = to.listeners.get(port)
        if (listener === undefined) {
          scheduler.after(backMs, () => fail('ECONNREFUSED'))
          return
        }
        const connection = new Connection(this, [
          { host: from, process, remotePort: port },
          { host: to, process: listener.process, remotePort: from.nextPort++ },
        ])
        this.connections.add(connection)
        const [near, far] = connection.sides
        listener.process.enter(() => listener.onSocket(far))
        scheduler.after(backMs, () => process.enter(() => resolve(near)))
      }
      attempt()
    })
  }

  #delay(from: Host, to: Host): number {
    return this.link(from, to).latencyMs * this.dice.between(1, 1.5)
  }
}

export function networkError(code: string, what: string): Error {
  return Object.assign(new Error(`${code} ${what}`), { code })
}
