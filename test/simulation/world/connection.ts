// One TCP connection of the simulation: two sides, and a pipe in each direction with a window, segments of random size, and what holds them up.
import type { Socket, SocketEvents } from '../../../broker/base/transport.ts'
import { crc32c } from '../../../broker/base/crc32c.ts'
import { networkError, type Host, type Network } from './network.ts'
import type { SimulatedProcess } from './process.ts'

export type Place = { readonly host: Host; readonly process: SimulatedProcess; readonly remotePort: number }

type Segment = { readonly kind: 'data'; readonly bytes: Buffer } | { readonly kind: 'fin' | 'rst' }

export class Connection {
  readonly network: Network
  readonly sides: readonly [Side, Side]

  constructor(network: Network, [a, b]: readonly [Place, Place]) {
    this.network = network
    const near: Side = new Side(this, a, () => far)
    const far: Side = new Side(this, b, () => near)
    this.sides = [near, far]
  }

  /** A host has lost its power: its side knows nothing any more, and says nothing. */
  lose(host: Host): void {
    for (const side of this.sides) if (side.place.host === host) side.vanish()
    this.forgetIfOver()
  }

  reset(): void {
    for (const side of this.sides) side.break('ECONNRESET')
    this.forgetIfOver()
  }

  retransmit(): void {
    for (const side of this.sides) side.retransmit()
  }

  forgetIfOver(): void {
    if (this.sides.every(side => side.isGone && side.isSilent)) this.network.connections.delete(this)
  }
}

export class Side implements Socket {
  readonly place: Place
  readonly remotePort: number
  /** There is no socket any more: whatever arrives is answered with a reset. */
  isGone = false
  readonly #connection: Connection
  readonly #peer: () => Side
  readonly #windowBytes: number
  readonly #timeoutMs: number
  #events: SocketEvents | null = null
  #isPaused = false
  #isEnding = false
  #mustDrain = false
  // What the application has written and the system has not taken.
  #unsent: Buffer[] = []
  #unsentBytes = 0
  // On the way to the peer, and whether the first of them is known to arrive.
  #flying: Segment[] = []
  #isArriving = false
  #stalledSinceMs = -1
  // Of the peer's window: on the way, or not read yet.
  #outstandingBytes = 0
  // Read by the peer, but the word of that is held up.
  #unheardBytes = 0
  // Arrived, not read.
  #received: Segment[] = []
  #isReading = false

  constructor(connection: Connection, place: Place, peer: () => Side) {
    this.#connection = connection
    this.place = place
    this.#peer = peer
    this.remotePort = place.remotePort
    const { dice } = connection.network
    this.#windowBytes = Math.floor(dice.spread(4_000, 1_000_000))
    this.#timeoutMs = dice.spread(30_000, 900_000)
    place.process.onEnd.add(this.#onProcessEnd)
  }

  get remoteAddress(): string {
    return this.#peer().place.host.ip
  }

  get isSilent(): boolean {
    return this.#flying.length === 0
  }

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  start(events: SocketEvents): void {
    this.#events = events
    this.#read()
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.isGone || this.#isEnding) return
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      this.#unsent.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length))
      this.#unsentBytes += chunk.length
    }
    this.#send()
    if (this.#unsentBytes > 0) this.#mustDrain = true
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#read()
  }

  destroy(): void {
    if (this.isGone) return
    this.#close(undefined)
    this.#fly({ kind: 'rst' })
  }

  end(): void {
    if (this.isGone || this.#isEnding) return
    this.#isEnding = true
    if (this.#unsentBytes === 0) this.#fly({ kind: 'fin' })
  }

  /** The connection is broken, and this side learns of it. */
  break(code: string): void {
    if (!this.isGone) this.#close(networkError(code, this.remoteAddress))
    this.#flying = []
  }

  vanish(): void {
    this.isGone = true
    this.place.process.onEnd.delete(this.#onProcessEnd)
    this.#unsent = []
    this.#unsentBytes = 0
    this.#flying = []
    this.#received = []
  }

  /** The way may be free again. */
  retransmit(): void {
    const { scheduler, dice } = this.#connection.network
    if (this.#stalledSinceMs >= 0 && this.#isOpen(this)) {
      this.#stalledSinceMs = -1
      scheduler.after(dice.spread(1, 3000), () => this.#arrive())
      this.#isArriving = true
    }
    if (this.#unheardBytes > 0 && this.#isOpen(this.#peer())) {
      const bytes = this.#unheardBytes
      this.#unheardBytes = 0
      scheduler.after(dice.spread(1, 3000), () => this.#hear(bytes))
    }
  }

  // The system of a process that ends closes its connections; without power nothing does (`vanish` came first).
  readonly #onProcessEnd = (): void => {
    if (this.isGone) return
    this.vanish()
    this.#fly({ kind: 'rst' })
  }

  #isOpen(from: Side): boolean {
    const { network } = this.#connection
    return network.isOpen(from.place.host, from.#peer().place.host)
  }

  #send(): void {
    const { dice } = this.#connection.network
    while (this.#unsentBytes > 0 && this.#outstandingBytes < this.#windowBytes) {
      const room = Math.min(this.#windowBytes - this.#outstandingBytes, this.#unsentBytes)
      const size = dice.chance(0.03) ? 1 + dice.below(Math.min(room, 100)) : Math.min(room, 65_536)
      this.#outstandingBytes += size
      this.#fly({ kind: 'data', bytes: this.#take(size) })
    }
    if (this.#unsentBytes > 0) return
    if (this.#isEnding && !this.isGone) this.#fly({ kind: 'fin' })
    if (!this.#mustDrain) return
    this.#mustDrain = false
    this.place.process.enter(() => this.#events?.drain())
  }

  // A copy: what was written may be a part of something large, and the peer owns what it gets.
  #take(size: number): Buffer {
    const parts: Buffer[] = []
    let left = size
    while (left > 0) {
      const first = this.#unsent[0]!
      const part = first.length <= left ? first : first.subarray(0, left)
      parts.push(part)
      left -= part.length
      if (part === first) this.#unsent.shift()
      else this.#unsent[0] = first.subarray(part.length)
    }
    this.#unsentBytes -= size
    return Buffer.concat(parts)
  }

  #fly(segment: Segment): void {
    this.#flying.push(segment)
    if (!this.#isArriving && this.#stalledSinceMs < 0) this.#schedule()
  }

  #schedule(): void {
    const { network } = this.#connection
    const { scheduler, dice } = network
    const segment = this.#flying[0]!
    const link = network.link(this.place.host, this.#peer().place.host)
    const sentMs =
      Math.max(scheduler.nowMs, link.busyUntilMs) +
      (segment.kind === 'data' ? segment.bytes.length : 0) / link.bytesPerMs
    link.busyUntilMs = sentMs
    this.#isArriving = true
    scheduler.at(sentMs + link.latencyMs * dice.between(1, 1.5), () => this.#arrive())
  }

  #arrive(): void {
    this.#isArriving = false
    const segment = this.#flying[0]
    if (segment === undefined) return
    if (!this.#isOpen(this)) return this.#stall()
    this.#flying.shift()
    if (this.#flying.length > 0) this.#schedule()
    this.#peer().#receive(segment)
    this.#connection.forgetIfOver()
  }

  #stall(): void {
    const { scheduler } = this.#connection.network
    const sinceMs = scheduler.nowMs
    this.#stalledSinceMs = sinceMs
    // A side that is gone has nobody to tell.
    if (this.isGone && !this.place.host.isUp) this.#flying = []
    this.#connection.forgetIfOver()
    scheduler.after(this.#timeoutMs, () => {
      if (this.#stalledSinceMs !== sinceMs) return
      this.break('ETIMEDOUT')
      this.#connection.forgetIfOver()
    })
  }

  #receive(segment: Segment): void {
    if (segment.kind === 'rst') {
      if (!this.isGone) this.#close(networkError('ECONNRESET', this.remoteAddress))
      this.#flying = []
      return
    }
    if (this.isGone) {
      if (this.place.host.isUp) this.#fly({ kind: 'rst' })
      return
    }
    this.#received.push(segment)
    this.#read()
  }

  // One piece at a time, each an event of its own for the process.
  #read(): void {
    if (this.#isReading || this.#received.length === 0 || this.#events === null || this.#isPaused) return
    this.#isReading = true
    const read = (): void => {
      this.#isReading = false
      if (this.isGone || this.#isPaused) return
      const segment = this.#received.shift()
      if (segment === undefined) return
      if (segment.kind === 'data') {
        this.#connection.network.scheduler.note(crc32c(segment.bytes))
        this.#peer().#onRead(segment.bytes.length)
        this.#events!.data(segment.bytes)
      } else {
        this.#close(undefined)
        this.#fly({ kind: 'fin' })
        return
      }
      this.#read()
    }
    const { scheduler } = this.#connection.network
    scheduler.after(0, () => this.place.process.enter(read))
  }

  #onRead(bytes: number): void {
    const { network } = this.#connection
    if (!this.#isOpen(this.#peer())) this.#unheardBytes += bytes
    else if (this.#unsentBytes === 0) this.#outstandingBytes -= bytes
    else
      network.scheduler.after(network.link(this.#peer().place.host, this.place.host).latencyMs, () => this.#hear(bytes))
  }

  #hear(bytes: number): void {
    this.#outstandingBytes -= bytes
    if (!this.isGone) this.#send()
  }

  #close(cause: Error | undefined): void {
    this.vanish()
    const { scheduler } = this.#connection.network
    scheduler.after(0, () => this.place.process.enter(() => this.#events?.close(cause)))
  }
}
