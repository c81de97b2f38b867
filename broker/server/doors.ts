// The ports of a broker: taken before anything else, so that a start that cannot have them does not touch the disk, and opened when the
// broker can answer. Not here: what happens on a connection (connection.ts).
import type { Socket, Transport } from '../base/transport.ts'
import { UserError } from '../base/user-error.ts'
import type { ListenerConfig } from '../config/broker-config.ts'

/** Sockets that came in before the broker can serve them wait in `held`. */
export type Doors = {
  readonly ports: readonly number[]
  open(accept: (socket: Socket, listenerName: string) => void): void
}

/** Takes the ports first: a start that cannot have them must not touch the disk. */
export async function openListeners(
  transport: Transport,
  listeners: readonly ListenerConfig[],
  onStop: (step: () => Promise<void> | void) => void,
): Promise<Doors> {
  const held: [Socket, string][] = []
  let accept = (socket: Socket, listenerName: string): void => void held.push([socket, listenerName])
  const ports: number[] = []
  for (const { name, host, port } of listeners) {
    const listening = await transport
      .listen({ host: host === '' ? '::' : host, port }, socket => accept(socket, name))
      .catch((cause: unknown) => Promise.reject(cannotListen(name, host, port, cause)))
    onStop(() => {
      // Listening ends only when the last connection has: a start that fails must not wait for those it has not answered.
      for (const [socket] of held) socket.destroy()
      return listening.close()
    })
    ports.push(listening.port)
  }
  return {
    ports,
    open(serveSocket) {
      accept = serveSocket
      for (const [socket, name] of held.splice(0)) accept(socket, name)
    },
  }
}

/** A port that cannot be had, in words for whoever started the broker. */
export function cannotListen(name: string, host: string, port: number, cause: unknown): UserError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const where = `${host === '' ? '*' : host}:${port}`
  if (code === 'EADDRINUSE') {
    return new UserError(
      `${name} cannot listen on ${where}: the port is taken.`,
      'Stop what uses it, or choose another port (--port or `listeners`; for HTTP `flotilla.http.port`).',
    )
  }
  if (code === 'EACCES') return new UserError(`${name} may not listen on ${where}.`, 'Choose a port above 1023.')
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new UserError(`${name} cannot listen on ${where}: ${reason}.`, 'Check `listeners`.')
}
