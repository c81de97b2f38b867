import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { lastOffset } from '../../../broker/records/batch.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { seededNumbers } from '../../seeded.ts'
import { CrashingFiles } from './crashing-files.ts'
import { append, batchOf, CONFIG, openDirectory, readAll, settled, splitBatches, TOPIC } from './log-fixture.ts'

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

/** A log with batches of one to four records, in sealed segments and everything else. */
async function filled(cacheBytes: number): Promise<{ log: PartitionLog; batches: Buffer[] }> {
  const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles(), limits: { cacheBytes } })
  const log = logs.create(TOPIC, 0, 'orders', { ...CONFIG, segmentBytes: 3000 })
  const chance = seededNumbers(7)
  const batches: Buffer[] = []
  for (let seed = 0; seed < 60; seed++) {
    const value = Buffer.alloc(Math.floor(chance() * 500), seed)
    const records = Array.from({ length: 1 + Math.floor(chance() * 4) }, () => ({ timestamp: 1000 + seed, value }))
    const batch = batchOf(1, seed, { records })
    await append(log, batch, Math.floor(seed / 10))
    batches.push(batch)
  }
  await settled()
  return { log, batches }
}

for (const [place, cacheBytes] of [
  ['memory', 1e6],
  ['disk', 1],
] as const) {
  test(`whatever is asked for, a read from ${place} gives the whole batches that fit`, async () => {
    const { log, batches } = await filled(cacheBytes)
    const chance = seededNumbers(11)
    for (let round = 0; round < 400; round++) {
      const offset = Math.floor(chance() * log.endOffset)
      const endOffset = chance() < 0.3 ? log.endOffset : offset + Math.floor(chance() * 60)
      const maxBytes = Math.floor(chance() ** 3 * 20_000)
      const minOneBatch = chance() < 0.5
      const expected: Buffer[] = []
      let left = maxBytes
      for (const batch of batches) {
        if (lastOffset(batch, 0) < offset) continue
        left -= batch.length
        if (lastOffset(batch, 0) >= endOffset || (left < 0 && !(minOneBatch && expected.length === 0))) break
        expected.push(batch)
      }
      const found = await log.read(offset, { maxBytes, endOffset, minOneBatch })
      ok(typeof found !== 'string')
      const bytes = Buffer.concat(found)
      // From the disk a read may end earlier, where a segment does; but it gives something when there is something.
      const whole = Buffer.concat(expected)
      ok(whole.subarray(0, bytes.length).equals(bytes), `offset ${offset}, ${maxBytes} bytes up to ${endOffset}`)
      ok(cacheBytes === 1 ? expected.length === 0 || bytes.length > 0 : bytes.length === whole.length)
      splitBatches(found)
    }
  })
}

test('a read from memory is an answer, not a promise', async () => {
  const { log } = await filled(1e6)
  equal(
    Array.isArray(log.read(log.endOffset - 1, { maxBytes: 100, endOffset: log.endOffset, minOneBatch: true })),
    true,
  )
})

test('a read at the end finds nothing, beyond it the offset is out of range', async () => {
  const { log } = await filled(1)
  const options = { maxBytes: 100, endOffset: Infinity, minOneBatch: true }
  deepEqual(log.read(log.endOffset, options), [])
  equal(log.read(log.endOffset + 1, options), 'offset-out-of-range')
  await log.deleteRecordsBefore(5)
  equal(log.read(4, options), 'offset-out-of-range')
})

test('one who reads on finds the next batch where the last read ended', async () => {
  const { log, batches } = await filled(1)
  for (const maxBytes of [1, 700, 5000, 1e6]) deepEqual(await readAll(log, maxBytes), batches)
})

test('a batch larger than what one may ask for at once is still returned whole', async () => {
  const { log } = await filled(1)
  const large = batchOf(20_000, 1)
  await append(log, large)
  const offset = log.endOffset - 1
  const found = await log.read(offset, { maxBytes: 10, endOffset: log.endOffset, minOneBatch: true })
  deepEqual(found, [large])
})
