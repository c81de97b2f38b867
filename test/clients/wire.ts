// The little of Kafka's protocol that the suite writes by hand: frames on a plain socket. It shares no code with the broker,
// so a mistake there cannot hide here. For everything else the suite uses real clients.
import { connect } from 'node:net'
import type { Socket } from 'node:net'

export type Address = { readonly host: string; readonly port: number }

/** A plain TCP connection that collects what comes back. */
export class Wire {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #isClosed = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    // A reset and an orderly end are both "closed": which one a client sees depends on what it had not read yet.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#wake()
    })
  }

  /** Connects; rejects when nobody listens. */
  static async open(address: Address): Promise<Wire> {
    const socket = connect({ host: address.host, port: address.port, noDelay: true })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new Wire(socket)
  }

  send(...bytes: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(bytes))
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.#socket.end()
  }

  /** The next response without its size: correlation id, then the rest. Null when the broker closes the connection instead. */
  async frame(timeoutMs = 60_000): Promise<Buffer | null> {
    await this.#until(() => this.#isClosed || this.#hasFrame(), timeoutMs)
    if (!this.#hasFrame()) return null
    const size = this.#received.readInt32BE(0)
    const frame = this.#received.subarray(4, 4 + size)
    this.#received = this.#received.subarray(4 + size)
    return frame
  }

  /** Waits until the broker has closed the connection and returns what it sent before. */
  async closed(timeoutMs = 60_000): Promise<Buffer> {
    await this.#until(() => this.#isClosed, timeoutMs)
    return this.#received
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #hasFrame(): boolean {
    return this.#received.length >= 4 && this.#received.length >= 4 + this.#received.readInt32BE(0)
  }

  async #until(condition: () => boolean, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!condition()) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) throw new Error(`nothing happened on the connection for ${timeoutMs} ms`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

/** A request frame with header version 1 (or 2, with its empty tag buffer) and the client id "wire". */
export function requestFrame(
  apiKey: number,
  apiVersion: number,
  correlationId: number,
  body: Buffer,
  headerVersion = 1,
): Buffer {
  const clientId = Buffer.from('wire')
  const header = Buffer.concat([
    int16(apiKey),
    int16(apiVersion),
    int32(correlationId),
    int16(clientId.length),
    clientId,
    Buffer.alloc(headerVersion === 2 ? 1 : 0),
  ])
  return Buffer.concat([int32(header.length + body.length), header, body])
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}

/** A STRING: int16 length and UTF-8. */
export function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}

/** True when a broker answers at `address` and knows itself as an alive member of its cluster (Metadata v1, no topics). */
export async function answersMetadata(address: Address): Promise<boolean> {
  const wire = await Wire.open(address).catch(() => null)
  if (wire === null) return false
  try {
    wire.send(requestFrame(3, 1, 7, int32(0)))
    const frame = await wire.frame(10_000)
    return frame !== null && frame.readInt32BE(0) === 7 && frame.readInt32BE(4) > 0
  } catch {
    // Not yet: the listener is open before the broker serves.
    return false
  } finally {
    wire.destroy()
  }
}
