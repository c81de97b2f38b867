// Sockets as an interface: TCP here, a virtual network in the simulation. It moves bytes and says how many wait to be
// sent; frames, order and limits are the business of server/ and client/.
import net from 'node:net'
import { canonicalIp } from './ip.ts'

export type SocketEvents = {
  /** Bytes arrived. The buffer belongs to the receiver. */
  data(chunk: Buffer): void
  /** Everything written before has been taken by the operating system. */
  drain(): void
  /** The last event: the connection is gone; `cause` if something broke it. */
  close(cause?: Error): void
}

export type Socket = {
  /** As canonicalIp writes it; '' when the peer is already gone. */
  readonly remoteAddress: string
  readonly remotePort: number
  /** Bytes given to `write` that the operating system has not taken yet. */
  readonly unsentBytes: number
  /** Starts the flow of events; nothing arrives before. */
  start(events: SocketEvents): void
  /** Queues the chunks as one vectored write. After `close` it does nothing. */
  write(chunks: readonly Uint8Array[]): void
  /** Stops and restarts `data` events; the peer then feels the back-pressure. */
  pause(): void
  resume(): void
  /** Drops the connection at once, unsent bytes included. */
  destroy(): void
  /** Closes the connection after what was written has been sent. */
  end(): void
}

export type Listening = {
  readonly host: string
  /** The real port, also when 0 was asked for. */
  readonly port: number
  /** Stops accepting. Connections that exist stay. */
  close(): Promise<void>
}

export type Address = { readonly host: string; readonly port: number }

export type Transport = {
  /** Rejects with the system's error (`code` EADDRINUSE, EACCES, ...) when it cannot listen there. */
  listen(address: Address, onSocket: (socket: Socket) => void): Promise<Listening>
  connect(address: Address): Promise<Socket>
}

export const tcpTransport: Transport = {
  listen({ host, port }, onSocket) {
    const server = net.createServer({ noDelay: true, pauseOnConnect: true }, socket => onSocket(tcpSocket(socket)))
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, backlog: 1024 }, () => {
        server.off('error', reject)
        // An accept that fails (EMFILE) concerns one peer, who sees a reset; the listener goes on.
        server.on('error', () => {})
        const bound = server.address() as net.AddressInfo
        resolve({
          host: bound.address,
          port: bound.port,
          close: () => new Promise(done => server.close(() => done())),
        })
      })
    })
  },

  connect({ host, port }) {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host, port, noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        socket.pause()
        resolve(tcpSocket(socket))
      })
    })
  },
}

function tcpSocket(socket: net.Socket): Socket {
  let cause: Error | undefined
  socket.on('error', error => (cause = error))
  return {
    remoteAddress: canonicalIp(socket.remoteAddress ?? '') ?? '',
    remotePort: socket.remotePort ?? 0,
    get unsentBytes() {
      return socket.writableLength
    },
    start(events) {
      socket.on('data', events.data)
      socket.on('drain', events.drain)
      socket.on('close', () => events.close(cause))
      socket.resume()
    },
    write(chunks) {
      if (socket.destroyed) return
      if (chunks.length === 1) {
        socket.write(chunks[0]!)
        return
      }
      socket.cork()
      for (const chunk of chunks) socket.write(chunk)
      socket.uncork()
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    destroy: () => void socket.destroy(),
    end: () => void socket.end(),
  }
}
