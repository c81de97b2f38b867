// What the tests of a broker's bad days share: brokers that end with their test, a start that is to fail, and data to damage.
import { equal, match } from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach } from 'vitest'
import { createTopic } from '../../bench/peers/admin.ts'
import * as processes from './broker-process.ts'
import {
  newFolder,
  outcome,
  removeFolders,
  tellOnFailure,
  type BrokerProcess,
  type BrokerSettings,
} from './broker-process.ts'
import { Ledger } from './ledger.ts'

const running: BrokerProcess[] = []

/** Starts a broker that is killed after the test unless it has ended by then. */
export async function startBroker(dataDir: string, settings: BrokerSettings = {}): Promise<BrokerProcess> {
  const broker = await processes.startBroker(dataDir, settings)
  running.push(broker)
  return broker
}

/** To be called once in a file. */
export function cleanUpAfterTests(): void {
  afterEach(tellOnFailure)
  afterEach(async () => {
    for (const broker of running.splice(0)) if (!broker.hasEnded) await broker.kill()
  })
  afterAll(removeFolders)
}

export const newDataDir = async (): Promise<string> => join(await newFolder('operations'), 'data')

/** How `flotilla broker` ends that is expected to. */
export const start = (dataDir: string, ...flags: string[]): ReturnType<typeof outcome> =>
  outcome(['broker', '--port', '0', '--data', dataDir, '--set', 'flotilla.http.port=-1', ...flags])

/** One or two lines for people, and no stack. */
export function isForPeople(text: string, ...patterns: RegExp[]): void {
  match(text, /^flotilla: [^\n]+\n( {2}[^\n]+\n)?$/)
  for (const pattern of patterns) match(text, pattern)
}

export const SMALL_SEGMENTS = { 'log.segment.bytes': '1048576' }

export type Left = { readonly dataDir: string; readonly ledgers: readonly Ledger[] }

/** What a broker with two partitions leaves after a clean stop: sealed segments, and all that was acknowledged. */
export async function leaveData(): Promise<Left> {
  const dataDir = await newDataDir()
  const broker = await startBroker(dataDir, SMALL_SEGMENTS)
  await createTopic(broker, 'kept', 2)
  const ledgers = [0, 1].map(partition => new Ledger('kept', partition, 30_000))
  await Promise.all(ledgers.map(ledger => ledger.produceUntilRefused(broker, () => ledger.acknowledged.size >= 80)))
  equal(await broker.stop(), 0)
  return { dataDir, ledgers }
}

/** Flips the bits of single bytes. */
export async function flip(path: string, ...positions: number[]): Promise<void> {
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
