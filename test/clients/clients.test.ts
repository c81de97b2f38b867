// The list of checks on every client, and what each has produced read by all the others.
import { afterAll, beforeAll, describe, test } from 'vitest'
import { startBroker } from './broker.ts'
import type { TestBroker } from './broker.ts'
import { administrationChecks } from './checks/administration.ts'
import { consume, newTopic, produce, sameRecords } from './checks/check.ts'
import type { Bench } from './checks/check.ts'
import { mistakeChecks } from './checks/mistakes.ts'
import { readingChecks } from './checks/reading.ts'
import { recordChecks, variedRecords } from './checks/records.ts'
import { clientKinds, helperKind } from './client-kinds.ts'
import { installed } from './installation.ts'
import type { Client, ClientRecord } from './program.ts'

const timeout = 180_000
let broker: TestBroker
const clients = new Map<string, Client>()
let helper: Client

beforeAll(async () => {
  const installation = await installed()
  broker = await startBroker({ 'auto.create.topics.enable': 'false' })
  for (const kind of clientKinds) clients.set(kind.name, kind.start(installation, broker.bootstrap))
  helper = helperKind.start(installation, broker.bootstrap)
}, 600_000)

afterAll(async () => {
  await Promise.all([...clients.values(), helper].map(client => client?.stop()))
  await broker?.remove()
}, timeout)

const benchFor = (name: string): Bench => ({ broker, client: clients.get(name)!, helper })

for (const kind of clientKinds) {
  describe(kind.name, { timeout }, () => {
    const suite = { kind, bench: () => benchFor(kind.name) }
    recordChecks(suite)
    readingChecks(suite)
    administrationChecks(suite)
    mistakeChecks(suite)
  })
}

describe('between clients', { timeout }, () => {
  let topic: string
  const produced: ClientRecord[][] = []

  beforeAll(async () => {
    // A partition for each producing client, written with every compression it has.
    topic = await newTopic(benchFor(clientKinds[0]!.name), 'cross', { partitions: clientKinds.length })
    for (const [partition, kind] of clientKinds.entries()) {
      produced[partition] = []
      for (const compression of kind.compressions) {
        const records = variedRecords(kind)
        await produce(clients.get(kind.name)!, topic, records, { partition, compression })
        produced[partition].push(...records)
      }
    }
  }, timeout)

  for (const [partition, writer] of clientKinds.entries()) {
    for (const reader of clientKinds) {
      if (reader === writer) continue
      test(`${reader.name} reads byte for byte what ${writer.name} has produced`, async () => {
        const expected = produced[partition]!
        sameRecords(await consume(clients.get(reader.name)!, topic, 'earliest', expected.length, partition), expected)
      })
    }
  }
})
