// What producers send to a topic that has only just been created, while the processors are busy with something else: there every part
// of the broker meets the partition for the first time. FLOTILLA_ROUNDS for a longer run.
import { spawn, type ChildProcess } from 'node:child_process'
import { deepEqual } from 'node:assert/strict'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { createTopic } from '../../bench/peers/admin.ts'
import { seededNumbers } from '../seeded.ts'
import { newFolder, removeFolders, startBroker, tellOnFailure, type BrokerProcess } from './broker-process.ts'
import { produceIdempotently } from './idempotent-load.ts'

const rounds = Number(process.env.FLOTILLA_ROUNDS ?? 15)
const seed = Number(process.env.FLOTILLA_SEED ?? Date.now() % 1_000_000)
const PARTITIONS = 6

const busy: ChildProcess[] = []
let broker: BrokerProcess | null = null

beforeAll(() => {
  for (let i = 0; i < 2; i++) busy.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))
})
afterEach(tellOnFailure)
afterEach(async () => {
  if (broker?.hasEnded === false) await broker.kill()
  broker = null
})
afterAll(async () => {
  for (const child of busy) child.kill('SIGKILL')
  await removeFolders()
})

for (const [kind, flushMessages] of [
  ['flushed', '1'],
  ['left to the system', '9223372036854775807'],
  ['flushed now and then', '100'],
] as const) {
  for (const cutShare of [0, 0.05]) {
    const how = cutShare === 0 ? '' : ', over connections that are cut'
    test(`the first batches of idempotent producers are all acknowledged, ${kind}${how} (seed ${seed})`, async () => {
      const next = seededNumbers(seed)
      const target = await startBroker(await newFolder('first-batches'), { 'auto.create.topics.enable': 'false' })
      broker = target
      for (let round = 0; round < rounds; round++) {
        const topic = `first-${round}`
        await createTopic(target, topic, PARTITIONS, { 'flush.messages': flushMessages })
        await produceIdempotently(target, { topic, partitions: PARTITIONS, batches: 20, cutShare, next })
      }
      const refused = broker
        .log()
        .filter(line => line.msg !== undefined && String(line.msg).startsWith('answered with an error'))
      deepEqual(
        refused.filter(({ api }) => api === 'Produce'),
        [],
      )
    })
  }
}
