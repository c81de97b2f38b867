// What a leader concludes from who has flushed how much: the high watermark, the last stable offset, and whether there are enough
// in-sync replicas to acknowledge (KIP-966, docs/replication.md). Pure. Who is in sync is decided elsewhere and arrives with
// the metadata; leader.ts keeps the numbers.

/** One partition as its leader sees it; the whole value is replaced when metadata changes. */
export type PartitionState = {
  /** The leader itself. */
  readonly brokerId: number
  readonly leaderEpoch: number
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

/** Whether the leader may take records that must be replicated (acks=all), and may move the high watermark. */
export function hasEnoughReplicas(state: PartitionState): boolean {
  return state.isr.length >= effectiveMinInsyncReplicas(state)
}

/**
 * The next high watermark (exclusive): the smallest flushed end offset of the in-sync replicas. It never moves back, and not while
 * fewer than the minimum are in sync. `acknowledged` has the flushed end offset of each follower by broker id; one that is in sync and
 * has not been heard of yet holds everything up.
 */
export function nextHighWatermark(
  state: PartitionState,
  current: number,
  flushedOffset: number,
  acknowledged: ReadonlyMap<number, number>,
): number {
  if (!hasEnoughReplicas(state)) return current
  let lowest = flushedOffset
  for (const brokerId of state.isr) {
    if (brokerId === state.brokerId) continue
    const endOffset = acknowledged.get(brokerId)
    if (endOffset === undefined) return current
    if (endOffset < lowest) lowest = endOffset
  }
  return lowest > current ? lowest : current
}

/**
 * Exclusive: what read_committed consumers may see. `firstUnstableOffset` is where the oldest transaction begins whose end is not below the high
 * watermark, -1 when there is none; when its beginning was deleted, the log start takes its place.
 */
export function lastStableOffset(highWatermark: number, firstUnstableOffset: number, logStartOffset: number): number {
  if (firstUnstableOffset < 0 || firstUnstableOffset >= highWatermark) return highWatermark
  return Math.max(firstUnstableOffset, logStartOffset)
}
