import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import {
  cleanablePart,
  compactionDelayMs,
  dirtyRatio,
  groupSegments,
  isWorthCleaning,
  type CompactionRules,
  type LogView,
} from '../../../../broker/storage/cleaner/cleanable.ts'
import type { Segment } from '../../../../broker/storage/segment.ts'

const RULES: CompactionRules = {
  minCleanableDirtyRatio: 0.5,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  segmentBytes: 1000,
}

function segment(baseOffset: number, endOffset: number, sizeBytes = 100, maxTimestamp = 1000): Segment {
  return { baseOffset, endOffset, fileId: baseOffset + 1, sizeBytes, maxTimestamp, maxTimestampOffset: 0, createdMs: 0 }
}

const LOG: LogView = {
  segments: [segment(0, 10, 300), segment(10, 20), segment(20, 30), segment(30, 40)],
  activeBase: 40,
  logStartOffset: 0,
  endOffset: 50,
  cleanedOffset: 10,
  stableOffset: 50,
}

function offsetsOf(log: Partial<LogView>, rules: Partial<CompactionRules> = {}): [number, number] {
  const part = cleanablePart({ ...LOG, ...log }, { ...RULES, ...rules }, 2000)
  return [part.firstDirtyOffset, part.firstUncleanableOffset]
}

test('what is dirty begins where the last cleaning ended and goes on to the active segment', () => {
  deepEqual(offsetsOf({}), [10, 40])
})

test('nothing is cleaned above the high watermark or the last stable offset', () => {
  deepEqual(offsetsOf({ stableOffset: 25 }), [10, 25])
  deepEqual(offsetsOf({ stableOffset: 5 }), [10, 10])
})

test('a log start above the cleaned part is where the dirty part begins', () => {
  deepEqual(offsetsOf({ logStartOffset: 15 }), [15, 40])
})

test('a cleaned part that ends above the log is not believed', () => {
  deepEqual(offsetsOf({ cleanedOffset: 60, logStartOffset: 3 }), [3, 40])
})

test('min.compaction.lag.ms keeps the first dirty segment with a young record and all behind it', () => {
  const segments = [segment(0, 10, 300, 1999), segment(10, 20), segment(20, 30, 100, 1501), segment(30, 40)]
  deepEqual(offsetsOf({ segments }, { minCompactionLagMs: 500 }), [10, 20])
  deepEqual(offsetsOf({ segments }, { minCompactionLagMs: 499 }), [10, 40])
})

test('the dirty ratio is the share of dirty segments by size', () => {
  const part = cleanablePart(LOG, RULES, 2000)
  deepEqual([part.cleanBytes, part.cleanableBytes, dirtyRatio(part)], [300, 300, 0.5])
})

test('a log without sealed segments is not dirty', () => {
  const part = cleanablePart({ ...LOG, segments: [], activeBase: 0, cleanedOffset: 0 }, RULES, 2000)
  equal(dirtyRatio(part), 0)
  equal(isWorthCleaning(part, 100, RULES), false)
})

test('a log is cleaned when its dirty ratio is above the minimum', () => {
  const part = cleanablePart(LOG, RULES, 2000)
  equal(isWorthCleaning(part, 0, { ...RULES, minCleanableDirtyRatio: 0.5 }), false)
  equal(isWorthCleaning(part, 0, { ...RULES, minCleanableDirtyRatio: 0.49 }), true)
})

test('max.compaction.lag.ms makes a log due whatever its ratio is', () => {
  const rules = { ...RULES, minCleanableDirtyRatio: 1, maxCompactionLagMs: 500 }
  equal(compactionDelayMs(1400, rules, 2000), 100)
  equal(compactionDelayMs(1500, rules, 2000), 0)
  equal(compactionDelayMs(Infinity, rules, 2000), 0)
  equal(isWorthCleaning(cleanablePart(LOG, rules, 2000), 100, rules), true)
})

test('neighbours become one segment as long as they fit into segment.bytes', () => {
  const groups = groupSegments(LOG.segments, 40, 400)
  deepEqual(groups.map(group => group.map(({ baseOffset }) => baseOffset)), [[0, 10], [20, 30]]) // prettier-ignore
})

test('a segment that begins at or above the end of the cleaning is left alone', () => {
  deepEqual(groupSegments(LOG.segments, 20, 1000).flat(), LOG.segments.slice(0, 2))
  deepEqual(groupSegments(LOG.segments, 21, 1000).flat(), LOG.segments.slice(0, 3))
})

test('a segment never has more offsets than its index can tell apart', () => {
  const segments = [segment(0, 10), segment(10, 2 ** 31), segment(2 ** 31, 2 ** 31 + 1)]
  deepEqual(groupSegments(segments, Infinity, 1000).map(group => group.length), [2, 1]) // prettier-ignore
})
