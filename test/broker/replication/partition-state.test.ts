import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import {
  effectiveMinInsyncReplicas,
  hasEnoughReplicas,
  lastStableOffset,
  nextHighWatermark,
  type PartitionState,
} from '../../../broker/replication/partition-state.ts'

const state = (change: Partial<PartitionState> = {}): PartitionState => ({
  brokerId: 1,
  leaderEpoch: 0,
  partitionEpoch: 0,
  replicas: [1, 2, 3],
  isr: [1, 2, 3],
  minInsyncReplicas: 1,
  ...change,
})

test('the high watermark of a lone replica is what it has flushed', () => {
  equal(nextHighWatermark(state({ replicas: [1], isr: [1] }), 3, 10, new Map()), 10)
})

test('the high watermark is the smallest flushed end offset of the in-sync replicas', () => {
  equal(nextHighWatermark(state(), 0, 10, new Map([[2, 7], [3, 9]])), 7) // prettier-ignore
})

test('the high watermark waits for the leader itself when followers are ahead of its flush', () => {
  equal(nextHighWatermark(state(), 0, 5, new Map([[2, 7], [3, 9]])), 5) // prettier-ignore
})

test('a replica that is not in sync does not hold the high watermark up', () => {
  equal(nextHighWatermark(state({ isr: [1, 2] }), 0, 10, new Map([[2, 8], [3, 1]])), 8) // prettier-ignore
})

test('an in-sync replica that has not been heard of holds the high watermark up', () => {
  equal(nextHighWatermark(state(), 4, 10, new Map([[2, 8]])), 4)
})

test('the high watermark never moves back', () => {
  equal(nextHighWatermark(state({ isr: [1, 2] }), 9, 10, new Map([[2, 6]])), 9)
})

test('the high watermark does not move while fewer than the minimum are in sync', () => {
  equal(nextHighWatermark(state({ isr: [1], minInsyncReplicas: 2 }), 4, 10, new Map()), 4)
})

test('a partition cannot need more in-sync replicas than it has replicas', () => {
  equal(effectiveMinInsyncReplicas(state({ replicas: [1], minInsyncReplicas: 3 })), 1)
  equal(effectiveMinInsyncReplicas(state({ minInsyncReplicas: 2 })), 2)
  equal(hasEnoughReplicas(state({ replicas: [1], isr: [1], minInsyncReplicas: 3 })), true)
  equal(hasEnoughReplicas(state({ isr: [1], minInsyncReplicas: 2 })), false)
})

test('the last stable offset is the first offset of the oldest unstable transaction below the high watermark', () => {
  equal(lastStableOffset(10, -1, 0), 10)
  equal(lastStableOffset(10, 4, 0), 4)
  equal(lastStableOffset(10, 12, 0), 10)
})

test('the last stable offset is not below the log start, when the beginning of a transaction was deleted', () => {
  equal(lastStableOffset(10, 4, 7), 7)
})
