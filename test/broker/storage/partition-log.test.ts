import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { append, batchOf, CONFIG, openDirectory, readAll, settled, TOPIC } from './log-fixture.ts'
import { CrashingFiles } from './crashing-files.ts'

test('what was appended is read back byte for byte, whatever place it was stored in', async () => {
  const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles() })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const appended: Buffer[] = []
  for (const [seed, size] of [10, 400, 2000, 50, 5000, 100, 1200, 30, 30, 900].entries()) {
    const batch = batchOf(size, seed)
    await append(log, batch)
    appended.push(batch)
  }
  equal(log.endOffset, 10)
  equal(log.flushedOffset, 10)
  deepEqual(await readAll(log), appended)
  await settled()
  deepEqual(await readAll(log), appended)
  await logs.close()
})

test('a log survives a clean stop', async () => {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const appended: Buffer[] = []
  for (let round = 0; round < 4; round++) {
    const logs = await openDirectory({ store, files, isCleanStart: true })
    const log = logs.log(TOPIC, 0) ?? logs.create(TOPIC, 0, 'orders', CONFIG)
    log.configure({ ...CONFIG, segmentBytes: 3000 })
    for (let seed = 0; seed < 20; seed++) {
      const batch = batchOf((seed * 97) % 700, seed + round * 100)
      await append(log, batch)
      appended.push(batch)
    }
    await logs.close()
    await rejects(append(log, batchOf(1, 1)), /closed/)
  }
  const logs = await openDirectory({ store, files, isCleanStart: true })
  const log = logs.log(TOPIC, 0)!
  equal(log.endOffset, 80)
  equal(log.topicName, 'orders')
  deepEqual(await readAll(log), appended)
  await logs.close()
})
