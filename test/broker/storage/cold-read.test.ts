// Reads that the tail cache cannot serve, while background work changes where the bytes are.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { CrashingFiles } from './crashing-files.ts'
import {
  append,
  batchOf,
  CONFIG,
  delayedStore,
  openDirectory,
  readAll,
  settled,
  splitBatches,
  TOPIC,
} from './log-fixture.ts'

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

test('a read of what is being moved waits for that commit, and not until nobody writes to any log any more', async () => {
  const store = delayedStore(openMemoryStore(), method => turns(method === 'commit' ? 5 : 0))
  const logs = await openDirectory({ store, files: new CrashingFiles(), limits: { cacheBytes: 1, moveBytes: 1500 } })
  const [moved, busy] = [0, 1].map(partition => logs.create(TOPIC, partition, 'orders', CONFIG))
  let isBusy = true
  const writing = (async () => {
    // Two at a time, so that the writer never runs out of work.
    const write = async (): Promise<void> => {
      while (isBusy) await append(busy!, batchOf(200, 1))
    }
    await Promise.all([write(), turns(3).then(write)])
  })()
  let reads = 0
  let isReading = true
  const reading = (async () => {
    for (; isReading; reads++) {
      if (moved!.flushedOffset > 0)
        await moved!.read(0, { maxBytes: 1e6, endOffset: moved!.flushedOffset, minOneBatch: true })
      await turns(1)
    }
  })()
  for (let seed = 0; seed < 60; seed++) await append(moved!, batchOf(400, seed))
  const before = reads
  await turns(300)
  ok(reads > before, 'reads go on while another log is written to')
  isBusy = isReading = false
  await Promise.all([writing, reading])
  equal((await readAll(moved!)).length, 60)
})

test('a reader whom the log changes under again and again gets it to itself', async () => {
  let onScan = async (): Promise<void> => {}
  const store = delayedStore(openMemoryStore(), method => (method === 'scan' ? onScan() : Promise.resolve()))
  const logs = await openDirectory({ store, files: new CrashingFiles(), limits: { cacheBytes: 1 } })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const batches = Array.from({ length: 100 }, (_, seed) => batchOf(20, seed))
  for (const batch of batches) await append(log, batch)
  await settled()
  let start = 0
  const changes: Promise<number>[] = []
  onScan = async () => {
    changes.push(log.deleteRecordsBefore(++start))
    await turns(20)
  }
  const found = await log.read(99, { maxBytes: 1000, endOffset: 100, minOneBatch: true })
  onScan = async () => {}
  ok(start > 1, 'the log did change while it was read')
  deepEqual(splitBatches(found as Buffer[]), [batches[99]])
  await Promise.all(changes)
  equal(log.logStartOffset, start)
})
