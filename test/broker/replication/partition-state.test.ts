import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import type { Member } from '../../../broker/machine/log-matching.ts'
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

/** The high watermark after 4, of a leader that has flushed 10, when followers have acknowledged so much; in broker epoch 100. */
function next(
  change: Partial<PartitionState>,
  acknowledged: Record<number, number>,
  over: { current?: number; flushed?: number; added?: Member<number>[] } = {},
) {
  const view = state(change)
  const members = [...view.isr.map(id => ({ id, tag: null })), ...(over.added ?? [])]
  const known = new Map(Object.entries(acknowledged).map(([id, offset]) => [Number(id), { tag: 100, offset }]))
  return nextHighWatermark(view, over.current ?? 4, over.flushed ?? 10, members, known)
}

test('the high watermark of a lone replica is what it has flushed', () => {
  equal(next({ replicas: [1], isr: [1] }, {}), 10)
})

test('the high watermark is the smallest flushed end offset of the in-sync replicas', () => {
  equal(next({}, { 2: 7, 3: 9 }), 7)
})

test('the high watermark waits for the leader itself when followers are ahead of its flush', () => {
  equal(next({}, { 2: 7, 3: 9 }, { flushed: 5 }), 5)
})

test('a replica that is not in sync does not hold the high watermark up', () => {
  equal(next({ isr: [1, 2] }, { 2: 8, 3: 1 }), 8)
})

test('an in-sync replica that has not been heard of holds the high watermark up', () => {
  equal(next({}, { 2: 8 }), 4)
})

test('a replica that may be added any moment holds the high watermark up, in the life it was asked for', () => {
  equal(next({ isr: [1, 2] }, { 2: 8, 3: 6 }, { added: [{ id: 3, tag: 100 }] }), 6)
  equal(next({ isr: [1, 2] }, { 2: 8, 3: 6 }, { added: [{ id: 3, tag: 99 }] }), 4)
})

test('the high watermark never moves back', () => {
  equal(next({ isr: [1, 2] }, { 2: 6 }, { current: 9 }), 9)
})

test('the high watermark does not move while fewer than the minimum are in sync, whoever is being added', () => {
  equal(next({ isr: [1], minInsyncReplicas: 2 }, {}), 4)
  equal(next({ isr: [1], minInsyncReplicas: 2 }, { 2: 9 }, { added: [{ id: 2, tag: 100 }] }), 4)
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
