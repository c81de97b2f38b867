import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import {
  ALL_SEGMENTS,
  ALL_STATES,
  LogKeys,
  MAX_OFFSET,
  offsetOf,
  partitionOf,
  topicIdOf,
} from '../../../broker/storage/keys.ts'
import { OTHER_TOPIC, TOPIC } from './log-fixture.ts'

test('a key says which topic, partition and offset it belongs to', () => {
  const key = new LogKeys(TOPIC, 77).extent(2 ** 40 + 5)
  equal(key.length, 29)
  equal(topicIdOf(key), TOPIC)
  equal(partitionOf(key), 77)
  equal(offsetOf(key), 2 ** 40 + 5)
})

test('the extents of a partition sort by offset, and no other partition lies between them', () => {
  const keys = new LogKeys(TOPIC, 3)
  const offsets = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 50]
  const sorted = offsets.map(offset => keys.extent(offset)).sort(Buffer.compare)
  deepEqual(sorted.map(offsetOf), offsets)
  const { gte, lt } = keys.extents(0, MAX_OFFSET)
  for (const stranger of [new LogKeys(TOPIC, 2), new LogKeys(TOPIC, 4), new LogKeys(OTHER_TOPIC, 3)]) {
    for (const offset of [0, 2 ** 50]) {
      const key = stranger.extent(offset)
      ok(key.compare(gte) < 0 || key.compare(lt) >= 0)
    }
  }
})

test('all states are one range, and segments another', () => {
  for (const keys of [new LogKeys(TOPIC, 0), new LogKeys(OTHER_TOPIC, 2 ** 31)]) {
    ok(keys.state().compare(ALL_STATES.gte) >= 0 && keys.state().compare(ALL_STATES.lt) < 0)
    ok(keys.segment(9).compare(ALL_SEGMENTS.gte) >= 0 && keys.segment(9).compare(ALL_SEGMENTS.lt) < 0)
    ok(keys.segmentIndex(9).compare(ALL_SEGMENTS.lt) >= 0)
  }
})
