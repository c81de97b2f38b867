// Hostile peers against a whole broker: whatever they send, the broker neither fails nor stops serving others, and its memory
// for requests is given back.
import { equal, ok } from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, test } from 'vitest'
import { tcpTransport } from '../../broker/base/transport.ts'
import type { Logger } from '../../broker/base/log.ts'
import { apis } from '../../broker/api/index.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { encodeRequest } from '../../broker/protocol/header.ts'
import { ApiVersions } from '../../broker/protocol/messages/api-versions.ts'
import { below, pick, randomMessage } from '../protocol/random-values.ts'
import { seededNumbers } from '../seeded.ts'
import { startTestBroker, type TestBroker } from './in-process.ts'

const seed = Number(process.env.FLOTILLA_SEED ?? Date.now() % 1_000_000)
const chance = seededNumbers(seed)
const faults: string[] = []
const log: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (...said: unknown[]) => void faults.push(JSON.stringify(said, errorsToo)),
  child: () => log,
}
const errorsToo = (_key: string, value: unknown) => (value instanceof Error ? value.stack : value)
let broker: TestBroker

beforeAll(async () => {
  broker = await startTestBroker({ 'connections.max.idle.ms': '60000', 'num.partitions': '2' }, { log })
})
afterAll(() => broker.remove())

/** Sends the bytes and waits until the broker answers something or closes the connection. */
function provoke(bytes: readonly Buffer[]): Promise<'answered' | 'closed'> {
  return new Promise(resolve => {
    const socket: Socket = connect(broker.address)
    socket.on('error', () => {})
    socket.once('data', () => (socket.destroy(), resolve('answered')))
    socket.once('close', () => resolve('closed'))
    for (const chunk of bytes) socket.write(chunk)
    socket.end()
  })
}

async function checkHealth(): Promise<void> {
  equal(faults.join('\n'), '', `seed ${seed}`)
  const connection = await BrokerConnection.open(tcpTransport, broker.address, 'health')
  const response = await connection.request(ApiVersions, 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' })
  equal(response.errorCode, 0)
  connection.close()
}

test(`random requests of every API and version are answered or refused, never a fault (seed ${seed})`, async () => {
  for (const { api, versions } of apis.values()) {
    for (let version = versions[0]; version <= versions[1]; version++) {
      for (let i = 0; i < 6; i++) {
        const body = randomMessage(chance, api, 'request', version)
        await provoke(encodeRequest(api, version, i, 'fuzz', body as never))
      }
    }
    await checkHealth()
  }
})

test(`truncated and bit-flipped requests are answered or refused, never a fault (seed ${seed})`, async () => {
  const list = [...apis.values()]
  for (let i = 0; i < 600; i++) {
    const { api, versions } = pick(chance, list)
    const version = versions[0] + below(chance, versions[1] - versions[0] + 1)
    const frame = Buffer.concat(
      encodeRequest(api, version, i, 'fuzz', randomMessage(chance, api, 'request', version) as never),
    )
    if (chance() < 0.5)
      for (let flips = 0; flips < 3; flips++) frame[4 + below(chance, frame.length - 4)]! ^= 1 << below(chance, 8)
    else frame.writeInt32BE(Math.max(frame.length - 4 - below(chance, frame.length - 4), 8), 0)
    await provoke([frame])
  }
  await checkHealth()
})

test(`bytes that are no protocol at all are refused (seed ${seed})`, async () => {
  const texts = [
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000',
    'SSH-2.0-OpenSSH_9.0\r\n',
    '\0\0\0\0\0\0\0\0',
  ]
  for (const text of texts) equal(await provoke([Buffer.from(text, 'latin1')]), 'closed')
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(Array.from({ length: 1 + below(chance, 200) }, () => below(chance, 256)))
    await provoke([bytes])
  }
  await checkHealth()
})

test('a thousand announcements of the largest request cost no memory worth naming', async () => {
  const announcement = Buffer.alloc(12)
  announcement.writeInt32BE(100 * 1024 * 1024)
  const before = process.memoryUsage().rss
  const sockets = Array.from({ length: 1000 }, () => {
    const socket = connect(broker.address)
    socket.on('error', () => {})
    socket.write(announcement)
    return socket
  })
  await Promise.all(sockets.map(socket => new Promise(resolve => socket.once('connect', resolve))))
  await checkHealth()
  ok(process.memoryUsage().rss - before < 300 * 1024 * 1024)
  for (const socket of sockets) socket.destroy()
  await checkHealth()
})
