// A broker on a disk that fills up, is filled up behind its back, or fails: a small file system of its own, mounted for each test.
// Whatever happens to the disk, nothing acknowledged is lost, what can be read is read, and the process ends when it is told to.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { afterAll, afterEach, test } from 'vitest'
import { ask, createTopic, until } from '../../bench/peers/admin.ts'
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { DeleteRecords } from '../../broker/protocol/messages/delete-records.ts'
import { DeleteTopics } from '../../broker/protocol/messages/delete-topics.ts'
import { DescribeLogDirs } from '../../broker/protocol/messages/describe-log-dirs.ts'
import { answersMetadata } from '../clients/wire.ts'
import * as processes from './broker-process.ts'
import { removeFolders, tellOnFailure, type BrokerProcess } from './broker-process.ts'
import { Ledger, tryFetch } from './ledger.ts'
import { smallDisk, type SmallDisk } from './small-disk.ts'

const MIB = 1024 * 1024
const KAFKA_STORAGE_ERROR = 56
// More than twice what RocksDB sets aside for a new write-ahead log.
const RESERVE_BYTES = 96 * MIB
const OFFLINE = 'kafka_log_logmanager_offlinelogdirectorycount'

let disk: SmallDisk | null = null
let broker: BrokerProcess | null = null

afterEach(tellOnFailure)
afterEach(async () => {
  if (broker !== null && !broker.hasEnded) await broker.kill()
  broker = null
  await disk?.remove()
  disk = null
})
afterAll(removeFolders)

async function mountedDisk(freeBytes: number): Promise<SmallDisk> {
  disk = await smallDisk(600)
  await disk.fill(freeBytes)
  return disk
}

async function startOn({ path }: SmallDisk, reserveBytes = RESERVE_BYTES): Promise<BrokerProcess> {
  broker = await processes.startBroker(join(path, 'data'), {
    'flotilla.disk.reserve.bytes': String(reserveBytes),
    'log.segment.bytes': String(4 * MIB),
    'log.segment.delete.delay.ms': '100',
  })
  return broker
}

/** Two topics under load: large records that go to files, small ones that stay in the store. */
async function twoLedgers(target: BrokerProcess): Promise<[Ledger, Ledger]> {
  for (const name of ['large', 'small']) await createTopic(target, name, 1)
  return [new Ledger('large', 0, 200_000), new Ledger('small', 0, 1_000)]
}

const produceUntilRefused = (target: BrokerProcess, ledgers: readonly Ledger[]): Promise<(number | null)[]> =>
  Promise.all(ledgers.map(ledger => ledger.produceUntilRefused(target)))

/** Produces until nothing is taken any more, also after what was only passing through has made room again. */
async function fillUp(target: BrokerProcess, ledgers: readonly Ledger[]): Promise<void> {
  let count = 0
  let inVain = 0
  await until('the disk is full for good', async () => {
    for (const refusal of await produceUntilRefused(target, ledgers)) equal(refusal, KAFKA_STORAGE_ERROR)
    const taken = ledgers.reduce((sum, ledger) => sum + ledger.acknowledged.size, 0)
    inVain = taken === count ? inVain + 1 : 0
    count = taken
    return inVain === 50
  })
}

async function logDirectory(target: BrokerProcess) {
  const { results } = await ask(target, DescribeLogDirs, 4, { topics: null })
  equal(results.length, 1)
  return results[0]!
}

const takesRecords = (target: BrokerProcess, ledger: Ledger): Promise<void> =>
  until('records are taken again', async () => {
    const enough = ledger.acknowledged.size + 10
    return (await ledger.produceUntilRefused(target, () => ledger.acknowledged.size >= enough)) === null
  })

async function deleteRecords(target: BrokerProcess, topic: string, offset: number): Promise<void> {
  const partitions = [{ partitionIndex: 0, offset }]
  const { topics } = await ask(target, DeleteRecords, 1, { topics: [{ name: topic, partitions }], timeoutMs: 30_000 })
  equal(topics[0]!.partitions[0]!.errorCode, 0)
}

async function deleteTopic(target: BrokerProcess, topic: string): Promise<void> {
  const { responses } = await ask(target, DeleteTopics, 4, { topicNames: [topic], timeoutMs: 30_000 })
  equal(responses[0]!.errorCode, 0)
}

test('at the reserve produce is refused and all else goes on, most of the disk holds records, and deleting makes room', async () => {
  const small = await mountedDisk(400 * MIB)
  const target = await startOn(small)
  const roomBytes = (await small.freeBytes()) - RESERVE_BYTES
  const [large, little] = await twoLedgers(target)
  await fillUp(target, [large, little])
  const heldBytes = large.acknowledged.size * 200_000
  ok(heldBytes > 0.6 * roomBytes, `of ${roomBytes / MIB} MiB, records take ${heldBytes / MIB}`)

  // Told in every way there is, and nothing is offline.
  ok((await target.metric('flotilla_disk_free_bytes')) < RESERVE_BYTES)
  equal(await target.metric(OFFLINE), 0)
  const { errorCode, usableBytes, totalBytes } = await logDirectory(target)
  equal(errorCode, 0)
  ok(usableBytes < RESERVE_BYTES && totalBytes > 500 * MIB)
  match(target.out(), /the disk is nearly full/)
  ok((await small.freeBytes()) > 0, 'the reserve is kept')

  for (const ledger of [large, little]) await ledger.verify(target)
  await createTopic(target, 'meanwhile', 1)
  await deleteRecords(target, 'large', Math.floor(large.lastAcknowledged * 0.7))
  await takesRecords(target, little)
  await takesRecords(target, large)

  deepEqual(await produceUntilRefused(target, [large]), [KAFKA_STORAGE_ERROR])
  await deleteTopic(target, 'large')
  await takesRecords(target, little)
  await little.verify(target)
  equal(await target.stop(), 0)
})

test('a broker starts on a disk that is full to the last byte but for its reserve, and is of use', async () => {
  const small = await mountedDisk(240 * MIB)
  let target = await startOn(small)
  const [large, little] = await twoLedgers(target)
  await fillUp(target, [large, little])
  equal(await target.stop(), 0)
  await small.fill(RESERVE_BYTES - 4 * MIB)

  target = await startOn(small)
  for (const ledger of [large, little]) {
    await ledger.verify(target)
    equal(await ledger.produceUntilRefused(target), KAFKA_STORAGE_ERROR)
  }
  await target.kill()
  target = await startOn(small)
  await deleteTopic(target, 'large')
  await takesRecords(target, little)
  await little.verify(target)
  equal(await target.stop(), 0)
})

test('when somebody else fills the disk in the middle of writes, no acknowledgement was a lie', async () => {
  const small = await mountedDisk(300 * MIB)
  // So little that it cannot help.
  let target = await startOn(small, 4096)
  const ledgers = await twoLedgers(target)
  const producing = produceUntilRefused(target, ledgers)
  await until('there is load', async () => ledgers.every(ledger => ledger.acknowledged.size > 50))
  await small.fill(0)
  deepEqual(await producing, [KAFKA_STORAGE_ERROR, KAFKA_STORAGE_ERROR])
  await goesOnWithoutDisk(target, ledgers)

  // Nothing can be started there, and it says so.
  await small.fill(0)
  const { end, err } = await processes.outcome(['broker', '--port', '0', '--data', join(small.path, 'data')])
  equal(end, 1)
  match(err, /^flotilla: [^\n]*(ENOSPC|No space left)[^\n]*\n {2}[^\n]+\n$/)

  await small.clear()
  target = await startOn(small)
  for (const ledger of ledgers) {
    await ledger.verify(target)
    await takesRecords(target, ledger)
    await ledger.verify(target)
  }
  equal(await target.stop(), 0)
})

test('when the file system turns read-only under load, produce is refused, and the process ends when it is told to', async () => {
  const small = await mountedDisk(300 * MIB)
  let target = await startOn(small)
  const ledgers = await twoLedgers(target)
  const producing = produceUntilRefused(target, ledgers)
  await until('there is load', async () => ledgers.every(ledger => ledger.acknowledged.size > 50))
  small.failToReadOnly()
  deepEqual(await producing, [KAFKA_STORAGE_ERROR, KAFKA_STORAGE_ERROR])
  await goesOnWithoutDisk(target, ledgers)

  small.repair()
  target = await startOn(small)
  for (const ledger of ledgers) {
    await ledger.verify(target)
    await takesRecords(target, ledger)
  }
  equal(await target.stop(), 0)
})

/** What a broker whose disk takes nothing any more still does: it says so, serves what it has, and ends with 1 and a reason. */
async function goesOnWithoutDisk(target: BrokerProcess, ledgers: readonly Ledger[]): Promise<void> {
  await until('the log directory is offline', async () => (await target.metric(OFFLINE)) === 1)
  equal((await logDirectory(target)).errorCode, KAFKA_STORAGE_ERROR)
  match(target.out(), /the log directory goes offline/)
  equal((await fetch(`http://${target.host}:${target.httpPort}/readyz`)).status, 503)
  ok(await answersMetadata(target))
  for (const ledger of ledgers) await ledger.verify(target)
  const connection = await BrokerConnection.open(tcpTransport, target, 'full-disk')
  for (const ledger of ledgers) {
    equal(await ledger.produce(connection), KAFKA_STORAGE_ERROR)
    // Nothing more will come: who waits for it is to look elsewhere.
    const { errorCode } = await tryFetch(connection, ledger.topic, 0, ledger.lastAcknowledged + 1)
    equal(errorCode, KAFKA_STORAGE_ERROR)
  }
  connection.close()
  equal(await target.stop(), 1)
  match(target.err(), /^flotilla: [^\n]+\n( {2}[^\n]+\n)?$/)
}
