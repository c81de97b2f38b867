// When the cleaner cleans what: intervals, ratios, lags and policies.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { settled } from '../log-fixture.ts'
import { contents, fill, put, setting } from './compacted-log.ts'

test('tombstones go delete.retention.ms after the cleaning that saw them first', async () => {
  const { log, logs, clock } = await setting()
  await put(log, ['gone=1'])
  await put(log, ['gone', 'x=1'])
  await fill(log, 20)
  await logs.runCleaner()
  ok((await contents(log)).includes('1 gone'))
  ok(!(await contents(log)).includes('0 gone=1'))
  clock.advance(999)
  await fill(log, 20)
  await logs.runCleaner()
  ok((await contents(log)).includes('1 gone'))
  clock.advance(1)
  await fill(log, 20)
  await logs.runCleaner()
  ok(!(await contents(log)).some(text => text.endsWith('gone')))
  ok((await contents(log)).includes('2 x=1'))
})

test('the cleaner looks every log.cleaner.backoff.ms', async () => {
  const { log, clock } = await setting()
  await fill(log)
  clock.advance(14_999)
  await settled()
  equal((await contents(log)).length, 40)
  clock.advance(1)
  await until(async () => (await contents(log)).length < 40)
})

test('min.cleanable.dirty.ratio holds a cleaning back', async () => {
  const { log, logs } = await setting({ minCleanableDirtyRatio: 0.9 })
  await fill(log)
  await logs.runCleaner()
  const cleaned = (await contents(log)).length
  ok(cleaned < 40)
  await fill(log, 9)
  await logs.runCleaner()
  equal((await contents(log)).length, cleaned + 9)
})

test('min.compaction.lag.ms keeps young records', async () => {
  const { log, logs, clock } = await setting({ minCompactionLagMs: 60_000 })
  const nowMs = clock.now()
  for (let value = 0; value < 40; value++) await put(log, [`a=${value}`], nowMs)
  await settled()
  await logs.runCleaner()
  equal((await contents(log)).length, 40)
  clock.advance(60_001)
  await logs.runCleaner()
  ok((await contents(log)).length < 10)
})

test('max.compaction.lag.ms ends the active segment and has it cleaned, whatever the ratio', async () => {
  const { log, logs, clock } = await setting({
    maxCompactionLagMs: 60_000,
    minCleanableDirtyRatio: 1,
    segmentBytes: 1e6,
  })
  const nowMs = clock.now()
  for (let value = 0; value < 40; value++) await put(log, [`a=${value}`], nowMs)
  clock.advance(60_001)
  await logs.runCleaner()
  await settled()
  await logs.runCleaner()
  deepEqual(await contents(log), ['39 a=39'])
  ok(logs.cleanerView().maxCompactionDelayMs === 0)
})

test('the cleaner rests between small batches, not only when all that it has read is done', async () => {
  const { log, logs, clock } = await setting()
  await fill(log)
  const { monotonic, after } = clock
  let passedMs = 0
  let rests = 0
  Object.assign(clock, {
    // Every look at the clock takes longer than a turn.
    monotonic: () => monotonic() + passedMs++,
    after: (delayMs: number, run: () => void) => {
      if (delayMs !== 2) return after(delayMs, run)
      rests++
      setImmediate(run)
      return { cancel: () => {} }
    },
  })
  await logs.runCleaner()
  ok(rests > 40, `${rests} rests in 40 batches that were read twice`)
})

test('a log that is not compacted is left alone', async () => {
  const { log, logs } = await setting({ cleanupPolicy: new Set(['delete'] as const) })
  await fill(log)
  await logs.runCleaner()
  equal((await contents(log)).length, 40)
})

test('compact,delete deletes by time as well', async () => {
  const { log, logs, clock } = await setting({
    cleanupPolicy: new Set(['compact', 'delete'] as const),
    retentionMs: 60_000,
  })
  for (let value = 0; value < 40; value++) await put(log, [`${'abc'[value % 3]}=${value}`], clock.now())
  await settled()
  await logs.runCleaner()
  const start = log.logStartOffset
  clock.advance(60_001)
  await logs.runRetention()
  ok(log.logStartOffset > start)
  equal(log.logStartOffset, 40)
  await fill(log)
  await logs.runCleaner()
  ok((await contents(log)).length < 40)
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await condition()) return
    await settled()
  }
  throw new Error('it never came')
}
