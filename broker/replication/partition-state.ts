// What a leader knows of its partition as numbers, and what follows from them: pure functions without a log, a clock or a network. Which
// followers acknowledged what, and who else ought to be in sync, is in-sync-replicas.ts; leader.ts keeps the numbers.
import { leastFlushed, type Acknowledgements, type Member } from '../machine/log-matching.ts'

/** One partition as its leader sees it; the whole value is replaced when metadata changes. */
export type PartitionState = {
  /** The leader itself. */
  readonly brokerId: number
  readonly leaderEpoch: number
  /** Grows with every change of the partition, elections included: the version of this view. */
  readonly partitionEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** `min.insync.replicas` as configured. */
  readonly minInsyncReplicas: number
}

/** A partition cannot ask for more in-sync replicas than it has replicas, so replication factor 1 with a minimum of 3 accepts acks=all. */
export function effectiveMinInsyncReplicas(state: PartitionState): number {
  return Math.max(1, Math.min(state.minInsyncReplicas, state.replicas.length))
}

/**
 * Whether the leader may take records that must be replicated (acks=all), and may move the high watermark. B2: it is the ISR of the view
 * that counts, without additions that are pending; the last one in sync cannot acknowledge alone (KIP-966).
 */
export function hasEnoughReplicas(state: PartitionState): boolean {
  return state.isr.length >= effectiveMinInsyncReplicas(state)
}

/**
 * The next high watermark (exclusive): the smallest flushed end offset over the leader itself and `members`, who are the ISR of the view
 * and the pending additions (B2). It never moves back, and not while fewer than the minimum are in sync. A member that has not been
 * heard of holds everything up.
 */
export function nextHighWatermark(
  state: PartitionState,
  current: number,
  flushedOffset: number,
  members: readonly Member<number>[],
  acknowledged: Acknowledgements<number>,
): number {
  if (!hasEnoughReplicas(state)) return current
  return Math.max(current, leastFlushed(state.brokerId, flushedOffset, members, acknowledged))
}

/**
 * Exclusive: what read_committed consumers may see. `firstUnstableOffset` is where the oldest transaction begins whose end is not below the high
 * watermark, -1 when there is none; when its beginning was deleted, the log start takes its place.
 */
export function lastStableOffset(highWatermark: number, firstUnstableOffset: number, logStartOffset: number): number {
  if (firstUnstableOffset < 0 || firstUnstableOffset >= highWatermark) return highWatermark
  return Math.max(firstUnstableOffset, logStartOffset)
}
