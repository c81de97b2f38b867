import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { RecentlyUsed, TokenBucket, WindowedRate } from '../../../broker/api/quota-rates.ts'

test('what was used counts over all windows, also those that were before the first use', () => {
  const rate = new WindowedRate(11, 1000)
  equal(rate.rate(0), 0)
  rate.record(1000, 0)
  equal(rate.rate(0), 100)
  rate.record(1000, 500)
  equal(Math.round(rate.rate(500)), 190)
  equal(rate.rate(10_000), 200)
})

test('what is older than the windows is forgotten', () => {
  const rate = new WindowedRate(3, 1000)
  rate.record(600, 0)
  rate.record(300, 1500)
  equal(Math.round(rate.rate(2999)), 300)
  equal(Math.round(rate.rate(3000)), 120)
  equal(rate.rate(10_000), 0)
})

test('the throttle time is what brings the rate down to the limit when nothing else is used', () => {
  const rate = new WindowedRate(11, 1000)
  rate.record(1_000_000, 0)
  equal(rate.throttleMs(100_000, 0), 0)
  equal(rate.throttleMs(50_000, 0), 10_000)
  equal(rate.throttleMs(10_000, 0), 90_000)
})

test('what is taken back does not count', () => {
  const rate = new WindowedRate(11, 1000)
  rate.record(500, 0)
  rate.record(700, 100)
  rate.record(-700, 100)
  equal(Math.round(rate.rate(100)), 50)
})

test('a single window is a rate over at least its own length', () => {
  const rate = new WindowedRate(1, 2000)
  rate.record(100, 0)
  equal(rate.rate(0), 50)
})

test('a bucket starts full, gives on credit, and wants the debt back at its rate', () => {
  const bucket = new TokenBucket(10)
  equal(bucket.throttleMs(5, 0), 0)
  bucket.take(50, 5, 0)
  equal(bucket.throttleMs(5, 0), 0)
  bucket.take(20, 5, 0)
  equal(bucket.throttleMs(5, 0), 4_000)
  equal(bucket.throttleMs(5, 3_000), 1_000)
  equal(bucket.throttleMs(5, 4_000), 0)
})

test('a bucket never holds more than its burst', () => {
  const bucket = new TokenBucket(10)
  bucket.take(0, 1, 0)
  bucket.take(11, 1, 1_000_000)
  equal(bucket.throttleMs(1, 1_000_000), 1_000)
})

test('of many names the ones asked for last are kept', () => {
  const names = new RecentlyUsed<number>(2)
  let made = 0
  const ask = (name: string) => names.getOrMake(name, () => ++made)
  deepEqual([ask('a'), ask('b'), ask('a'), ask('c'), ask('a'), ask('b')], [1, 2, 1, 3, 1, 4])
  equal(names.size, 2)
})
