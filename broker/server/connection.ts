// One client connection: cuts frames, starts requests in the order they came, sends answers in that order.
//
// - Produce overlaps Produce: the next one starts while the former waits for the disk, so one connection can keep a group
//   commit busy. Any other request waits until the connection is idle, and everything waits behind it: that is Kafka's order
//   (it runs one request of a connection at a time), and it bounds what one connection can hold.
// - It is not read while it has too many requests or bytes waiting, while the broker's bound on request bytes is reached,
//   or while its own answers pile up unsent: the peer then feels TCP's back-pressure.
// - It is not read either while its client is over a quota.
// - When the broker's bound is reached in the middle of a request, that is read to its end as far as request-memory.ts has seats; who
//   has one and does not use it is closed by the owner (listener.ts).
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Socket } from '../base/transport.ts'
import type { Call, ConnectionInfo } from '../api/handler.ts'
import { FrameError, FrameReader } from '../protocol/frame.ts'
import type { MemoryBound } from './memory-bound.ts'
import type { RequestMemory, Seat } from './request-memory.ts'

/** What a connection does with a frame: chunks to send, null for no answer; a throw closes the connection. */
export type Dispatch = (
  frame: Buffer,
  connection: ConnectionInfo,
  reserve: Call['reserveResponse'],
  signal: AbortSignal,
) => Promise<readonly Buffer[] | null> | readonly Buffer[] | null

export type ConnectionLimits = {
  readonly maxFrameBytes: number
  readonly maxInFlight: number
  /** Bytes of one connection's requests that wait or run; one request may exceed it. */
  readonly maxInFlightBytes: number
  /** While more answers than this are unsent, no further request starts. */
  readonly maxUnsentBytes: number
}

/** What all connections of the broker share. */
export type ConnectionShared = {
  readonly clock: Clock
  readonly log: Logger
  readonly dispatch: Dispatch
  readonly limits: ConnectionLimits
  readonly requestBytes: RequestMemory
  readonly responseBytes: MemoryBound
}

type Slot = { answer: readonly Buffer[] | null | undefined; requestBytes: number; reservedBytes: number }

const PRODUCE_KEY = 0
/** API key, version and correlation id. */
const LEAST_REQUEST_BYTES = 8
// A fetch answers with one batch at least, and this is how large one may be (max.message.bytes by default).
const LEAST_RESPONSE_BYTES = 1024 * 1024

export class Connection implements ConnectionInfo {
  readonly id: string
  readonly listenerName: string
  readonly principal = 'User:ANONYMOUS'
  readonly remoteAddress: string
  readonly remotePort: number
  readonly #socket: Socket
  readonly #shared: ConnectionShared
  readonly #onClosed: (connection: Connection) => void
  readonly #reader: FrameReader
  readonly #abort = new AbortController()
  readonly #waiting: Buffer[] = []
  #waitingAt = 0
  readonly #inFlight: Slot[] = []
  #runsOther = false
  #heldBytes = 0
  /** Leave to read the rest of a request although the bound is reached. */
  #seat: Seat | null = null
  #seatedAtMs = 0
  #unsentBytes = 0
  #isPaused = false
  #isClosed = false
  #isPumping = false
  #throttled: Timer | null = null
  #throttledUntilMs = 0
  #lastActiveMs: number
  readonly #onRoom = (): void => this.#pump()

  constructor(
    socket: Socket,
    id: string,
    listenerName: string,
    shared: ConnectionShared,
    onClosed: (connection: Connection) => void,
  ) {
    this.#socket = socket
    this.id = id
    this.listenerName = listenerName
    this.#shared = shared
    this.#onClosed = onClosed
    this.remoteAddress = socket.remoteAddress
    this.remotePort = socket.remotePort
    this.#lastActiveMs = shared.clock.monotonic()
    this.#reader = new FrameReader(
      LEAST_REQUEST_BYTES,
      shared.limits.maxFrameBytes,
      frame => void this.#waiting.push(frame),
    )
    socket.start({
      data: chunk => this.#onData(chunk),
      drain: () => this.#pump(),
      close: cause => this.#onClose(cause),
    })
  }

  /** Milliseconds since the last byte in or out; 0 while a request is running. */
  idleMs(): number {
    return this.#inFlight.length > 0 ? 0 : this.silentMs()
  }

  /** Milliseconds since the last byte in or out. */
  silentMs(): number {
    return this.#shared.clock.monotonic() - this.#lastActiveMs
  }

  /** Milliseconds for which the peer has not taken answers that wait for it; 0 when none wait. */
  stalledMs(): number {
    this.#countUnsent()
    return this.#unsentBytes === 0 ? 0 : this.#shared.clock.monotonic() - this.#lastActiveMs
  }

  get partialBytes(): number {
    return this.#reader.partialBytes
  }

  /** Milliseconds for which the peer has been allowed to finish a request although the bound is reached; 0 when it is not. */
  finishingMs(): number {
    return this.#seat === null ? 0 : this.#shared.clock.monotonic() - this.#seatedAtMs
  }

  close(reason: string): void {
    if (this.#isClosed) return
    this.#shared.log.debug({ connection: this.id, peer: this.remoteAddress, reason }, 'connection closed')
    this.#socket.destroy()
  }

  /**
   * Reads nothing for so long (KIP-219). Requests that are here already run, and count: who is over a quota must not hold memory
   * that others wait for. For the same reason `endThrottle` lets an unfinished request come in (docs/decisions/0006).
   */
  throttle(delayMs: number): void {
    if (this.#isClosed) return
    const { clock } = this.#shared
    const untilMs = clock.monotonic() + delayMs
    if (this.#throttled !== null && untilMs <= this.#throttledUntilMs) return
    this.#throttled?.cancel()
    this.#throttledUntilMs = untilMs
    this.#throttled = clock.after(delayMs, () => this.endThrottle())
  }

  get isThrottled(): boolean {
    return this.#throttled !== null
  }

  endThrottle(): void {
    this.#throttled?.cancel()
    this.#throttled = null
    this.#pump()
  }

  /** Lets running requests finish and their answers leave, then closes; used when the broker stops. */
  end(): void {
    if (this.#inFlight.length === 0) this.#socket.end()
    else this.#endWhenIdle = true
  }
  #endWhenIdle = false

  #onData(chunk: Buffer): void {
    this.#lastActiveMs = this.#shared.clock.monotonic()
    const before = this.#reader.partialBytes
    const waitingBefore = this.#waiting.length
    try {
      this.#reader.push(chunk)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#shared.log.warn({ connection: this.id, peer: this.remoteAddress }, `closed a connection: ${error.message}`)
      this.#socket.destroy()
      return
    }
    const partial = this.#reader.partialBytes - before
    let held = partial
    for (let i = waitingBefore; i < this.#waiting.length; i++) held += this.#waiting[i]!.length
    this.#hold(held, partial)
    if (this.#waiting.length > waitingBefore) this.#leaveSeat(true)
    this.#pump()
  }

  #hold(bytes: number, ofUnfinished = 0): void {
    this.#heldBytes += bytes
    this.#shared.requestBytes.add(bytes, ofUnfinished)
  }

  /** Starts what may start and decides whether to go on reading. Re-entrant calls (an answer that is ready at once) are flat. */
  #pump(): void {
    if (this.#isPumping || this.#isClosed) return
    this.#isPumping = true
    this.#sendReady()
    while (
      !this.#isClosed &&
      this.#waitingAt < this.#waiting.length &&
      this.#mayStart(this.#waiting[this.#waitingAt]!)
    ) {
      this.#startRequest(this.#waiting[this.#waitingAt++]!)
      this.#sendReady()
    }
    if (this.#waitingAt === this.#waiting.length) this.#waiting.length = this.#waitingAt = 0
    this.#isPumping = false
    this.#throttleReading()
  }

  #mayStart(frame: Buffer): boolean {
    const { limits, responseBytes } = this.#shared
    if (this.#runsOther || this.#endWhenIdle) return false
    this.#countUnsent()
    if (this.#unsentBytes > limits.maxUnsentBytes) return false
    const isProduce = frame.readInt16BE(0) === PRODUCE_KEY
    if (this.#inFlight.length > 0 && (!isProduce || this.#inFlight.length >= limits.maxInFlight)) return false
    if (!isProduce && responseBytes.isFull) {
      responseBytes.whenRoom(this.#onRoom)
      return false
    }
    return true
  }

  #startRequest(frame: Buffer): void {
    const slot: Slot = { answer: undefined, requestBytes: frame.length, reservedBytes: 0 }
    this.#inFlight.push(slot)
    this.#runsOther = frame.readInt16BE(0) !== PRODUCE_KEY
    const reserve = (wantBytes: number): number => {
      const { responseBytes } = this.#shared
      if (this.#isClosed) return Math.min(wantBytes, LEAST_RESPONSE_BYTES)
      responseBytes.add(-slot.reservedBytes)
      slot.reservedBytes = responseBytes.grant(wantBytes, LEAST_RESPONSE_BYTES)
      responseBytes.add(slot.reservedBytes)
      return slot.reservedBytes
    }
    try {
      const answer = this.#shared.dispatch(frame, this, reserve, this.#abort.signal)
      if (answer === null || Array.isArray(answer)) slot.answer = answer
      else (answer as Promise<readonly Buffer[] | null>).then(chunks => this.#onAnswer(slot, chunks), this.#onFailure)
    } catch (error) {
      this.#onFailure(error)
    }
  }

  #onAnswer(slot: Slot, answer: readonly Buffer[] | null): void {
    slot.answer = answer
    if (!this.#isClosed) this.#pump()
  }

  readonly #onFailure = (error: unknown): void => {
    this.#shared.log.debug(
      { connection: this.id, err: error },
      'connection closed after a request that cannot be answered',
    )
    this.#socket.destroy()
  }

  /** Sends the answers at the head of the line. */
  #sendReady(): void {
    let done = 0
    let chunks: readonly Buffer[] | undefined
    for (; done < this.#inFlight.length && this.#inFlight[done]!.answer !== undefined; done++) {
      const slot = this.#inFlight[done]!
      if (slot.answer !== null) chunks = chunks === undefined ? slot.answer! : chunks.concat(slot.answer!)
      this.#hold(-slot.requestBytes)
      if (slot.reservedBytes > 0) this.#shared.responseBytes.add(-slot.reservedBytes)
    }
    if (done === 0) return
    this.#inFlight.splice(0, done)
    if (this.#inFlight.length === 0) this.#runsOther = false
    if (chunks !== undefined) {
      this.#lastActiveMs = this.#shared.clock.monotonic()
      this.#socket.write(chunks)
      this.#countUnsent()
    }
    if (this.#endWhenIdle && this.#inFlight.length === 0) this.#socket.end()
  }

  /** Keeps the shared count of unsent bytes true. */
  #countUnsent(): void {
    const unsentBytes = this.#isClosed ? 0 : this.#socket.unsentBytes
    if (unsentBytes === this.#unsentBytes) return
    if (unsentBytes < this.#unsentBytes) this.#lastActiveMs = this.#shared.clock.monotonic()
    const change = unsentBytes - this.#unsentBytes
    this.#unsentBytes = unsentBytes
    this.#shared.responseBytes.add(change)
  }

  #throttleReading(): void {
    if (this.#isClosed) return
    const pause = this.#mustPause()
    if (pause === this.#isPaused) return
    this.#isPaused = pause
    if (pause) this.#socket.pause()
    else this.#socket.resume()
  }

  #mustPause(): boolean {
    const { limits, requestBytes } = this.#shared
    const waiting = this.#waiting.length - this.#waitingAt
    if (
      waiting + this.#inFlight.length >= limits.maxInFlight ||
      (waiting > 0 && this.#heldBytes > limits.maxInFlightBytes)
    ) {
      this.#leaveSeat(false)
      return true
    }
    if (this.#throttled !== null) {
      this.#leaveSeat(false)
      return true
    }
    const { missingBytes } = this.#reader
    if (missingBytes === 0) {
      if (!requestBytes.isFull) return false
      requestBytes.whenRoom(this.#onRoom)
      return true
    }
    if (!requestBytes.isReached || this.#seat !== null) return false
    this.#seat = requestBytes.enter(missingBytes, this.#onRoom)
    this.#seatedAtMs = this.#shared.clock.monotonic()
    return this.#seat === null
  }

  #leaveSeat(isFinished: boolean): void {
    const seat = this.#seat
    this.#seat = null
    seat?.leave(isFinished)
  }

  #onClose(cause: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#throttled?.cancel()
    const { log, requestBytes, responseBytes } = this.#shared
    log.debug({ connection: this.id, peer: this.remoteAddress, cause: cause?.message }, 'connection ended')
    requestBytes.forget(this.#onRoom)
    responseBytes.forget(this.#onRoom)
    this.#leaveSeat(false)
    this.#countUnsent()
    for (const slot of this.#inFlight) responseBytes.add(-slot.reservedBytes)
    this.#hold(-this.#heldBytes, -this.#reader.partialBytes)
    this.#inFlight.length = this.#waiting.length = this.#waitingAt = 0
    this.#abort.abort()
    this.#onClosed(this)
  }
}
