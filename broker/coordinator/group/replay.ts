// Applies records to the groups of a partition: the same for what was decided a moment ago and for what the log had. Pure.
import type { TransactionOf } from '../../replication/replicated-journal.ts'
import type { GroupRecord } from './record.ts'
import { newGroup, type CommittedOffset, type GroupsState, type TopicOffsets } from './state.ts'

export function replay(state: GroupsState, record: GroupRecord): void {
  state.order++
  switch (record.kind) {
    case 'group-written':
      state.groups.set(record.group.groupId, record.group)
      return
    case 'group-deleted':
      state.groups.delete(record.groupId)
      return
    case 'offset-committed': {
      const { groupId, topic, partition, committed, transaction } = record
      // Who only stores offsets has a group too: an empty one without a protocol.
      if (!state.groups.has(groupId)) state.groups.set(groupId, newGroup(groupId, committed.commitTimestampMs))
      const offsets = transaction === null ? offsetsOf(state.offsets, groupId) : pendingOf(state, transaction, groupId)
      setOffset(offsets, topic, partition, { ...committed, order: state.order })
      return
    }
    case 'offset-deleted':
      removeOffset(state.offsets.get(record.groupId), record.topic, record.partition)
      if (state.offsets.get(record.groupId)?.size === 0) state.offsets.delete(record.groupId)
      for (const producerId of state.openTransactions.get(record.groupId) ?? []) {
        removeOffset(state.pendingOffsets.get(producerId)?.get(record.groupId), record.topic, record.partition)
      }
      return
    case 'transaction-ended':
      endTransaction(state, record.producerId, record.result === 'commit')
      return
    default:
      record satisfies never
  }
}

function endTransaction(state: GroupsState, producerId: number, isCommitted: boolean): void {
  const pending = state.pendingOffsets.get(producerId)
  if (pending === undefined) return
  state.pendingOffsets.delete(producerId)
  for (const groupId of pending.keys()) {
    const open = state.openTransactions.get(groupId)
    open?.delete(producerId)
    if (open?.size === 0) state.openTransactions.delete(groupId)
  }
  if (!isCommitted) return
  for (const [groupId, topics] of pending) {
    for (const [topic, partitions] of topics) {
      for (const [partition, committed] of partitions) {
        const offsets = offsetsOf(state.offsets, groupId)
        const current = offsets.get(topic)?.get(partition)
        // What was committed outside of the transaction after it counts: it is the later one in the log.
        if (current === undefined || committed.order > current.order) setOffset(offsets, topic, partition, committed)
      }
    }
  }
}

function pendingOf(state: GroupsState, { producerId }: TransactionOf, groupId: string): TopicOffsets {
  let groups = state.pendingOffsets.get(producerId)
  if (groups === undefined) state.pendingOffsets.set(producerId, (groups = new Map()))
  const open = state.openTransactions.get(groupId)
  if (open === undefined) state.openTransactions.set(groupId, new Set([producerId]))
  else open.add(producerId)
  return offsetsOf(groups, groupId)
}

function offsetsOf(groups: Map<string, TopicOffsets>, groupId: string): TopicOffsets {
  let offsets = groups.get(groupId)
  if (offsets === undefined) groups.set(groupId, (offsets = new Map()))
  return offsets
}

function setOffset(offsets: TopicOffsets, topic: string, partition: number, committed: CommittedOffset): void {
  const partitions = offsets.get(topic)
  if (partitions === undefined) offsets.set(topic, new Map([[partition, committed]]))
  else partitions.set(partition, committed)
}

function removeOffset(offsets: TopicOffsets | undefined, topic: string, partition: number): void {
  const partitions = offsets?.get(topic)
  if (offsets === undefined || partitions?.delete(partition) !== true) return
  if (partitions.size === 0) offsets.delete(topic)
}
