import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { AssertionError } from '../../../broker/base/assert.ts'
import { SparseIndex, SparseIndexBuilder } from '../../../broker/storage/sparse-index.ts'

function built(): SparseIndex {
  const builder = new SparseIndexBuilder(1000)
  builder.add(1000, 0, 300, 50)
  builder.add(1010, 300, 200, 70)
  builder.add(1040, 500, 100, 60)
  return new SparseIndex(builder.build(), 1000, builder.segmentSizeBytes)
}

test('an offset is found in the stretch that begins at or before it', () => {
  const index = built()
  deepEqual(
    [1000, 1009, 1010, 1039, 1040, 5000].map(offset => index.indexOf(offset)),
    [0, 0, 1, 1, 2, 2],
  )
  equal(index.indexOf(3), 0)
})

test('a stretch reaches to the next one, the last to the end of the segment', () => {
  const index = built()
  deepEqual(index.stretch(0), { offset: 1000, position: 0, endPosition: 300 })
  deepEqual(index.stretch(2), { offset: 1040, position: 500, endPosition: 600 })
  deepEqual(
    [0, 1, 2].map(at => index.maxTimestamp(at)),
    [50, 70, 60],
  )
})

test('a hole in a segment is a mistake', () => {
  const builder = new SparseIndexBuilder(0)
  builder.add(0, 0, 100, 1)
  throws(() => builder.add(1, 150, 100, 1), AssertionError)
})

test('an index of a newer broker is refused', () => {
  throws(() => new SparseIndex(Buffer.from([9, 0, 0, 0, 0]), 0, 0), /version 9/)
})
