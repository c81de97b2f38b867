import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import { manualClock } from '../../manual-clock.ts'
import { CrashingFiles } from './crashing-files.ts'
import { append, batchOf, CONFIG, openDirectory, OTHER_TOPIC, readAll, settled, TOPIC } from './log-fixture.ts'

test('a created log is there after a start, even when nothing was appended', async () => {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const logs = await openDirectory({ store, files })
  await Promise.all([
    logs.create(TOPIC, 0, 'orders', CONFIG).flush(),
    logs.create(OTHER_TOPIC, 7, 'clicks', CONFIG).flush(),
  ])
  await logs.close()
  const again = await openDirectory({ store, files })
  deepEqual([...again.logs()].map(log => `${log.topicName}-${log.partition}`).sort(), ['clicks-7', 'orders-0'])
  equal(again.log(TOPIC, 0)!.endOffset, 0)
  equal(again.log(TOPIC, 1), undefined)
})

test('a removed log is gone at once, its files after file.delete.delay.ms', async () => {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const clock = manualClock()
  const logs = await openDirectory({ store, files, clock })
  const log = logs.create(TOPIC, 0, 'orders', { ...CONFIG, segmentBytes: 1000, fileDeleteDelayMs: 5000 })
  for (let seed = 0; seed < 10; seed++) await append(log, batchOf(600, seed))
  await settled()
  const removed = logs.remove(TOPIC, 0)
  equal(logs.log(TOPIC, 0), undefined)
  await rejects(append(log, batchOf(1, 1)), StorageError)
  await removed
  equal((await files.list('/data/segments')).length > 0, true)
  clock.advance(6000)
  await settled()
  deepEqual(await files.list('/data/segments'), [])
  await logs.close()
  deepEqual([...(await openDirectory({ store, files })).logs()], [])
})

test('a log that is removed and made anew in the same breath is empty, and stays', async () => {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  await append(log, batchOf(600, 1))
  const lost = append(log, batchOf(600, 2))
  const removed = logs.remove(TOPIC, 0)
  const next = logs.create(TOPIC, 0, 'orders', CONFIG)
  const batch = batchOf(300, 3)
  await Promise.all([lost, removed, append(next, batch)])
  deepEqual(await readAll(next), [batch])
  await logs.close()
  deepEqual(await readAll((await openDirectory({ store, files })).log(TOPIC, 0)!), [batch])
})

test('files that nothing refers to are removed at the start', async () => {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const logs = await openDirectory({ store, files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  for (let seed = 0; seed < 4; seed++) await append(log, batchOf(1700, seed))
  await logs.close()
  const before = await files.list('/data/segments')
  await files.open(`/data/segments/${TOPIC}-0-00000000000000000000.99.log`, 'create')
  await files.open('/data/staging/98.staging', 'create')
  await files.open('/data/segments/note-of-the-operator.txt', 'create')
  const again = await openDirectory({ store, files })
  deepEqual((await files.list('/data/segments')).sort(), [...before, 'note-of-the-operator.txt'].sort())
  equal((await files.list('/data/staging')).includes('98.staging'), false)
  equal((await readAll(again.log(TOPIC, 0)!)).length, 4)
})

test('appends are refused while the disk is nearly full, reads go on, and room ends it', async () => {
  const files = new CrashingFiles()
  const clock = manualClock()
  const logs = await openDirectory({ store: openMemoryStore(), files, clock })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const batch = batchOf(10, 1)
  await append(log, batch)
  files.freeBytes = 999
  clock.advance(500)
  await settled()
  equal(logs.usableBytes, 999)
  await rejects(append(log, batchOf(10, 2)), { code: 'ENOSPC' })
  equal(log.endOffset, 1)
  deepEqual(await readAll(log), [batch])
  equal(logs.isOffline, false)
  files.freeBytes = 1_000_000
  clock.advance(500)
  await settled()
  await append(log, batchOf(10, 3))
})

test('whoever asks late hears at once that the directory is offline', async () => {
  const files = new CrashingFiles()
  const logs = await openDirectory({ store: openMemoryStore(), files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  files.fault = operation => {
    if (operation === 'write') throw new StorageError('the disk is gone', { code: 'EIO' })
  }
  await rejects(append(log, batchOf(3000, 1)), /the disk is gone/)
  const causes: string[] = []
  logs.onOffline(cause => causes.push(cause.message))
  deepEqual(causes, ['the disk is gone'])
})

test('closing twice is closing once', async () => {
  const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles() })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const stored = append(log, batchOf(10, 1))
  await Promise.all([logs.close(), logs.close()])
  await stored
  await rejects(log.flush(), StorageError)
  await rejects(logs.create(TOPIC, 1, 'orders', CONFIG).flush(), StorageError)
})

test('a thousand partitions come back with what they had', async () => {
  const store = openMemoryStore()
  const files = new CrashingFiles()
  const logs = await openDirectory({ store, files, limits: { stagingFileBytes: 1e6 } })
  const waits: Promise<void>[] = []
  for (let partition = 0; partition < 1000; partition++) {
    waits.push(append(logs.create(TOPIC, partition, 'orders', CONFIG), batchOf(partition % 400, partition)))
  }
  await Promise.all(waits)
  await logs.close()
  const again = await openDirectory({ store, files, limits: { stagingFileBytes: 1e6 } })
  for (let partition = 0; partition < 1000; partition += 37) {
    const [found] = await readAll(again.log(TOPIC, partition)!)
    equal(found!.equals(batchOf(partition % 400, partition)), true)
  }
})
