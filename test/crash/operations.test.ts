// `flotilla broker` as whoever runs it meets it on a bad day: somebody else's data, damaged data, a directory that cannot be written,
// deaths at the wrong moment, strangers at its ports. Exit codes and texts are part of what is promised.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { ask, createTopic, until } from '../../bench/peers/admin.ts'
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { ListOffsets } from '../../broker/protocol/messages/list-offsets.ts'
import { Metadata } from '../../broker/protocol/messages/metadata.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { buildBatch } from '../../broker/records/batch.ts'
import { answersMetadata, Wire } from '../clients/wire.ts'
import * as processes from './broker-process.ts'
import { contentOf, copyOf, newFolder, outcome, removeFolders, type BrokerProcess } from './broker-process.ts'
import { LATEST, Ledger, offsetAt, tryFetch } from './ledger.ts'
import { smallDisk } from './small-disk.ts'

const KAFKA_STORAGE_ERROR = 56

const running: BrokerProcess[] = []

async function startBroker(dataDir: string, settings: processes.BrokerSettings = {}): Promise<BrokerProcess> {
  const broker = await processes.startBroker(dataDir, settings)
  running.push(broker)
  return broker
}

afterEach(async () => {
  for (const broker of running.splice(0)) if (!broker.hasEnded) await broker.kill()
})
afterAll(removeFolders)

const newDataDir = async (): Promise<string> => join(await newFolder('operations'), 'data')
const start = (dataDir: string, ...flags: string[]) =>
  outcome(['broker', '--port', '0', '--data', dataDir, '--set', 'flotilla.http.port=-1', ...flags])

/** One or two lines for people, and no stack. */
function isForPeople(text: string, ...patterns: RegExp[]): void {
  match(text, /^flotilla: [^\n]+\n( {2}[^\n]+\n)?$/)
  for (const pattern of patterns) match(text, pattern)
}

/** What a broker with two partitions leaves after a clean stop: sealed segments, and all that was acknowledged. */
let left: { readonly dataDir: string; readonly ledgers: readonly Ledger[] }
const SMALL_SEGMENTS = { 'log.segment.bytes': '1048576' }

beforeAll(async () => {
  const dataDir = await newDataDir()
  const broker = await startBroker(dataDir, SMALL_SEGMENTS)
  await createTopic(broker, 'kept', 2)
  const ledgers = [0, 1].map(partition => new Ledger('kept', partition, 30_000))
  await Promise.all(ledgers.map(ledger => ledger.produceUntilRefused(broker, () => ledger.acknowledged.size >= 80)))
  equal(await broker.stop(), 0)
  left = { dataDir, ledgers }
})

test('a second start on a directory in use names the directory and its holder, and the first goes on', async () => {
  const dataDir = await newDataDir()
  const first = await startBroker(dataDir)
  const { end, err } = await start(dataDir)
  equal(end, 1)
  isForPeople(err, new RegExp(dataDir), new RegExp(`process ${first.pid}\\b`))
  ok(await answersMetadata(first))
  equal(await first.stop(), 0)
  equal(await (await startBroker(dataDir)).stop(), 0)
})

test('a taken port is named, for clients and for HTTP, and a directory that was not there is not made for clients', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const dataDir = await newDataDir()
  const clients = await outcome(['broker', '--port', String(port), '--data', dataDir])
  equal(clients.end, 1)
  isForPeople(clients.err, new RegExp(`PLAINTEXT.*:${port}: the port is taken`))
  deepEqual(await readdir(join(dataDir, '..')), [])
  const flags = ['flotilla.http.host=127.0.0.1', `flotilla.http.port=${port}`].flatMap(text => ['--set', text])
  const http = await outcome(['broker', '--port', '0', '--data', dataDir, ...flags])
  equal(http.end, 1)
  isForPeople(http.err, new RegExp(`HTTP.*127\\.0\\.0\\.1:${port}.*taken`))
  server.close()
  const broker = await startBroker(dataDir)
  match(broker.out(), /"recovered":0/)
})

test('a directory of somebody else is refused and left as it is', async () => {
  const foreign = await newFolder('foreign')
  await writeFile(join(foreign, 'photo.jpg'), 'not ours')
  const kafka = await newFolder('kafka')
  const kafkaProperties =
    'version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAg\n'
  await writeFile(join(kafka, 'meta.properties'), kafkaProperties)
  await mkdir(join(kafka, 'orders-0'))
  const file = join(await newFolder('file'), 'data')
  await writeFile(file, 'a file')
  for (const [dataDir, pattern] of [
    [foreign, /photo\.jpg/],
    [kafka, /Apache Kafka/],
    [file, /is a file/],
  ] as const) {
    const before = dataDir === file ? null : await contentOf(dataDir)
    const { end, err } = await start(dataDir)
    equal(end, 1)
    isForPeople(err, new RegExp(dataDir), pattern)
    if (before !== null) deepEqual(await contentOf(dataDir), before)
  }
})

test('the directory of another cluster, another node or a newer version is refused and left as it is', async () => {
  const dataDir = await copyOf(left.dataDir)
  const properties = await readFile(join(dataDir, 'meta.properties'), 'utf8')
  const cases = [
    { change: properties, flags: ['--node-id', '7'], pattern: /node 1\b.*node 7\b/ },
    {
      change: properties,
      flags: ['--set', 'flotilla.cluster.id=AAAAAAAAAAAAAAAAAAAAAg'],
      pattern: /cluster AAAAAAAAAAAAAAAAAAAAAg/,
    },
    {
      change: properties.replace('flotilla.version=1', 'flotilla.version=2'),
      flags: [],
      pattern: /version 2;.*versions up to 1/,
    },
    {
      change: properties.replace(/directory.id=.*/, 'directory.id=?'),
      flags: [],
      pattern: /meta\.properties is damaged/,
    },
  ]
  for (const { change, flags, pattern } of cases) {
    await writeFile(join(dataDir, 'meta.properties'), change)
    const before = await contentOf(dataDir)
    const { end, err } = await start(dataDir, ...flags)
    equal(end, 1)
    isForPeople(err, new RegExp(dataDir), pattern)
    deepEqual(await contentOf(dataDir), before)
  }
})

test('a directory on a read-only file system is refused in words', async () => {
  const disk = await smallDisk(16)
  try {
    disk.failToReadOnly()
    const { end, err } = await start(join(disk.path, 'data'))
    equal(end, 1)
    isForPeople(err, new RegExp(disk.path), /read-only|EROFS/)
  } finally {
    await disk.remove()
  }
})

const inStore = (dataDir: string, name: RegExp): Promise<string[]> =>
  readdir(join(dataDir, 'store')).then(names =>
    names.filter(found => name.test(found)).map(found => join(dataDir, 'store', found)),
  )

const damages: Readonly<Record<string, (dataDir: string) => Promise<void>>> = {
  'an empty CURRENT file': dataDir => truncate(join(dataDir, 'store', 'CURRENT'), 0),
  'flipped bytes in its table files': async dataDir => {
    for (const path of await inStore(dataDir, /\.sst$/)) await flip(path, 60, 20_000)
  },
  'a flipped byte in its manifest': async dataDir => {
    for (const path of await inStore(dataDir, /^MANIFEST/)) await flip(path, 50)
  },
  'a missing table file': async dataDir => {
    for (const path of await inStore(dataDir, /\.sst$/)) await rm(path)
  },
  'no store at all': dataDir => rm(join(dataDir, 'store'), { recursive: true }),
  'an empty store': async dataDir => {
    await rm(join(dataDir, 'store'), { recursive: true })
    await mkdir(join(dataDir, 'store'))
  },
  'a damaged election epoch': dataDir => writeFile(join(dataDir, 'election-epoch'), 'x'),
  'a damaged election record': dataDir => writeFile(join(dataDir, 'election'), 'x'),
}

async function flip(path: string, ...positions: number[]): Promise<void> {
  const file = await open(path, 'r+')
  const { size } = await file.stat()
  const byte = Buffer.alloc(1)
  for (const position of positions.filter(at => at < size)) {
    await file.read(byte, 0, 1, position)
    byte[0]! ^= 0xff
    await file.write(byte, 0, 1, position)
  }
  await file.close()
}

for (const [name, damage] of Object.entries(damages)) {
  test(`a start with ${name} is refused in words, and no record is touched`, async () => {
    const dataDir = await copyOf(left.dataDir)
    await damage(dataDir)
    const records = async (): Promise<[string, string][]> =>
      [...(await contentOf(dataDir))].filter(([path]) => /\/(segments|staging)\/|\.sst$|clean-stop$/.test(path))
    const before = await records()
    const { end, err } = await start(dataDir)
    equal(end, 1)
    isForPeople(err, new RegExp(dataDir))
    deepEqual(await records(), before)
  })
}

test('a start that fails ends, although a client has connected meanwhile', async () => {
  const { startBroker: startHere } = await import('../../broker/broker.ts')
  const { parseBrokerConfig } = await import('../../broker/config/broker-config.ts')
  const { systemClock } = await import('../../broker/base/clock.ts')
  const { systemRandom } = await import('../../broker/base/random.ts')
  const { silentLogger } = await import('../../broker/base/log.ts')
  const foreign = await newFolder('foreign')
  await writeFile(join(foreign, 'photo.jpg'), 'not ours')
  const parsed = parseBrokerConfig(
    new Map([
      ['listeners', 'PLAINTEXT://127.0.0.1:0'],
      ['log.dirs', foreign],
    ]),
  )
  ok('config' in parsed)
  const clients: Wire[] = []
  const transport = {
    ...tcpTransport,
    async listen(...args: Parameters<typeof tcpTransport.listen>) {
      const isHeld = Promise.withResolvers<void>()
      const listening = await tcpTransport.listen(args[0], socket => {
        args[1](socket)
        isHeld.resolve()
      })
      clients.push(await Wire.open(listening))
      await isHeld.promise
      return listening
    },
  }
  const parts = { config: parsed.config, clock: systemClock, random: systemRandom, log: silentLogger, transport }
  const failure = await startHere(parts).then(
    () => null,
    (error: unknown) => error,
  )
  match(String(failure), /photo\.jpg/)
  for (const client of clients) equal((await client.closed()).length, 0)
})

test('SIGTERM under load ends with 0, keeps all that was acknowledged, and leaves nothing to recover', async () => {
  const dataDir = await newDataDir()
  let broker = await startBroker(dataDir, SMALL_SEGMENTS)
  await createTopic(broker, 'load', 3)
  const ledgers = [0, 1, 2].map(partition => new Ledger('load', partition, [100, 3_000, 60_000][partition]!))
  const producing = ledgers.map(ledger => ledger.produceUntilRefused(broker))
  await until('there is load', async () => ledgers.every(ledger => ledger.acknowledged.size > 100))
  equal(await broker.stop(), 0)
  deepEqual(await Promise.all(producing), [null, null, null])
  match(broker.out(), /the broker has stopped/)

  broker = await startBroker(dataDir, SMALL_SEGMENTS)
  equal(broker.log().find(line => line.msg === 'partition logs opened')!.recovered, 0)
  for (const ledger of ledgers) await ledger.verify(broker)
})

test('after kill -9 under load everything acknowledged is there, three times over', async () => {
  const dataDir = await newDataDir()
  const ledgers = [0, 1, 2].map(partition => new Ledger('load', partition, [100, 3_000, 60_000][partition]!))
  for (let round = 0; round < 3; round++) {
    const broker = await startBroker(dataDir, SMALL_SEGMENTS)
    if (round === 0) await createTopic(broker, 'load', 3)
    for (const ledger of ledgers) await ledger.verify(broker)
    const enough = ledgers.map(ledger => ledger.acknowledged.size + 100)
    const producing = ledgers.map(ledger => ledger.produceUntilRefused(broker))
    await until('there is load', async () => ledgers.every((ledger, at) => ledger.acknowledged.size > enough[at]!))
    await broker.kill()
    await Promise.all(producing)
  }
  const broker = await startBroker(dataDir, SMALL_SEGMENTS)
  for (const ledger of ledgers) await ledger.verify(broker)
})

const spoilings: Readonly<Record<string, { spoil(path: string): Promise<void>; says: RegExp }>> = {
  'a flipped byte in the length of a batch': { spoil: path => flip(path, 8), says: /\.log: no record batch at byte 0/ },
  'a file that ends too early': { spoil: path => truncate(path, 500_000), says: /\.log ends at byte 500000/ },
  'a missing file': { spoil: path => rm(path), says: /\.log/ },
}
for (const [name, { spoil, says }] of Object.entries(spoilings)) {
  test(`${name} below the flushed offset takes one partition offline, names the place, and hides nothing`, async () => {
    const dataDir = await copyOf(left.dataDir)
    const segments = (await readdir(join(dataDir, 'segments'))).filter(file => file.includes('-0-0000')).sort()
    await spoil(join(dataDir, 'segments', segments[0]!))
    const broker = await startBroker(dataDir, SMALL_SEGMENTS)
    const connection = await BrokerConnection.open(tcpTransport, broker, 'operations')
    const [hurt, well] = left.ledgers as [Ledger, Ledger]
    equal((await tryFetch(connection, 'kept', 0, 0)).errorCode, KAFKA_STORAGE_ERROR)
    equal(await new Ledger('kept', 0, 10).produce(connection), KAFKA_STORAGE_ERROR)
    equal(await new Ledger('kept', 1, 10).produce(connection), 0)
    equal((await tryFetch(connection, 'kept', 1, well.lastAcknowledged)).errorCode, 0)
    connection.close()
    const line = broker.log().find(({ level, partition }) => level === 'error' && partition === 'kept-0')
    match(String(line?.error), says)
    equal(await broker.metric('kafka_log_logmanager_offlinelogdirectorycount'), 0)
    equal(await broker.stop(), 0)
    // It is not taken for the end of the log at the next start.
    const again = await startBroker(dataDir, SMALL_SEGMENTS)
    equal(await offsetAt(again, 'kept', 0, LATEST), hurt.lastAcknowledged + 1)
  })
}

test('a flipped byte in a record reaches nobody as a record', async () => {
  const dataDir = await copyOf(left.dataDir)
  const segments = (await readdir(join(dataDir, 'segments'))).filter(file => file.includes('-0-0000')).sort()
  await flip(join(dataDir, 'segments', segments[0]!), 5_000)
  const broker = await startBroker(dataDir, SMALL_SEGMENTS)
  const found = await left.ledgers[0]!.verify(broker).catch((error: unknown) => String(error))
  match(String(found), /a batch is not damaged|56/)
})

test('garbage at the port for clients closes that connection and nothing else', async () => {
  const broker = await startBroker(await newDataDir())
  const tls = Buffer.from('16030100a5010000a10303', 'hex')
  const garbage = [
    randomBytes(100_000),
    Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    Buffer.concat([tls, randomBytes(154)]),
    Buffer.from('hello\n'),
    Buffer.alloc(4),
    Buffer.alloc(1_000_000),
    Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0]),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
  ]
  for (const bytes of garbage) {
    const stranger = await Wire.open(broker)
    stranger.send(bytes)
    equal((await stranger.closed()).length, 0)
  }
  const silent = await Wire.open(broker)
  silent.end()
  equal((await silent.closed()).length, 0)
  ok(await answersMetadata(broker))
  equal(await broker.stop(), 0)
})

test('garbage at the HTTP port is answered as HTTP does, and metrics go on', async () => {
  const broker = await startBroker(await newDataDir())
  const http = { host: broker.host, port: broker.httpPort }
  for (const bytes of [randomBytes(10_000), Buffer.from('HELO\r\n\r\n'), Buffer.alloc(100_000, 'GET /')]) {
    const stranger = await Wire.open(http)
    stranger.send(bytes)
    match((await stranger.closed()).toString('latin1'), /^(HTTP\/1\.1 4\d\d |$)/)
  }
  for (const path of ['/nothing', '/%00', '/metrics/../../etc/passwd', `/${'x'.repeat(10_000)}`]) {
    const response = await fetch(`http://${http.host}:${http.port}${path}`, {
      method: path === '/%00' ? 'POST' : 'GET',
    })
    equal(response.status, 404)
    ok(!(await response.text()).includes(' at '), 'no stack is shown')
  }
  for (const path of ['/livez', '/readyz', '/metrics']) {
    equal((await fetch(`http://${http.host}:${http.port}${path}`)).status, 200)
  }
  ok(await answersMetadata(broker))
  equal(await broker.stop(), 0)
})

test('an unknown flag, key or command says what is meant, with exit codes 2 and 1', async () => {
  const flag = await outcome(['broker', '--dta', 'x'])
  equal(flag.end, 2)
  isForPeople(flag.err, /--dta/)
  const key = await outcome(['broker', '--set', 'log.retention.hour=1'])
  equal(key.end, 1)
  match(key.err, /Did you mean log\.retention\.hours\?/)
  const commandLine = await outcome(['brokr'])
  equal(commandLine.end, 2)
  isForPeople(commandLine.err, /brokr/)
})

test('ten thousand partitions are created, listed, written in few requests, and all there after kill -9', async () => {
  const count = 10_000
  const dataDir = await newDataDir()
  let broker = await startBroker(dataDir)
  await createTopic(broker, 'many', count)
  const { topics } = await ask(broker, Metadata, 9, { topics: [{ name: 'many' }] })
  equal(topics[0]!.partitions.filter(({ errorCode, leaderId }) => errorCode === 0 && leaderId === 1).length, count)

  const connection = await BrokerConnection.open(tcpTransport, broker, 'operations')
  const perRequest = 1_000
  const indexes = Array.from({ length: count }, (_, index) => index)
  for (let from = 0; from < count; from += perRequest) {
    const partitionData = indexes.slice(from, from + perRequest).map(index => ({
      index,
      records: buildBatch({ records: [{ timestamp: 1_000, key: null, value: Buffer.from(`record of ${index}`) }] }),
    }))
    const body = { transactionalId: null, acks: -1, timeoutMs: 60_000, topicData: [{ name: 'many', partitionData }] }
    const { responses } = await connection.request(Produce, 9, body)
    for (const { errorCode, baseOffset } of responses[0]!.partitionResponses) deepEqual([errorCode, baseOffset], [0, 0])
  }
  await broker.kill()

  broker = await startBroker(dataDir)
  const found = await readAllOnce(broker, 'many', indexes)
  for (const index of indexes) equal(found.get(index), `record of ${index}`)
  equal(await broker.stop(), 0)
})

async function readAllOnce(
  broker: BrokerProcess,
  topic: string,
  indexes: readonly number[],
): Promise<Map<number, string>> {
  const { readRecords } = await import('../../broker/records/record.ts')
  const offsets = await ask(broker, ListOffsets, 5, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions: indexes.map(partitionIndex => ({ partitionIndex, timestamp: LATEST })) }],
  })
  ok(offsets.topics[0]!.partitions.every(({ errorCode, offset }) => errorCode === 0 && offset === 1))
  const found = new Map<number, string>()
  const connection = await BrokerConnection.open(tcpTransport, broker, 'operations')
  while (found.size < indexes.length) {
    const missing = indexes.filter(index => !found.has(index)).slice(0, 2_000)
    const { responses } = await connection.request(Fetch, 11, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 50_000_000,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        { topic, partitions: missing.map(partition => ({ partition, fetchOffset: 0, partitionMaxBytes: 10_000 })) },
      ],
      forgottenTopicsData: [],
    })
    for (const { partitionIndex, errorCode, records } of responses[0]!.partitions) {
      equal(errorCode, 0)
      for (const { value } of readRecords(records!)) found.set(partitionIndex, value!.toString())
    }
  }
  connection.close()
  return found
}
