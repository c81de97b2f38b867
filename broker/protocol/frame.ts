// Cuts the bytes of a connection into Kafka's frames: an int32 size, then that many bytes. A frame gets one buffer of its own,
// filled from the socket's chunks; a large one starts small and grows with what really arrives, so that a peer that only
// announces a hundred megabytes costs nothing.

/** The peer does not speak Kafka, or sends more than is allowed (`socket.request.max.bytes`). */
export class FrameError extends Error {}

const FIRST_ALLOCATION_BYTES = 1024 * 1024

export class FrameReader {
  readonly #leastFrameBytes: number
  readonly #maxFrameBytes: number
  readonly #onFrame: (frame: Buffer) => void
  readonly #size = Buffer.allocUnsafe(4)
  #sizeRead = 0
  #frame: Buffer | undefined
  #frameBytes = 0
  #filled = 0

  /** `leastFrameBytes`: the shortest header there is; 8 for requests, 4 for responses. */
  constructor(leastFrameBytes: number, maxFrameBytes: number, onFrame: (frame: Buffer) => void) {
    this.#leastFrameBytes = leastFrameBytes
    this.#maxFrameBytes = maxFrameBytes
    this.#onFrame = onFrame
  }

  /** Bytes of the frame that has begun and is not complete. */
  get partialBytes(): number {
    return this.#filled
  }

  /** Bytes that the frame that has begun still lacks; 0 between two frames. */
  get missingBytes(): number {
    return this.#frame === undefined ? 0 : this.#frameBytes - this.#filled
  }

  /** Takes what arrived; calls `onFrame` for each frame that is complete. Throws FrameError: then the connection is lost. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        at = this.#readSize(chunk, at)
        if (this.#frame === undefined) return
        if (this.#frameBytes > 0) continue
      }
      at = this.#fill(chunk, at)
    }
  }

  #readSize(chunk: Buffer, at: number): number {
    while (this.#sizeRead < 4 && at < chunk.length) this.#size[this.#sizeRead++] = chunk[at++]!
    if (this.#sizeRead < 4) return at
    const size = this.#size.readInt32BE(0)
    this.#sizeRead = 0
    if (size < this.#leastFrameBytes || size > this.#maxFrameBytes) {
      const bounds = `${this.#leastFrameBytes} to ${this.#maxFrameBytes} are allowed`
      throw new FrameError(otherProtocol(this.#size) ?? `a frame of ${size} bytes; ${bounds}`)
    }
    this.#frameBytes = size
    this.#filled = 0
    this.#frame = Buffer.allocUnsafeSlow(Math.min(size, FIRST_ALLOCATION_BYTES))
    return at
  }

  #fill(chunk: Buffer, at: number): number {
    let frame = this.#frame!
    const take = Math.min(chunk.length - at, this.#frameBytes - this.#filled)
    if (this.#filled + take > frame.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#frameBytes, Math.max(frame.length * 2, this.#filled + take)))
      frame.copy(grown, 0, 0, this.#filled)
      this.#frame = frame = grown
    }
    chunk.copy(frame, this.#filled, at, at + take)
    this.#filled += take
    if (this.#filled === this.#frameBytes) {
      this.#frame = undefined
      this.#filled = 0
      this.#onFrame(frame)
    }
    return at + take
  }
}

/** What the first bytes say that the peer speaks instead of Kafka's protocol, in words for the log; null when they say nothing. */
function otherProtocol(start: Buffer): string | null {
  if (HTTP_METHODS.has(start.toString('latin1'))) return 'an HTTP request at a port for Kafka clients'
  // The record header of a handshake, in any version.
  if (start[0] === 0x16 && start[1] === 0x03) return 'a TLS handshake at a listener without TLS'
  return null
}

const HTTP_METHODS: ReadonlySet<string> = new Set(['GET ', 'HEAD', 'POST', 'PUT ', 'DELE', 'OPTI', 'PATC', 'CONN'])
