import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { baseOffset, lastOffset } from '../../../../broker/records/batch.ts'
import { buildEndTransactionMarker } from '../../../../broker/records/control.ts'
import { append, batchOf, openDirectory, readAll, settled, TOPIC } from '../log-fixture.ts'
import { COMPACTED, contents, fill, put, segmentsOf, setting } from './compacted-log.ts'
import { recordOf } from './history.ts'

const NEWEST = ['33 a=33', '34 b=34', '35 c=35', '36 a=36', '37 b=37', '38 c=38', '39 a=39']

test('a compacted log has the newest record of every key, and all of the active segment', async () => {
  const { log, logs, store } = await setting()
  await fill(log)
  const active = (await segmentsOf(store)).at(-1)!.endOffset
  await logs.runCleaner()
  const found = await contents(log)
  equal(found.length, 3 + 40 - active)
  deepEqual(found.slice(-2), ['38 c=38', '39 a=39'])
  equal(log.endOffset, 40)
  equal(log.logStartOffset, 0)
})

test('what a cleaning drops is not read from memory either', async () => {
  const { log, logs } = await setting({}, { cacheBytes: 1_000_000 })
  await fill(log)
  await logs.runCleaner()
  ok((await contents(log)).length < 10)
})

test('small segments become one, and the old files are gone at once', async () => {
  const { log, logs, store, files } = await setting({ segmentBytes: 4000 })
  log.configure({ ...COMPACTED, segmentBytes: 1000 })
  await fill(log)
  const before = await segmentsOf(store)
  ok(before.length > 5)
  log.configure({ ...COMPACTED, segmentBytes: 1_000_000 })
  await logs.runCleaner()
  const after = await segmentsOf(store)
  deepEqual(after.map(({ baseOffset, endOffset }) => [baseOffset, endOffset]), [[0, before.at(-1)!.endOffset]]) // prettier-ignore
  const names = await files.list('/data/segments')
  equal(names.filter(name => before.some(({ fileId }) => name.includes(`.${fileId}.`))).length, 0)
  equal(
    log.sizeBytes,
    (await readAll(log)).reduce((sum, batch) => sum + batch.length, 0),
  )
})

test('a group never becomes larger than segment.bytes', async () => {
  const { log, logs, store } = await setting()
  for (let value = 0; value < 60; value++) await put(log, [`key-${value}=${value}`])
  await settled()
  await logs.runCleaner()
  for (const { sizeBytes } of await segmentsOf(store)) ok(sizeBytes <= 1000)
  equal((await contents(log)).length, 60)
})

test('reads find their way over holes, from every offset', async () => {
  const { log, logs } = await setting()
  await fill(log, 60)
  await logs.runCleaner()
  const all = await readAll(log)
  for (let offset = 0; offset < log.endOffset; offset++) {
    const found = await log.read(offset, { maxBytes: 500, endOffset: log.endOffset, minOneBatch: true })
    ok(typeof found !== 'string')
    const expected = all.find(batch => lastOffset(batch, 0) >= offset)!
    equal(baseOffset(found[0]!, 0), baseOffset(expected, 0), `from ${offset}`)
  }
})

test('a log is what it was after a clean start and after a crash', async () => {
  const at = await setting()
  await fill(at.log, 60)
  await at.logs.runCleaner()
  const before = await contents(at.log)
  await at.logs.close()
  for (const isCleanStart of [true, false]) {
    const logs = await openDirectory({ store: at.store, files: at.files, isCleanStart })
    const log = logs.log(TOPIC, 0)!
    deepEqual(await contents(log), before)
    equal(log.endOffset, 60)
    await logs.close()
  }
})

test('cleaning goes on where it ended, also after a restart', async () => {
  const at = await setting({ minCleanableDirtyRatio: 0.5 })
  await fill(at.log, 60)
  await at.logs.runCleaner()
  await at.logs.close()
  const logs = await openDirectory({ store: at.store, files: at.files, isCleanStart: true })
  const log = logs.log(TOPIC, 0)!
  log.configure({ ...COMPACTED, minCleanableDirtyRatio: 0.9 })
  equal(logs.cleanerView().maxDirtyPercent, 0)
  const size = log.sizeBytes
  await logs.runCleaner()
  equal(log.sizeBytes, size)
  equal(logs.cleanerView().maxDirtyPercent, 0, 'nothing is dirty')
})

test('nothing at or above the high watermark is cleaned', async () => {
  const { log, logs } = await setting()
  log.deletableOffset = 10
  await fill(log)
  await logs.runCleaner()
  const found = await contents(log)
  equal(found.filter(text => Number(text.split(' ')[0]) >= 10).length, 30)
  ok(found.length < 40)
})

test('a record that the producer may still end as aborted is not cleaned', async () => {
  const { log, logs } = await setting()
  await fill(log, 10)
  await append(log, batchOf(0, 0, { producerId: 5, producerEpoch: 0, baseSequence: 0, isTransactional: true, records: [recordOf('a=x')] })) // prettier-ignore
  await fill(log, 30)
  await logs.runCleaner()
  equal((await contents(log)).filter(text => Number(text.split(' ')[0]) >= 10).length, 31)
})

test('records of an aborted transaction go, and what says so to readers with the next cleaning', async () => {
  const { log, logs, clock } = await setting()
  const producer = { producerId: 5, producerEpoch: 0, isTransactional: true }
  await fill(log, 10)
  await append(log, batchOf(0, 0, { ...producer, baseSequence: 0, records: [recordOf('a=aborted'), recordOf('x=aborted')] })) // prettier-ignore
  await append(log, marker('abort'))
  await append(log, batchOf(0, 0, { ...producer, baseSequence: 2, records: [recordOf('x=committed')] }))
  await append(log, marker('commit'))
  // What a leader does when its high watermark moves.
  log.producers.settleBelow(log.endOffset)
  await fill(log, 20)
  await logs.runCleaner()
  const found = await contents(log)
  ok(!found.some(text => text.endsWith('aborted')))
  ok(found.includes('13 x=committed'))
  const markers = async () => (await log.abortedTransactions(0, log.endOffset)).map(({ lastOffset }) => lastOffset)
  deepEqual(await markers(), [12])
  await fill(log, 20)
  await logs.runCleaner()
  deepEqual(await markers(), [])
  equal(
    (await readAll(log)).some(batch => baseOffset(batch, 0) === 12),
    true,
    'the marker waits for its horizon',
  )
  clock.advance(1000)
  await fill(log, 20)
  await logs.runCleaner()
  equal(
    (await readAll(log)).some(batch => baseOffset(batch, 0) === 12),
    false,
  )
  ok((await contents(log)).includes('13 x=committed'))
})

function marker(result: 'commit' | 'abort'): Buffer {
  return buildEndTransactionMarker({ result, producerId: 5, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1000 })
}

test('with a map that is too small the log is cleaned as far as it reaches, and then the rest', async () => {
  const { log, logs } = await setting()
  logs.configureCleaner(cleaner({ dedupeBufferBytes: 24 * 2 * 5 }))
  for (let value = 0; value < 60; value++) await put(log, [`key-${value % 20}=${value}`])
  await settled()
  await logs.runCleaner()
  const found = await contents(log)
  const newest = new Map(found.map(text => [text.split(' ')[1]!.split('=')[0], text]))
  equal(newest.size, 20)
  for (let key = 0; key < 20; key++) equal(newest.get(`key-${key}`), `${40 + key} key-${key}=${40 + key}`)
  ok(found.length <= 30, `${found.length} records`)
})

test('a map that cannot take the keys of one batch makes the log uncleanable', async () => {
  const { log, logs } = await setting()
  logs.configureCleaner(cleaner({ dedupeBufferBytes: 24 * 2 * 2 }))
  for (let value = 0; value < 10; value++) await put(log, ['a=1', 'b=1', 'c=1', 'd=1'])
  await settled()
  await logs.runCleaner()
  equal(logs.cleanerView().uncleanablePartitions, 1)
  ok(logs.cleanerView().uncleanableBytes > 0)
})

test('a log that is rotten is left as it is, and the others are cleaned', async () => {
  const { log, logs, store, files } = await setting()
  const other = logs.create(TOPIC, 1, 'orders', COMPACTED)
  await fill(log)
  await fill(other)
  const [segment] = (await segmentsOf(store)).filter(({ baseOffset }) => baseOffset === 0)
  const name = (await files.list('/data/segments')).find(found => found.includes(`.${segment!.fileId}.`))!
  const file = await files.open(`/data/segments/${name}`, 'write')
  await file.write([Buffer.from('rot')], 100)
  await logs.runCleaner()
  equal(logs.cleanerView().uncleanablePartitions, 1)
  const [rotten, clean] = name.includes('-0-0') ? [log, other] : [other, log]
  equal((await contents(clean)).length < 40, true)
  equal((await readAll(rotten)).length, 40)
  equal(rotten.isOffline, false)
})

test('DeleteRecords and a cleaning do not get into each other', async () => {
  const { log, logs } = await setting()
  await fill(log)
  const cleaning = logs.runCleaner()
  await log.deleteRecordsBefore(20)
  await cleaning
  await logs.runCleaner()
  equal(log.logStartOffset, 20)
  deepEqual((await contents(log)).slice(-3), NEWEST.slice(-3))
})

test('a cut makes what was cleaned above it dirty again', async () => {
  const { log, logs } = await setting()
  await fill(log, 60)
  await logs.runCleaner()
  await log.truncate(30)
  await fill(log, 30)
  await logs.runCleaner()
  const found = await contents(log)
  const newest = new Map(found.map(text => [text.split(' ')[1]!.split('=')[0], text]))
  const end = log.endOffset
  deepEqual([newest.get('a'), newest.get('b'), newest.get('c')], [`${end - 3} a=27`, `${end - 2} b=28`, `${end - 1} c=29`]) // prettier-ignore
})

test('a removal during a cleaning leaves no file behind', async () => {
  const { log, logs, files, clock } = await setting()
  await fill(log)
  const cleaning = logs.runCleaner()
  await logs.remove(TOPIC, 0)
  await cleaning
  clock.advance(120_000)
  await settled()
  deepEqual(await files.list('/data/segments'), [])
})

test('records by time and the largest time are found over holes', async () => {
  const { log, logs } = await setting()
  await fill(log, 60)
  await put(log, ['late=1'], 5000)
  await fill(log, 10)
  await logs.runCleaner()
  const records = (await contents(log)).map(text => Number(text.split(' ')[0]))
  deepEqual(await log.maxTimestamp(), { offset: 60, timestamp: 5000, leaderEpoch: 0 })
  const found = await log.offsetForTimestamp(1000)
  equal(found?.offset, records[0])
  deepEqual(await log.offsetForTimestamp(5000), { offset: 60, timestamp: 5000, leaderEpoch: 0 })
})

test('an emptied batch does not count as the one with the largest time', async () => {
  const { log, logs } = await setting()
  await append(log, batchOf(0, 0, { producerId: 5, producerEpoch: 0, baseSequence: 0, records: [recordOf('a=1', 9000)] })) // prettier-ignore
  await fill(log)
  await logs.runCleaner()
  deepEqual(await log.maxTimestamp(), { offset: 40, timestamp: 1039, leaderEpoch: 0 })
})

test('a disk without room for a second copy of a group is not filled, and the log has its turn when there is room again', async () => {
  const { log, logs, files, clock } = await setting()
  await fill(log)
  const { freeBytes } = files
  files.freeBytes = 1500
  clock.advance(500)
  await settled()
  await logs.runCleaner()
  equal((await contents(log)).length, 40)
  equal(logs.cleanerView().uncleanablePartitions, 0)
  files.freeBytes = freeBytes
  clock.advance(500)
  await settled()
  await logs.runCleaner()
  ok((await contents(log)).length < 40)
})

test('readers and a cleaning go on side by side', async () => {
  const { log, logs } = await setting({}, { cacheBytes: 100 })
  await fill(log, 80)
  const readers = Array.from({ length: 6 }, async () => {
    for (let turn = 0; turn < 5; turn++) {
      const found = await contents(log)
      deepEqual(found.slice(-3), ['77 c=77', '78 a=78', '79 b=79'])
    }
  })
  await logs.runCleaner()
  await Promise.all(readers)
})

function cleaner(some: object) {
  return {
    isEnabled: true,
    threads: 1,
    backoffMs: 15_000,
    dedupeBufferBytes: 1_000_000,
    ioBufferBytes: 524_288,
    ioBufferLoadFactor: 0.9,
    ioMaxBytesPerSecond: Number.MAX_VALUE,
    ...some,
  }
}
