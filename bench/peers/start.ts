// What a start costs: until the first acknowledged record, and with 10,000 partitions. Each needs a system of its own.
import { join } from 'node:path'
import { createTopic, produceOne, until } from './admin.ts'
import type { Measured } from './scenarios.ts'
import { memoryMb, startSystem, type SystemName } from './systems.ts'

/** 10,000 in all: Kafka does not create that many with one topic. */
const MANY_TOPICS = ['many-a', 'many-b']
const MANY_PARTITIONS = 5_000

/** Starts and stops `name` in an empty folder and measures on the way. */
export async function measureStart(name: SystemName, folder: string): Promise<readonly Measured[]> {
  const data = join(folder, 'start')
  const first = await startSystem(name, data)
  await createTopic(first, 'first', 1)
  await until('a record is acknowledged', () => produceOne(first, 'first'))
  const idleMb = memoryMb(first, 'VmRSS')
  await first.stop()

  const began = performance.now()
  const again = await startSystem(name, data)
  await until('a record is acknowledged', () => produceOne(again, 'first'))
  const startMs = performance.now() - began

  const createBegan = performance.now()
  for (const topic of MANY_TOPICS) await createTopic(again, topic, MANY_PARTITIONS)
  const createMs = performance.now() - createBegan
  await again.stop()

  const manyBegan = performance.now()
  const many = await startSystem(name, data)
  await until('a record is acknowledged', () => produceOne(many, MANY_TOPICS[0]!))
  const manyMs = performance.now() - manyBegan
  const manyMb = memoryMb(many, 'VmRSS')
  await many.stop()
  return [
    { name: 'start to first acknowledged record', value: startMs, unit: 'ms', isBetter: 'less' },
    { name: 'memory, idle', value: idleMb, unit: 'MB', isBetter: 'less' },
    { name: 'create 10,000 partitions', value: createMs, unit: 'ms', isBetter: 'less' },
    { name: 'start with 10,000 partitions to first acknowledged record', value: manyMs, unit: 'ms', isBetter: 'less' },
    { name: 'memory with 10,000 partitions', value: manyMb, unit: 'MB', isBetter: 'less' },
  ]
}
