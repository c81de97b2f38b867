import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { batchesIn, makeExtent } from '../../../broker/storage/extent-builder.ts'
import {
  ACTIVE,
  decodeExtent,
  encodeFileExtent,
  encodeInlineExtent,
  goodPart,
  INLINE,
  isWholeExtentGood,
  type Extent,
} from '../../../broker/storage/extent.ts'
import { LogKeys } from '../../../broker/storage/keys.ts'
import type { TailBatch } from '../../../broker/storage/tail-cache.ts'
import { batchOf, TOPIC } from './log-fixture.ts'

/** Three batches of one record each, from offset 100 on, and their extent. */
function threeBatches(): { bytes: Buffer; extent: Extent } {
  const bytes = Buffer.concat([0, 1, 2].map(seed => batchOf(50, seed, { baseOffset: 100 + seed, leaderEpoch: 4 })))
  const batches: TailBatch[] = []
  batchesIn(bytes, batches)
  const origin = { place: ACTIVE, isSyncedWithGroup: true, group: 12, fileId: 9 } as const
  return { bytes, extent: makeExtent(batches, 0, 3, origin, 2 ** 33) }
}

test('an extent is the same after it was stored, in a file or inline', () => {
  const { bytes, extent } = threeBatches()
  const key = new LogKeys(TOPIC, 0).extent(100)
  deepEqual(decodeExtent({ key, value: encodeFileExtent(extent) }), extent)
  const inline: Extent = { ...extent, place: INLINE, fileId: 0, position: 0 }
  deepEqual(decodeExtent({ key, value: encodeInlineExtent(inline, [bytes]) }), { ...inline, bytes })
})

test('an extent knows its end, its size and its newest timestamp', () => {
  const { bytes, extent } = threeBatches()
  deepEqual([extent.baseOffset, extent.lastOffset, extent.sizeBytes], [100, 102, bytes.length])
  equal(extent.maxTimestamp, 1002)
})

test('bytes as they were written are good as a whole', () => {
  const { bytes, extent } = threeBatches()
  equal(isWholeExtentGood(extent, bytes), true)
})

test('a flipped bit ends the good part before its batch', () => {
  const { bytes, extent } = threeBatches()
  const size = bytes.length / 3
  for (let at = size; at < 2 * size; at++) {
    const torn = Buffer.from(bytes)
    torn[at]! ^= 0x10
    deepEqual(goodPart(extent, torn), { sizeBytes: size, lastOffset: 100, maxTimestamp: 1000 }, `byte ${at}`)
  }
})

test('zeros, missing bytes and batches of another place are not good', () => {
  const { bytes, extent } = threeBatches()
  equal(goodPart(extent, Buffer.alloc(bytes.length)).sizeBytes, 0)
  equal(goodPart(extent, bytes.subarray(0, bytes.length - 1)).lastOffset, 101)
  equal(goodPart(extent, Buffer.alloc(0)).lastOffset, 99)
  const elsewhere = batchOf(50, 0, { baseOffset: 7, leaderEpoch: 4 })
  equal(goodPart(extent, elsewhere).sizeBytes, 0)
  const otherEpoch = batchOf(50, 0, { baseOffset: 100, leaderEpoch: 5 })
  equal(goodPart(extent, otherEpoch).sizeBytes, 0)
})
