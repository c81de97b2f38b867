import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { LogKeys } from '../../../broker/storage/keys.ts'
import {
  decodeSegment,
  encodeSegment,
  fileIdOf,
  segmentFileName,
  segmentIndexAt,
  stagingFileName,
  type Segment,
} from '../../../broker/storage/segment.ts'
import { TOPIC } from './log-fixture.ts'

const segment: Segment = {
  baseOffset: 2 ** 41,
  endOffset: 2 ** 41 + 9,
  fileId: 77,
  sizeBytes: 2 ** 33,
  maxTimestamp: 1_700_000_000_123,
  maxTimestampOffset: 2 ** 41 + 3,
  createdMs: 1_700_000_000_456,
}

test('a segment is the same after it was stored', () => {
  const key = new LogKeys(TOPIC, 1).segment(segment.baseOffset)
  deepEqual(decodeSegment({ key, value: encodeSegment(segment) }), segment)
  const without = { ...segment, maxTimestamp: -1 }
  deepEqual(decodeSegment({ key, value: encodeSegment(without) }), without)
})

test('a segment of a newer broker is refused', () => {
  throws(() => decodeSegment({ key: new LogKeys(TOPIC, 1).segment(0), value: Buffer.from([2]) }), /newer broker/)
})

test('a file name tells its id, whatever the topic id looks like', () => {
  equal(fileIdOf(segmentFileName('--_-AAAAAAAAAAAAAAAAAA', 12, 345, 678)), 678)
  equal(fileIdOf(stagingFileName(9)), 9)
  equal(fileIdOf('README'), 0)
})

test('an offset is looked up in the segment that ends behind it', () => {
  const at = (baseOffset: number, endOffset: number): Segment => ({ ...segment, baseOffset, endOffset })
  const segments = [at(0, 10), at(10, 20), at(25, 30)]
  deepEqual(
    [0, 9, 10, 19, 20, 24, 29, 30].map(offset => segmentIndexAt(segments, offset)),
    [0, 0, 1, 1, 2, 2, 2, -1],
  )
  equal(segmentIndexAt([], 0), -1)
})
