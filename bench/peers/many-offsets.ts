// What a large number of groups and offsets costs: memory for a hundred thousand groups, and the time until a broker that starts again has
// read a million offsets. Each needs a system of its own.
import { performance } from 'node:perf_hooks'
import { ErrorCode } from '../../broker/protocol/errors.ts'
import { OffsetFetch } from '../../broker/protocol/messages/offset-fetch.ts'
import { createTopic, until } from './admin.ts'
import { commit, open, prepare, TOPIC } from './coordination.ts'
import type { Measured } from './scenarios.ts'
import { memoryMb, startSystem, type System, type SystemName } from './systems.ts'

const GROUPS = 100_000
const WIDE_TOPIC = 'wide'
const WIDE_PARTITIONS = 100
const WIDE_GROUPS = 10_000
const CONNECTIONS = 20
/** The groups in here are in every partition of `__consumer_offsets`. */
const ASKED_GROUPS = 1000

/** Starts, fills, stops and starts `name` again in an empty folder and measures on the way. */
export async function measureManyOffsets(name: SystemName, folder: string): Promise<readonly Measured[]> {
  const filled = await startSystem(name, folder)
  await prepare(filled)
  const idleMb = memoryMb(filled, 'VmRSS')
  await commitAll(filled, GROUPS, 'group', TOPIC, 1)
  const groupsMb = memoryMb(filled, 'VmRSS')
  await createTopic(filled, WIDE_TOPIC, WIDE_PARTITIONS)
  await commitAll(filled, WIDE_GROUPS, 'wide', WIDE_TOPIC, WIDE_PARTITIONS)
  await filled.stop()

  const startMs = performance.now()
  const again = await startSystem(name, folder)
  const servesMs = performance.now()
  await until('every offset can be read', () => canFetch(again))
  const loadedMs = performance.now()
  await again.stop()
  return [
    { name: 'memory with 100,000 groups', value: groupsMb, unit: 'MB', isBetter: 'less' },
    { name: 'the groups alone', value: groupsMb - idleMb, unit: 'MB', isBetter: 'less' },
    { name: 'start until a million offsets can be fetched', value: loadedMs - startMs, unit: 'ms', isBetter: 'less' },
    { name: 'the same, from the first answer on', value: loadedMs - servesMs, unit: 'ms', isBetter: 'less' },
  ]
}

async function commitAll(system: System, groups: number, prefix: string, topic: string, partitions: number) {
  const commitFrom = async (first: number): Promise<void> => {
    const connection = await open(system)
    for (let group = first; group < groups; group += CONNECTIONS) {
      const errorCode = await commit(connection, `${prefix}-${group}`, group, partitions, topic)
      if (errorCode !== ErrorCode.NONE) throw new Error(`a commit was answered with ${errorCode}`)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, first) => commitFrom(first)))
}

async function canFetch(system: System): Promise<boolean> {
  const connection = await open(system)
  const topics = [{ name: WIDE_TOPIC, partitionIndexes: [0] }]
  const asked = Array.from({ length: ASKED_GROUPS }, (_, group) => ({ groupId: `wide-${group}`, topics }))
  const { groups } = await connection.request(OffsetFetch, 8, { groups: asked })
  connection.close()
  return groups.every(
    ({ errorCode, topics: [topic] }, group) => errorCode === 0 && topic?.partitions[0]?.committedOffset === group,
  )
}
