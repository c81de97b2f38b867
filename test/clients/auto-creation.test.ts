// auto.create.topics.enable, Kafka's default: producing to a topic that does not exist creates it.
import { equal } from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { startBroker } from './broker.ts'
import type { TestBroker } from './broker.ts'
import { consume, eventually, produce, sameRecords, textRecord, topicName } from './checks/check.ts'
import { clientKinds, helperKind } from './client-kinds.ts'
import { installed } from './installation.ts'
import type { Client } from './program.ts'

const timeout = 180_000
let broker: TestBroker
let helper: Client
let installation: ReadonlyMap<string, string>

beforeAll(async () => {
  installation = await installed()
  broker = await startBroker({ 'num.partitions': '2' })
  helper = helperKind.start(installation, broker.bootstrap)
}, 600_000)
afterAll(async () => {
  await helper?.stop()
  await broker?.remove()
}, timeout)

describe('a broker that creates topics by itself', { timeout }, () => {
  for (const kind of clientKinds) {
    test(`creates the topic that ${kind.name} produces to, with num.partitions partitions`, async () => {
      const client = kind.start(installation, broker.bootstrap)
      try {
        const topic = topicName('automatic')
        const record = textRecord('key', 'value')
        await produce(client, topic, [record], { autoCreate: true })
        sameRecords(await consume(client, topic, 'earliest', 1), [record])
        const { partitions } = await eventually(() => helper.run('describeTopic', { topic }))
        equal(partitions.length, 2)
      } finally {
        await client.stop()
      }
    })
  }
})
