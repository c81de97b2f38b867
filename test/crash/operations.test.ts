// `flotilla broker` on a bad day: deaths at the wrong moment, bytes that rot, strangers at its ports, many partitions.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, test } from 'vitest'
import { ask, createTopic, until } from '../../bench/peers/admin.ts'
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { ListOffsets } from '../../broker/protocol/messages/list-offsets.ts'
import { Metadata } from '../../broker/protocol/messages/metadata.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { buildBatch } from '../../broker/records/batch.ts'
import { answersMetadata, Wire } from '../clients/wire.ts'
import { copyOf, type BrokerProcess } from './broker-process.ts'
import { LATEST, Ledger, offsetAt, tryFetch } from './ledger.ts'
import { cleanUpAfterTests, flip, leaveData, newDataDir, SMALL_SEGMENTS, startBroker, type Left } from './operations.ts'

const KAFKA_STORAGE_ERROR = 56

cleanUpAfterTests()

let left: Left
beforeAll(async () => void (left = await leaveData()))

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
    // Announces a negative size; without that, one time in forty the broker would rightly wait for the request that it begins.
    Buffer.concat([Buffer.from([0x80]), randomBytes(100_000)]),
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
