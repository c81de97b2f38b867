import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { systemClock, type Clock } from '../../../broker/base/clock.ts'
import { silentLogger } from '../../../broker/base/log.ts'
import type { Socket, SocketEvents } from '../../../broker/base/transport.ts'
import { Connection, type ConnectionShared, type Dispatch } from '../../../broker/server/connection.ts'
import { Connections } from '../../../broker/server/listener.ts'
import { MemoryBound } from '../../../broker/server/memory-bound.ts'
import { RequestMemory } from '../../../broker/server/request-memory.ts'
import { manualClock } from '../../manual-clock.ts'

const PRODUCE = 0
const FETCH = 1

class FakeSocket implements Socket {
  readonly remoteAddress: string
  readonly remotePort = 5
  unsentBytes = 0
  isPaused = false
  isDestroyed = false
  isEnded = false
  takesBytes = true
  readonly written: string[] = []
  events!: SocketEvents
  constructor(remoteAddress = '127.0.0.1') {
    this.remoteAddress = remoteAddress
  }
  start(events: SocketEvents): void {
    this.events = events
  }
  write(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      this.written.push(Buffer.from(chunk).toString())
      if (!this.takesBytes) this.unsentBytes += chunk.length
    }
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  destroy(): void {
    if (this.isDestroyed) return
    this.isDestroyed = true
    this.events?.close()
  }
  end(): void {
    this.isEnded = true
    this.destroy()
  }
}

function request(apiKey: number, name: string): Buffer {
  const frame = Buffer.alloc(12 + name.length)
  frame.writeInt32BE(8 + name.length)
  frame.writeInt16BE(apiKey, 4)
  frame.write(name, 12)
  return frame
}
const nameOf = (frame: Buffer) => frame.toString('utf8', 8)

/** A connection whose requests are answered when the test says so. */
function connect(
  change: Partial<ConnectionShared['limits']> & { requestBytes?: number; responseBytes?: number; clock?: Clock } = {},
) {
  const socket = new FakeSocket()
  const started: string[] = []
  const answers = new Map<string, (answer: readonly Buffer[] | null) => void>()
  const signals: AbortSignal[] = []
  const reserves: ((bytes: number) => number)[] = []
  const dispatch: Dispatch = (frame, _connection, reserve, signal) => {
    const name = nameOf(frame)
    started.push(name)
    signals.push(signal)
    reserves.push(reserve)
    if (name.startsWith('now')) return [Buffer.from(name)]
    if (name.startsWith('throw')) throw new Error('cannot be read')
    return new Promise(resolve => answers.set(name, resolve))
  }
  const shared: ConnectionShared = {
    clock: change.clock ?? systemClock,
    log: silentLogger,
    dispatch,
    limits: { maxFrameBytes: 1e6, maxInFlight: 4, maxInFlightBytes: 1e6, maxUnsentBytes: 100, ...change },
    requestBytes: new RequestMemory(change.requestBytes ?? 1e9),
    responseBytes: new MemoryBound(change.responseBytes ?? 1e9),
  }
  let closed = 0
  const connection = new Connection(socket, 'c-1', 'PLAINTEXT', shared, () => closed++)
  const send = (...frames: Buffer[]) => socket.events.data(Buffer.concat(frames))
  const answer = async (name: string, value: readonly Buffer[] | null = [Buffer.from(name)]) => {
    answers.get(name)!(value)
    await Promise.resolve()
    await Promise.resolve()
  }
  return { socket, started, send, answer, shared, connection, signals, reserves, closedCount: () => closed }
}

test('produce requests overlap and are answered in their order', async () => {
  const { socket, started, send, answer } = connect()
  send(request(PRODUCE, 'a'), request(PRODUCE, 'b'), request(PRODUCE, 'c'))
  deepEqual(started, ['a', 'b', 'c'])
  await answer('c')
  await answer('b')
  deepEqual(socket.written, [])
  await answer('a')
  deepEqual(socket.written, ['a', 'b', 'c'])
})

test('any other request waits until the connection is idle, and what follows waits behind it', async () => {
  const { started, send, answer } = connect()
  send(request(PRODUCE, 'a'), request(FETCH, 'b'), request(PRODUCE, 'c'))
  deepEqual(started, ['a'])
  await answer('a')
  deepEqual(started, ['a', 'b'])
  await answer('b')
  deepEqual(started, ['a', 'b', 'c'])
})

test('a request that is answered with nothing does not hold up the next', async () => {
  const { socket, send, answer } = connect()
  send(request(PRODUCE, 'a'), request(PRODUCE, 'b'))
  await answer('a', null)
  await answer('b')
  deepEqual(socket.written, ['b'])
})

test('a connection with too many requests in flight is not read until one is answered', async () => {
  const { socket, send, answer } = connect()
  send(...['a', 'b', 'c', 'd', 'e'].map(name => request(PRODUCE, name)))
  equal(socket.isPaused, true)
  await answer('a')
  await answer('b')
  equal(socket.isPaused, false)
})

test('the bound on request bytes of the broker stops reading and lets go when requests end', async () => {
  const { socket, send, answer, shared } = connect({ requestBytes: 10 })
  send(request(PRODUCE, 'abc'))
  equal(shared.requestBytes.usedBytes, 11)
  equal(socket.isPaused, true)
  await answer('abc')
  equal(shared.requestBytes.usedBytes, 0)
  equal(socket.isPaused, false)
})

test('a reader that does not read its answers gets no further request started', async () => {
  const { socket, started, send, shared } = connect()
  socket.takesBytes = false
  const long = 'now'.padEnd(200, 'x')
  send(request(FETCH, long), request(FETCH, 'now-2'))
  deepEqual(started, [long])
  equal(shared.responseBytes.usedBytes, 200)
  socket.unsentBytes = 0
  socket.events.drain()
  deepEqual(started, [long, 'now-2'])
})

test('memory for answers is granted in shares, given back when answered, and never less than a batch', async () => {
  const { send, answer, reserves, shared } = connect({ responseBytes: 40_000_000 })
  send(request(FETCH, 'a'))
  equal(reserves[0]!(50_000_000), 10_000_000)
  equal(reserves[0]!(10), 10)
  equal(shared.responseBytes.usedBytes, 10)
  shared.responseBytes.add(40_000_000)
  equal(reserves[0]!(50_000_000), 1024 * 1024)
  shared.responseBytes.add(-40_000_000)
  await answer('a')
  equal(shared.responseBytes.usedBytes, 0)
})

test('while the bound on answers is reached, requests wait for room', async () => {
  const { send, started, shared } = connect({ responseBytes: 1000 })
  shared.responseBytes.add(1000)
  send(request(FETCH, 'now-1'))
  deepEqual(started, [])
  shared.responseBytes.add(-1)
  deepEqual(started, ['now-1'])
})

test('a request that cannot be answered closes the connection and gives everything back', async () => {
  const { socket, send, shared, signals, closedCount } = connect()
  send(request(PRODUCE, 'a'), request(PRODUCE, 'throw'))
  equal(socket.isDestroyed, true)
  equal(closedCount(), 1)
  equal(shared.requestBytes.usedBytes, 0)
  equal(signals[0]!.aborted, true)
})

test('an answer that comes after the connection has gone is dropped', async () => {
  const { socket, send, answer, shared } = connect()
  send(request(PRODUCE, 'a'))
  socket.destroy()
  await answer('a')
  deepEqual(socket.written, [])
  equal(shared.requestBytes.usedBytes, 0)
})

test('ending waits for what runs, and starts nothing more', async () => {
  const { socket, started, send, answer, connection } = connect()
  send(request(PRODUCE, 'a'))
  connection.end()
  send(request(PRODUCE, 'b'))
  equal(socket.isEnded, false)
  await answer('a')
  deepEqual(started, ['a'])
  deepEqual(socket.written, ['a'])
  equal(socket.isEnded, true)
})

test('when parts of requests fill the memory, one after the other is finished, and who does not send is closed', async () => {
  const clock = manualClock()
  const { shared, started } = connect({ requestBytes: 70, clock })
  const limits = { maxConnections: 9, maxConnectionsPerIp: 9, maxConnectionsPerIpOverrides: new Map(), maxIdleMs: -1 }
  const connections = new Connections(shared, limits)
  const begin = (name: string) => {
    const socket = new FakeSocket()
    connections.accept(socket, 'PLAINTEXT')
    const frame = request(PRODUCE, name.padEnd(50))
    socket.events.data(frame.subarray(0, 40))
    return { socket, sendRest: () => socket.events.data(frame.subarray(40)) }
  }
  const a = begin('now a')
  const silent = begin('silent')
  const b = begin('now b')
  a.socket.events.data(Buffer.alloc(0))
  deepEqual([a.socket.isPaused, silent.socket.isPaused, b.socket.isPaused], [true, false, true])
  clock.advance(4_000)
  equal(silent.socket.isDestroyed, true)
  deepEqual([a.socket.isPaused, b.socket.isPaused], [true, false])
  b.sendRest()
  equal(a.socket.isPaused, false)
  a.sendRest()
  deepEqual(started, ['now b'.padEnd(50), 'now a'.padEnd(50)])
  equal(shared.requestBytes.usedBytes, 0)
  connections.destroy()
})

test('connections over the limit, in all or of one address, are closed at once', () => {
  const { shared } = connect()
  const limits = {
    maxConnections: 3,
    maxConnectionsPerIp: 2,
    maxConnectionsPerIpOverrides: new Map([['9.9.9.9', 1]]),
    maxIdleMs: -1,
  }
  const connections = new Connections(shared, limits)
  const accept = (address: string) => {
    const socket = new FakeSocket(address)
    connections.accept(socket, 'PLAINTEXT')
    return socket
  }
  const first = accept('1.1.1.1')
  equal(accept('9.9.9.9').isDestroyed, false)
  equal(accept('9.9.9.9').isDestroyed, true)
  equal(accept('1.1.1.1').isDestroyed, false)
  equal(accept('1.1.1.1').isDestroyed, true)
  equal(accept('2.2.2.2').isDestroyed, true)
  first.destroy()
  equal(accept('1.1.1.1').isDestroyed, false)
  connections.destroy()
  equal(connections.count, 0)
})

test('a throttled connection is not read until its time is over; what it had sent before is served', async () => {
  const clock = manualClock()
  const { socket, started, send, answer, connection } = connect({ clock })
  send(request(PRODUCE, 'a'), request(PRODUCE, 'b'), request(FETCH, 'c'))
  connection.throttle(1_000)
  await answer('a')
  equal(socket.isPaused, true)
  await answer('b')
  deepEqual(started, ['a', 'b', 'c'])
  await answer('c')
  deepEqual(socket.written, ['a', 'b', 'c'])
  clock.advance(999)
  equal(socket.isPaused, true)
  clock.advance(1)
  equal(socket.isPaused, false)
})

test('the longest throttle counts', async () => {
  const clock = manualClock()
  const { socket, send, connection } = connect({ clock })
  connection.throttle(1_000)
  connection.throttle(3_000)
  connection.throttle(500)
  send(request(PRODUCE, 'now'))
  clock.advance(2_999)
  equal(socket.isPaused, true)
  clock.advance(1)
  equal(socket.isPaused, false)
  equal(connection.isThrottled, false)
})

test('a connection that ends while it is throttled leaves no timer', () => {
  const clock = manualClock()
  const { socket, connection, closedCount } = connect({ clock })
  connection.throttle(1_000)
  socket.destroy()
  connection.throttle(1_000)
  equal(clock.timers, 0)
  equal(closedCount(), 1)
})

test('when the memory for requests is full, a throttled connection may finish the request it has begun', () => {
  const clock = manualClock()
  const { shared, started } = connect({ requestBytes: 30, clock })
  const limits = { maxConnections: 9, maxConnectionsPerIp: 9, maxConnectionsPerIpOverrides: new Map(), maxIdleMs: -1 }
  const throttling: Dispatch = (frame, connection, reserve, signal) => {
    connection.throttle(60_000)
    return shared.dispatch(frame, connection, reserve, signal)
  }
  const connections = new Connections({ ...shared, dispatch: throttling }, limits)
  const socket = new FakeSocket()
  connections.accept(socket, 'PLAINTEXT')
  const frame = request(PRODUCE, 'now'.padEnd(50))
  socket.events.data(Buffer.concat([request(PRODUCE, 'now first'), frame.subarray(0, 40)]))
  equal(socket.isPaused, true)
  clock.advance(1_000)
  equal(socket.isPaused, false)
  socket.events.data(frame.subarray(40))
  deepEqual(started, ['now first', 'now'.padEnd(50)])
  equal(socket.isPaused, true)
  connections.destroy()
})

test('a connection that is one too many a second is not served, and closed a little later', () => {
  const clock = manualClock()
  const { shared, started } = connect({ clock })
  let refusalMs = 700
  const limits = {
    maxConnections: 2,
    maxConnectionsPerIp: 9,
    maxConnectionsPerIpOverrides: new Map(),
    maxIdleMs: -1,
    rates: { refusalMs: () => refusalMs },
  }
  const connections = new Connections(shared, limits)
  const held = new FakeSocket()
  connections.accept(held, 'PLAINTEXT')
  held.events.data(request(PRODUCE, 'now'))
  deepEqual(started, [])
  equal(connections.count, 1)
  clock.advance(699)
  equal(held.isDestroyed, false)
  clock.advance(1)
  equal(held.isDestroyed, true)
  equal(connections.count, 0)
  const [leaves, stays] = [new FakeSocket(), new FakeSocket()]
  connections.accept(leaves, 'PLAINTEXT')
  leaves.destroy()
  connections.accept(stays, 'PLAINTEXT')
  refusalMs = 0
  connections.accept(new FakeSocket(), 'PLAINTEXT')
  equal(connections.count, 2)
  connections.end()
  equal(stays.isDestroyed, true)
  connections.destroy()
  equal(connections.count, 0)
})

test('other limits count for those who come, and close nobody who is there', () => {
  const { shared } = connect()
  const limits = { maxConnections: 2, maxConnectionsPerIp: 9, maxConnectionsPerIpOverrides: new Map(), maxIdleMs: -1 }
  const connections = new Connections(shared, limits)
  const accept = () => {
    const socket = new FakeSocket()
    connections.accept(socket, 'PLAINTEXT')
    return socket
  }
  const [first, second] = [accept(), accept()]
  equal(accept().isDestroyed, true)
  connections.limit({ ...limits, maxConnections: 3 })
  equal(accept().isDestroyed, false)
  connections.limit({ ...limits, maxConnections: 1 })
  equal(accept().isDestroyed, true)
  deepEqual([first.isDestroyed, second.isDestroyed], [false, false])
  connections.destroy()
})
