import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { Tail, TailCache, type TailBatch } from '../../../broker/storage/tail-cache.ts'

function batch(baseOffset: number, bytes: Buffer, count = 1): TailBatch {
  return { bytes, baseOffset, lastOffset: baseOffset + count - 1, maxTimestamp: 0, leaderEpoch: 0 }
}

/** A batch that is alone in its frame. */
function alone(baseOffset: number, sizeBytes: number): TailBatch {
  return batch(baseOffset, Buffer.alloc(sizeBytes, baseOffset))
}

function committedTail(endOffset: number): Tail {
  const tail = new Tail()
  tail.committedOffset = endOffset
  return tail
}

function offsets(tail: Tail): number[] {
  return (tail.between(tail.startOffset, Infinity) ?? []).map(found => found.baseOffset)
}

test('a read returns whole batches from the one that contains the offset', () => {
  const tail = committedTail(100)
  const cache = new TailCache(1000)
  for (const at of [0, 5, 10]) cache.add(tail, batch(at, Buffer.alloc(10, at), 5))
  deepEqual(tail.read(7, 100, 1000, true), [Buffer.alloc(10, 5), Buffer.alloc(10, 10)])
  deepEqual(tail.read(7, 14, 1000, true), [Buffer.alloc(10, 5)])
  deepEqual(tail.read(7, 100, 19, true), [Buffer.alloc(10, 5)])
  deepEqual(tail.read(7, 100, 9, false), [])
  deepEqual(tail.read(7, 100, 9, true), [Buffer.alloc(10, 5)])
})

test('an offset that the cache does not go back to is for the disk', () => {
  const tail = committedTail(100)
  new TailCache(1000).add(tail, alone(5, 10))
  equal(tail.read(4, 100, 1000, true), null)
  equal(tail.between(4, 100), null)
  equal(new Tail().read(0, 100, 1000, true), null)
})

test('what compaction took away is not read any more, and gives its room and its turn back', () => {
  const cache = new TailCache(100)
  const [one, two] = [committedTail(100), committedTail(100)]
  cache.add(one, alone(0, 30))
  cache.add(one, alone(1, 30))
  cache.add(two, alone(0, 30))
  cache.dropBelow(one, 1)
  deepEqual([offsets(one), cache.sizeBytes], [[1], 60])
  equal(one.read(0, 100, 1000, true), null)
  cache.add(one, alone(2, 60))
  deepEqual([offsets(one), offsets(two)], [[2], [0]])
})

test('at the bound the batches appended longest ago go, whichever log they belong to', () => {
  const cache = new TailCache(100)
  const [one, two] = [committedTail(100), committedTail(100)]
  cache.add(one, alone(0, 40))
  cache.add(two, alone(0, 40))
  cache.add(one, alone(1, 40))
  deepEqual([offsets(one), offsets(two)], [[1], [0]])
  cache.add(two, alone(1, 40))
  deepEqual([offsets(one), offsets(two)], [[1], [1]])
  equal(cache.sizeBytes, 80)
})

test('a batch that is not committed stays, however full the cache is', () => {
  const cache = new TailCache(100)
  const tail = committedTail(1)
  for (let at = 0; at < 5; at++) cache.add(tail, alone(at, 60))
  deepEqual(offsets(tail), [1, 2, 3, 4])
  tail.committedOffset = 4
  cache.shrink()
  deepEqual(offsets(tail), [4])
})

test('a frame counts in full until its last batch is gone', () => {
  const cache = new TailCache(250)
  const tail = committedTail(100)
  const frame = Buffer.alloc(200)
  cache.add(tail, batch(0, frame.subarray(0, 10)))
  cache.add(tail, batch(1, frame.subarray(10, 20)))
  equal(cache.sizeBytes, 200)
  cache.add(tail, alone(2, 100))
  deepEqual(offsets(tail), [2])
  equal(cache.sizeBytes, 100)
})

test('a cut drops what lies behind it, and its place in the order hurts nobody', () => {
  const cache = new TailCache(100)
  const [cut, other] = [committedTail(100), committedTail(100)]
  for (let at = 0; at < 3; at++) cache.add(cut, alone(at, 20))
  cache.truncate(cut, 1)
  equal(cache.sizeBytes, 20)
  cache.truncate(cut, 0)
  equal(cache.sizeBytes, 0)
  for (let at = 0; at < 6; at++) cache.add(other, alone(at, 20))
  deepEqual(offsets(other), [1, 2, 3, 4, 5])
})

test('a long tail gives its memory back in steps and still finds every batch', () => {
  const cache = new TailCache(50 * 8)
  const tail = committedTail(10_000)
  for (let at = 0; at < 5000; at++) cache.add(tail, alone(at, 8))
  deepEqual(
    offsets(tail),
    Array.from({ length: 50 }, (_, index) => 4950 + index),
  )
  deepEqual(tail.read(4975, 10_000, 8, false), [Buffer.alloc(8, 4975)])
})
