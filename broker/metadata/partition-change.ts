// Who leads a partition and who is in sync when brokers come, go and lose their disks: pure functions from a partition to its change.
// The rules are B5 and C2 of the replication protocol (docs/metadata.md): every election, also of the same broker, gives the
// partition a new leader epoch; a broker with a new disk is in no ISR, even as the last one. Not here: AlterPartition.
import type { MetadataImage, PartitionImage, TopicImage } from './image.ts'
import { NO_LEADER } from './image.ts'
import type { MetadataRecord, PartitionChange } from './records.ts'

/** The first replica in order of preference that is in `isr` and may lead, or NO_LEADER. */
export function electLeader(
  replicas: readonly number[],
  isr: readonly number[],
  mayLead: (brokerId: number) => boolean,
): number {
  return replicas.find(id => isr.includes(id) && mayLead(id)) ?? NO_LEADER
}

/** A broker that has just registered again; leadership and membership of its earlier life do not carry over. */
export type Return = {
  readonly brokerId: number
  readonly isFenced: boolean
  /** Its disk is not the one it had: nothing it ever acknowledged is there. */
  readonly hasLostDisk: boolean
  /** It did not stop cleanly, and lost what the topic's flush policy had not flushed. */
  readonly mayHaveLostTail: (topic: TopicImage) => boolean
}

export function changeOnReturn(
  partition: PartitionImage,
  topic: TopicImage,
  back: Return,
  isLive: (brokerId: number) => boolean,
): PartitionChange | null {
  const id = back.brokerId
  if (!partition.isr.includes(id)) return null
  const others = partition.isr.filter(member => member !== id)
  const leaves = back.hasLostDisk || (others.length > 0 && (back.isFenced || back.mayHaveLostTail(topic)))
  const isr = leaves ? others : partition.isr
  const mayLead = (member: number): boolean => (member === id ? !back.isFenced : isLive(member))
  if (partition.leader === id || partition.leader === NO_LEADER) {
    const leader = electLeader(partition.replicas, isr, mayLead)
    return leader === partition.leader && leader === NO_LEADER && !leaves ? null : elected(partition, leader, isr)
  }
  return leaves ? withIsr(partition, isr) : null
}

/** A broker that is not heard of any more: out of the ISR unless it is the last one in it, and leader of nothing. */
export function changeOnFencing(
  partition: PartitionImage,
  brokerId: number,
  isLive: (brokerId: number) => boolean,
): PartitionChange | null {
  if (!partition.isr.includes(brokerId)) return null
  const others = partition.isr.filter(member => member !== brokerId)
  const isr = others.length === 0 ? partition.isr : others
  if (partition.leader !== brokerId) return isr === partition.isr ? null : withIsr(partition, isr)
  const leader = electLeader(partition.replicas, isr, id => id !== brokerId && isLive(id))
  return elected(partition, leader, isr)
}

/** A broker that may lead again: it takes what nobody leads and it is in sync for. */
export function changeOnUnfencing(partition: PartitionImage, brokerId: number): PartitionChange | null {
  if (partition.leader !== NO_LEADER || !partition.isr.includes(brokerId)) return null
  return elected(partition, brokerId, partition.isr)
}

/** The change that makes `leader` the leader, in a new leader epoch. */
export function elected(partition: PartitionImage, leader: number, isr: readonly number[]): PartitionChange {
  return {
    ...withIsr(partition, isr),
    leader,
    leaderEpoch: partition.leaderEpoch + 1,
  }
}

function withIsr(partition: PartitionImage, isr: readonly number[]): PartitionChange {
  const change = { partition: partition.partition, partitionEpoch: partition.partitionEpoch + 1 }
  return isr === partition.isr ? change : { ...change, isr }
}

// A record for a topic of ten thousand partitions would be a megabyte; this keeps them small enough to read.
const CHANGES_PER_RECORD = 1000

/** Emits what `change` says of every partition of the cluster. */
export function changePartitions(
  image: MetadataImage,
  change: (partition: PartitionImage, topic: TopicImage) => PartitionChange | null,
  emit: (record: MetadataRecord) => void,
): void {
  for (const topic of image.topics.values()) {
    let changes: PartitionChange[] = []
    for (const partition of topic.partitions) {
      const changed = change(partition, topic)
      if (changed !== null) changes.push(changed)
      if (changes.length === CHANGES_PER_RECORD) {
        emit({ kind: 'partitions-changed', topicId: topic.topicId, changes })
        changes = []
      }
    }
    if (changes.length > 0) emit({ kind: 'partitions-changed', topicId: topic.topicId, changes })
  }
}
