// The broker as a process among clients that do not behave: they do not read, do not write to the end, write too much, come in
// crowds, or leave without a word. Its memory stays within bounds that follow from its configuration, and everybody else is served.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, test } from 'vitest'
import { createTopic, until } from '../../bench/peers/admin.ts'
import { tcpTransport, type Address } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { encodeRequest } from '../../broker/protocol/header.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { buildBatch } from '../../broker/records/batch.ts'
import { answersMetadata, Wire } from '../clients/wire.ts'
import {
  newFolder,
  removeFolders,
  startBroker,
  tellOnFailure,
  type BrokerProcess,
  type BrokerSettings,
} from './broker-process.ts'
import { fetchFrom, LATEST, Ledger, offsetAt } from './ledger.ts'

const MIB = 1024 * 1024
const CONNECTIONS = 'kafka_server_socket_server_metrics_connection_count'
const REQUEST_BYTES = 'flotilla_request_memory_bytes'
const RESPONSE_BYTES = 'flotilla_response_memory_bytes'
/** What V8 may leave lying about before it collects, whatever the bounds are. */
const GARBAGE_BYTES = 64 * MIB

let broker: BrokerProcess | null = null
const sockets: Socket[] = []

afterEach(tellOnFailure)
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  if (broker !== null) await broker.kill()
  broker = null
})
afterAll(removeFolders)

async function start(settings: BrokerSettings = {}): Promise<BrokerProcess> {
  return (broker = await startBroker(await newFolder('hostile'), settings))
}

/** A connection that reads nothing unless told to. */
async function deafSocket(address: Address): Promise<Socket> {
  const socket = connect(address.port, address.host)
  sockets.push(socket)
  socket.on('error', () => {})
  socket.pause()
  await new Promise<void>(resolve => socket.once('connect', resolve).once('close', () => resolve()))
  return socket
}

const deafSockets = (address: Address, count: number): Promise<Socket[]> =>
  Promise.all(Array.from({ length: count }, () => deafSocket(address)))

const open = (address: Address): Promise<BrokerConnection> => BrokerConnection.open(tcpTransport, address, 'polite')

function batchOf(sizeBytes: number): Buffer {
  return buildBatch({ records: [{ timestamp: 1_000, key: null, value: Buffer.alloc(sizeBytes) }] })
}

const produceBody = (topic: string, partition: number, records: Buffer) => ({
  transactionalId: null,
  acks: -1,
  timeoutMs: 30_000,
  topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
})

const fetchBody = (topic: string, partitions: readonly number[], fetchOffset: number, maxWaitMs: number) => ({
  maxWaitMs,
  minBytes: 1,
  maxBytes: 50_000_000,
  sessionId: 0,
  sessionEpoch: -1,
  topics: [
    {
      topic,
      partitions: partitions.map(partition => ({ partition, fetchOffset, partitionMaxBytes: 50_000_000 })),
    },
  ],
  forgottenTopicsData: [],
})

/** Somebody who does everything right: again and again a record is produced and read back, on an old and on a new connection. */
async function servePolitely(address: BrokerProcess, topic: string, rounds: number, look: () => void): Promise<void> {
  const ledger = new Ledger(topic, 0, 500)
  const old = await open(address)
  for (let round = 0; round < rounds; round++) {
    for (const connection of [old, await open(address)]) {
      equal(await ledger.produce(connection), 0)
      const offset = ledger.lastAcknowledged
      equal((await fetchFrom(connection, topic, 0, offset)).highWatermark, offset + 1)
      if (connection !== old) connection.close()
      look()
    }
  }
  old.close()
}

async function settlesAtNothing(of: BrokerProcess): Promise<void> {
  for (const name of [CONNECTIONS, REQUEST_BYTES, RESPONSE_BYTES])
    await until(`${name} is back at 0`, async () => (await of.metric(name)) === 0)
}

test('two hundred clients that fetch all they can and never read cost no more than the bound on answers', async () => {
  const boundBytes = 32 * MIB
  const target = await start({
    'flotilla.response.max.bytes': String(boundBytes),
    'flotilla.log.cache.bytes': String(16 * MIB),
  })
  const partitions = [0, 1, 2, 3]
  await createTopic(target, 'large', partitions.length, { 'flush.messages': '1000000' })
  await createTopic(target, 'small', 1)
  await fill(target, 'large', partitions, 300_000_000)
  const beforeBytes = target.residentBytes()

  let mostBytes = 0
  const look = (): void => void (mostBytes = Math.max(mostBytes, target.residentBytes()))
  const readers = await deafSockets(target, 200)
  for (const [at, reader] of readers.entries()) {
    for (let i = 0; i < 3; i++)
      reader.write(Buffer.concat(encodeRequest(Fetch, 11, i, 'deaf', fetchBody('large', partitions, at % 30, 500))))
  }
  await until('answers wait for them', async () => (await target.metric(RESPONSE_BYTES)) > boundBytes / 2)
  await servePolitely(target, 'small', 40, look)
  for (const reader of readers) reader.destroy()
  await settlesAtNothing(target)

  // An answer exists once as bytes that wait, and for a moment once more as what was read from the disk for it.
  const allowedBytes = 2 * boundBytes + GARBAGE_BYTES
  ok(mostBytes - beforeBytes < allowedBytes, `${(mostBytes - beforeBytes) / MIB} MiB more than before`)
})

async function fill(address: Address, topic: string, partitions: readonly number[], sizeBytes: number): Promise<void> {
  const batchBytes = 900_000
  let left = Math.ceil(sizeBytes / batchBytes)
  const run = async (partition: number): Promise<void> => {
    const connection = await open(address)
    while (left-- > 0) {
      const { responses } = await connection.request(Produce, 9, produceBody(topic, partition, batchOf(batchBytes)))
      equal(responses[0]!.partitionResponses[0]!.errorCode, 0)
    }
    connection.close()
  }
  await Promise.all(partitions.map(run))
}

test('five hundred clients that stop in the middle of a huge request cost what they sent, and others are served', async () => {
  const boundBytes = 64 * MIB
  const target = await start({ 'queued.max.request.bytes': String(boundBytes) })
  await createTopic(target, 'small', 1)
  const half = Buffer.alloc(256 * 1024)
  half.writeInt32BE(100_000_000)
  const beforeBytes = target.residentBytes()

  let mostBytes = 0
  const look = (): void => void (mostBytes = Math.max(mostBytes, target.residentBytes()))
  for (const writer of await deafSockets(target, 500)) writer.write(half)
  await until('they fill the memory for requests', async () => (await target.metric(REQUEST_BYTES)) >= boundBytes)
  await servePolitely(target, 'small', 40, look)
  for (const socket of sockets) socket.destroy()
  await settlesAtNothing(target)

  // What is there beyond the bound: one read of each socket. A buffer that grows is at most twice as large as what is in it.
  const allowedBytes = 2 * (boundBytes + 500 * 64 * 1024) + GARBAGE_BYTES
  ok(mostBytes - beforeBytes < allowedBytes, `${(mostBytes - beforeBytes) / MIB} MiB more than before`)
})

test('a hundred clients whose large requests do not fit into memory together are all answered', async () => {
  const target = await start({ 'queued.max.request.bytes': '20000000' })
  await createTopic(target, 'busy', 1)
  const records = batchOf(900_000)
  const offsets = new Set<number>()
  const run = async (): Promise<void> => {
    const connection = await open(target)
    for (let i = 0; i < 3; i++) {
      const { responses } = await connection.request(Produce, 9, produceBody('busy', 0, records))
      const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
      equal(errorCode, 0)
      offsets.add(baseOffset)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: 100 }, run))
  equal(offsets.size, 300)
  equal(await offsetAt(target, 'busy', 0, LATEST), 300)
  await settlesAtNothing(target)
})

test('a flood of pipelined requests waits in the sender, and is answered in its order', async () => {
  const target = await start({
    'flotilla.connection.max.requests': '20',
    'flotilla.connection.max.request.bytes': String(MIB),
  })
  await createTopic(target, 'flood', 1)
  const records = batchOf(10_000)
  const flood = await Wire.open(target)
  const count = 3_000
  for (let i = 0; i < count; i++) flood.send(...encodeRequest(Produce, 9, i, 'flood', produceBody('flood', 0, records)))
  const answered: number[] = []
  let mostBytes = 0
  for (let i = 0; i < count; i++) {
    answered.push((await flood.frame())!.readInt32BE(0))
    if (i % 300 === 0) mostBytes = Math.max(mostBytes, await target.metric(REQUEST_BYTES))
  }
  deepEqual(
    answered,
    Array.from({ length: count }, (_, i) => i),
  )
  equal(await offsetAt(target, 'flood', 0, LATEST), count)
  ok(mostBytes <= MIB + 128 * 1024, `${mostBytes} bytes of one connection's requests were in the broker`)
  flood.destroy()
  await settlesAtNothing(target)
})

test('connections beyond max.connections are closed at once, and one that leaves makes room', async () => {
  const target = await start({ 'max.connections': '20' })
  const first = await deafSockets(target, 20)
  const refused = await Wire.open(target)
  equal((await refused.closed()).length, 0)
  equal(await answersMetadata(target), false)
  first[0]!.destroy()
  await until('there is room again', () => answersMetadata(target))
  ok(target.out().includes('max.connections is reached'))
})

test('one address gets no more than max.connections.per.ip, another one is served', async () => {
  const target = await start({ 'max.connections.per.ip': '5', 'max.connections.per.ip.overrides': '127.0.0.3:7' })
  await deafSockets(target, 5)
  equal(await answersMetadata(target), false)
  const from = (localAddress: string): Promise<boolean> =>
    new Promise(resolve => {
      const socket = connect({ host: target.host, port: target.port, localAddress })
      sockets.push(socket)
      socket.once('error', () => resolve(false)).once('close', () => resolve(false))
      socket.once('data', () => resolve(true))
      // ApiVersions version 0, client id null.
      socket.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]))
    })
  equal(await from('127.0.0.2'), true)
  deepEqual(await Promise.all(Array.from({ length: 7 }, () => from('127.0.0.3'))), Array<boolean>(7).fill(true))
  equal(await from('127.0.0.3'), false)
  ok(target.out().includes('max.connections.per.ip is reached'))
})

test('a crowd of connections does not keep the log from its files, nor one at the HTTP port from anything', async () => {
  broker = await startBroker(await newFolder('hostile'), { 'log.segment.bytes': String(MIB) }, 300)
  const target = broker
  await createTopic(target, 'rolling', 3)
  const connection = await open(target)
  const ledgers = [0, 1, 2].map(partition => new Ledger('rolling', partition, 300_000))
  await deafSockets(target, 400)
  const strangers = await deafSockets({ host: target.host, port: target.httpPort }, 100)
  for (let round = 0; round < 12; round++) for (const ledger of ledgers) equal(await ledger.produce(connection), 0)
  connection.close()
  for (const socket of strangers) socket.destroy()
  await until('metrics are served', async () => (await target.metric(CONNECTIONS)) > 100)
  equal(await target.metric('kafka_log_logmanager_offlinelogdirectorycount'), 0)
  ok(target.out().includes('too few files for max.connections'))
})

test('connections.max.idle.ms closes who is idle, not who waits for records and not who asks now and then', async () => {
  const target = await start({ 'connections.max.idle.ms': '1500' })
  await createTopic(target, 'quiet', 1)
  const waiting = await open(target)
  const found = waiting.request(Fetch, 11, fetchBody('quiet', [0], 0, 60_000))
  const asking = await open(target)
  const idle = await Wire.open(target)
  let isIdleClosed = false
  void idle.closed().then(() => (isIdleClosed = true))
  const ledger = new Ledger('quiet', 0, 10)
  while (!isIdleClosed) {
    await offsetAtOn(asking)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  equal(await ledger.produce(asking), 0)
  ok((await found).responses[0]!.partitions[0]!.records!.length > 0)
  asking.close()
  waiting.close()
})

const offsetAtOn = async (connection: BrokerConnection): Promise<void> =>
  void (await fetchFrom(connection, 'quiet', 0, 0, 0))

test('clients that leave while they wait for records leave nothing behind', async () => {
  const target = await start()
  await createTopic(target, 'awaited', 100)
  const partitions = Array.from({ length: 100 }, (_, partition) => partition)
  const waiting = await Promise.all(Array.from({ length: 300 }, () => Wire.open(target)))
  for (const wire of waiting)
    wire.send(...encodeRequest(Fetch, 11, 1, 'leaving', fetchBody('awaited', partitions, 0, 600_000)))
  await until(
    'all wait',
    async () => (await target.metric(CONNECTIONS)) === 300 && (await target.metric(REQUEST_BYTES)) > 0,
  )
  for (const [at, wire] of waiting.entries()) {
    if (at % 2 === 0) wire.destroy()
    else wire.end()
  }
  await settlesAtNothing(target)
  const ledger = new Ledger('awaited', 0, 10)
  const connection = await open(target)
  equal(await ledger.produce(connection), 0)
  connection.close()
  equal(await target.stop(), 0)
})
