// The records of `__consumer_offsets`, and how each is kept: keys and values as Kafka writes them (GroupCoordinatorRecordHelpers), so that
// tools that read the topic understand them. Keys of kinds that this broker does not know (of other group types) are passed over.
import { decodeKey, decodeValue, encodeKey, encodeValue, typeOfKey } from '../../protocol/record-format.ts'
import { GroupMetadataKey, GroupMetadataValue } from '../../protocol/records/group-metadata.ts'
import {
  LegacyOffsetCommitKey,
  LegacyOffsetCommitValue,
  OffsetCommitKey,
  OffsetCommitValue,
} from '../../protocol/records/offset-commit.ts'
import type { Value } from '../../protocol/schema.ts'
import type { EndTransactionMarker } from '../../records/control.ts'
import type { RecordCodec, StoredRecord, TransactionOf } from '../../replication/replicated-journal.ts'
import { addMember, metadataOf, moveTo, topicsOf } from './members.ts'
import { newGroup, NOBODY, type ClassicGroup, type CommittedOffset, type Member } from './state.ts'

type OfPartition = { readonly groupId: string; readonly topic: string; readonly partition: number }

export type GroupRecord =
  /** The group as it is: replay puts it in its place, and the log gets a picture of it. */
  | { readonly kind: 'group-written'; readonly group: ClassicGroup }
  | { readonly kind: 'group-deleted'; readonly groupId: string }
  | (OfPartition & {
      readonly kind: 'offset-committed'
      readonly committed: Omit<CommittedOffset, 'order'>
      /** Visible when this transaction is committed; null: at once. */
      readonly transaction: TransactionOf | null
    })
  | (OfPartition & { readonly kind: 'offset-deleted' })
  | (EndTransactionMarker & TransactionOf & { readonly kind: 'transaction-ended' })

// What Kafka 4 writes, and every reader of the topic knows. v4 only adds tags.
const GROUP_METADATA_VERSION = 3
const OFFSET_VERSION = 3
/** The version with a time of expiry. */
const EXPIRING_OFFSET_VERSION = 1

export const groupCodec: RecordCodec<GroupRecord> = {
  encode: encodeRecord,

  decode(key, value, transaction) {
    switch (typeOfKey(key)) {
      case GroupMetadataKey.type: {
        const { group } = decodeKey(GroupMetadataKey, key)
        if (value === null) return { kind: 'group-deleted', groupId: group }
        return { kind: 'group-written', group: groupOf(group, decodeValue(GroupMetadataValue, value)) }
      }
      case OffsetCommitKey.type:
      case LegacyOffsetCommitKey.type:
        return decodeOffset(key, value, transaction)
      default:
        return null
    }
  },

  decodeMarker: marker => ({ kind: 'transaction-ended', ...marker }),
}

function encodeRecord(record: GroupRecord): StoredRecord {
  switch (record.kind) {
    case 'group-written':
      return { key: encodeKey(GroupMetadataKey, { group: record.group.groupId }), value: pictureOf(record.group) }
    case 'group-deleted':
      return { key: encodeKey(GroupMetadataKey, { group: record.groupId }), value: null }
    case 'offset-committed':
      return { key: offsetKey(record), value: offsetValue(record.committed), transaction: record.transaction }
    case 'offset-deleted':
      return { key: offsetKey(record), value: null }
    case 'transaction-ended':
      return { marker: record }
    default:
      return record satisfies never
  }
}

function offsetKey({ groupId, topic, partition }: OfPartition): Buffer {
  return encodeKey(OffsetCommitKey, { group: groupId, topic, partition })
}

function offsetValue(committed: Omit<CommittedOffset, 'order'>): Buffer {
  const { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs } = committed
  const version = expireTimestampMs === -1 ? OFFSET_VERSION : EXPIRING_OFFSET_VERSION
  return encodeValue(OffsetCommitValue, version, {
    offset,
    leaderEpoch,
    metadata,
    commitTimestamp: commitTimestampMs,
    expireTimestamp: expireTimestampMs,
  })
}

function decodeOffset(key: Buffer, value: Buffer | null, transaction: TransactionOf | null): GroupRecord {
  const isLegacy = typeOfKey(key) === LegacyOffsetCommitKey.type
  const { group: groupId, topic, partition } = decodeKey(isLegacy ? LegacyOffsetCommitKey : OffsetCommitKey, key)
  if (value === null) return { kind: 'offset-deleted', groupId, topic, partition }
  const { leaderEpoch, expireTimestamp, ...stored } = isLegacy
    ? { ...decodeValue(LegacyOffsetCommitValue, value), leaderEpoch: -1, expireTimestamp: -1 }
    : decodeValue(OffsetCommitValue, value)
  const committed = {
    offset: stored.offset,
    leaderEpoch,
    metadata: stored.metadata,
    commitTimestampMs: stored.commitTimestamp,
    expireTimestampMs: expireTimestamp,
  }
  return { kind: 'offset-committed', groupId, topic, partition, committed, transaction }
}

function pictureOf(group: ClassicGroup): Buffer {
  const members: Value<(typeof GroupMetadataValue)['declaration']['response']>['members'][number][] = []
  for (const member of group.members.values()) {
    members.push({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: metadataOf(member, group.protocol),
      assignment: member.assignment,
    })
  }
  return encodeValue(GroupMetadataValue, GROUP_METADATA_VERSION, {
    protocolType: group.protocolType ?? '',
    generation: group.generation,
    protocol: group.protocol,
    leader: group.leaderId,
    currentStateTimestamp: group.phaseSinceMs,
    members,
  })
}

type Picture = Value<(typeof GroupMetadataValue)['declaration']['response']>

/** The group as it was when it was written; its members have to show that they are still there. */
function groupOf(groupId: string, picture: Picture): ClassicGroup {
  const group = newGroup(groupId, picture.currentStateTimestamp)
  for (const member of picture.members) addMember(group, memberOf(member, picture.protocol ?? ''), '')
  group.protocolType = picture.protocolType === '' ? null : picture.protocolType
  group.generation = picture.generation
  group.protocol = picture.protocol
  group.leaderId = picture.leader
  group.subscribedTopics = topicsOf(group)
  if (group.members.size > 0) moveTo(group, 'Stable', picture.currentStateTimestamp)
  return group
}

function memberOf(stored: Picture['members'][number], protocol: string): Member {
  return {
    memberId: stored.memberId,
    groupInstanceId: stored.groupInstanceId,
    clientId: stored.clientId,
    clientHost: stored.clientHost,
    rebalanceTimeoutMs: stored.rebalanceTimeout === -1 ? stored.sessionTimeout : stored.rebalanceTimeout,
    sessionTimeoutMs: stored.sessionTimeout,
    // A copy: the chunk that the log was read in would stay in memory for it.
    protocols: [{ name: protocol, metadata: Buffer.from(stored.subscription) }],
    assignment: Buffer.from(stored.assignment),
    joinTicket: NOBODY,
    syncTicket: NOBODY,
    isNew: false,
  }
}
