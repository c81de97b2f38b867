import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import type { Uuid } from '../../../broker/base/uuid.ts'
import { LogKeys, offsetOf } from '../../../broker/storage/keys.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { eachOfRun, recoveryRuns } from '../../../broker/storage/recovery-runs.ts'
import type { StoredLog } from '../../../broker/storage/recovery.ts'
import type { Store } from '../../../broker/storage/store.ts'
import { TOPIC } from './log-fixture.ts'

function stored(partition: number, isClean: boolean, activeBase = 0, topicId: Uuid = TOPIC): StoredLog {
  const state = { isClean, activeBase } as StoredLog['state']
  return { topicId, partition, state, segments: [], producers: null }
}

/** A store with so many extents of each partition, and a count of the scans. */
async function storeWith(counts: readonly number[]): Promise<{ store: Store; scans: () => number }> {
  const store = openMemoryStore()
  const batch = store.batch()
  counts.forEach((count, partition) => {
    const keys = new LogKeys(TOPIC, partition)
    for (let offset = 0; offset < count; offset++) batch.put(keys.extent(offset), Buffer.of(1))
  })
  await store.commit(batch, { sync: false })
  let scans = 0
  const scan: Store['scan'] = range => {
    scans++
    return store.scan(range)
  }
  return { store: Object.assign(Object.create(store) as Store, { scan }), scans: () => scans }
}

const partitionsOf = (runs: readonly (readonly StoredLog[])[]): number[][] =>
  runs.map(run => run.map(one => one.partition))

test('neighbours that are not clean form a run, and a clean log ends it', () => {
  const logs = [0, 1, 2, 3, 4, 5].map(partition => stored(partition, partition === 0 || partition === 3))
  deepEqual(partitionsOf(recoveryRuns(logs, 1)), [
    [1, 2],
    [4, 5],
  ])
  deepEqual(recoveryRuns([stored(0, true)], 4), [])
})

test('there are enough runs to recover some at once, and no run is long', () => {
  const few = [0, 1, 2, 3].map(partition => stored(partition, false))
  deepEqual(partitionsOf(recoveryRuns(few, 16)), [[0], [1], [2], [3]])
  deepEqual(partitionsOf(recoveryRuns(few, 2)), [
    [0, 1],
    [2, 3],
  ])
  const many = Array.from({ length: 10_000 }, (_, partition) => stored(partition, false))
  const runs = recoveryRuns(many, 16)
  equal(runs.flat().length, 10_000)
  ok(runs.length > 16 && runs.every(run => run.length <= 64))
})

test('one scan reads the extents of many logs, each gets its own, and those below its active segment are left out', async () => {
  const { store, scans } = await storeWith([3, 0, 2, 4])
  const run = [stored(0, false), stored(1, false), stored(2, false), stored(3, false, 2)]
  const found: [number, number[], boolean][] = []
  await eachOfRun(store, run, async ({ partition }, { entries, isAll }) => {
    found.push([partition, entries.map(({ key }) => offsetOf(key)), isAll])
  })
  deepEqual(found, [
    [0, [0, 1, 2], true],
    [1, [], true],
    [2, [0, 1], true],
    [3, [2, 3], true],
  ])
  equal(scans(), 1)
})

test('a log in whose middle a scan ends begins the next one; a log that fills a scan alone is told that there is more', async () => {
  const { store } = await storeWith([100, 100, 100, 5000, 1, 0])
  const run = [0, 1, 2, 3, 4, 5].map(partition => stored(partition, false))
  const found: [number, boolean, boolean][] = []
  await eachOfRun(store, run, async ({ partition }, { entries, isAll }) => {
    ok(entries.length <= 1024)
    ok(entries.every(({ key }, at) => offsetOf(key) === at))
    found.push([partition, entries.length === [100, 100, 100, 5000, 1, 0][partition], isAll])
  })
  deepEqual(found, [
    [0, true, true],
    [1, true, true],
    [2, true, true],
    [3, false, false],
    [4, true, true],
    [5, true, true],
  ])
})
