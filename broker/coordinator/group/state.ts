// What a coordinator knows of the groups of one partition. A group is a picture of its members that changes in place while they come and
// go; as in Kafka only two moments of it are kept in the log, a generation with its assignment and becoming empty, so between
// them whoever loads the log finds the last generation and its members join again. Offsets stand beside the groups. Plain data; what
// happens to it is in the files beside this one.

/** Kafka's names, as DescribeGroups and ListGroups show them. A group that is deleted is gone rather than "Dead". */
export type Phase = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

export type Protocol = { readonly name: string; readonly metadata: Buffer }

export type Member = {
  memberId: string
  /** Of a static member (KIP-345): stays the same over its restarts. */
  readonly groupInstanceId: string | null
  clientId: string
  clientHost: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  /** In the order of the member's preference. */
  protocols: readonly Protocol[]
  assignment: Buffer
  /** The requests that wait for the group; NOBODY when none does. */
  joinTicket: number
  syncTicket: number
  /** Has never been answered: it cannot send heartbeats, as it does not know its id. */
  isNew: boolean
}

/** Room for groups of other kinds (KIP-848, KIP-932), which share their ids with these. */
export type Group = ClassicGroup

export type ClassicGroup = {
  readonly type: 'classic'
  readonly groupId: string
  phase: Phase
  previousPhase: Phase
  /** When the phase changed last, ms since the epoch; -1 when the log does not say. */
  phaseSinceMs: number
  generation: number
  /** Null for a group that only stores offsets. */
  protocolType: string | null
  protocol: string | null
  leaderId: string | null
  /** Of these five, those of a group that has never had a member are shared and cannot be added to: `makeRoom` in members.ts. */
  members: Map<string, Member>
  /** Instance id -> member id. */
  staticMembers: Map<string, string>
  /** Ids that were given out and have not joined yet (KIP-394). */
  pendingMembers: Set<string>
  /** Members of this generation that have not asked for their assignment yet. */
  unsynced: Set<string>
  /** Protocol name -> how many members support it. */
  supporters: Map<string, number>
  joining: number
  /** Somebody joined since the first rebalance of an empty group began: it may wait a little longer. */
  hasNewMember: boolean
  /** Null when the group does not say, or not in words that are known. */
  subscribedTopics: ReadonlySet<string> | null
  /** Bytes of metadata and assignments of all members. */
  sizeBytes: number
}

export type CommittedOffset = {
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** When it was committed with a time of its own (OffsetCommit before v5); -1 otherwise. */
  readonly expireTimestampMs: number
  /** Grows from record to record, so that a transaction does not overwrite what was committed after it. */
  readonly order: number
}

/** Topic -> partition -> offset. */
export type TopicOffsets = Map<string, Map<number, CommittedOffset>>

export type GroupsState = {
  readonly groups: Map<string, Group>
  readonly offsets: Map<string, TopicOffsets>
  /** Producer id -> group -> offsets of its open transaction. A group stays until the end, also when its offsets were deleted. */
  readonly pendingOffsets: Map<number, Map<string, TopicOffsets>>
  /** Group -> producers with an open transaction that holds offsets of it. */
  readonly openTransactions: Map<string, Set<number>>
  /** The order of the last record. */
  order: number
}

export const NOBODY = 0
export const NO_GENERATION = -1

/** The protocol type of consumers, whose metadata is a subscription that the coordinator can read. */
export const CONSUMER_PROTOCOL_TYPE = 'consumer'

export const NO_BYTES: Buffer = Buffer.alloc(0)

/** Most groups only store offsets; collections of their own would be two thirds of what they take in memory. */
class EmptyMap<V> extends Map<string, V> {
  override set(): never {
    throw new Error('nobody may be added to what groups share')
  }
}

class EmptySet extends Set<string> {
  override add(): never {
    throw new Error('nobody may be added to what groups share')
  }
}

export const NO_MEMBERS: Map<string, Member> = new EmptyMap<Member>()
const NO_STATIC_MEMBERS = new EmptyMap<string>()
const NO_SUPPORTERS = new EmptyMap<number>()
const NO_IDS = new EmptySet()

export function newGroupsState(): GroupsState {
  return {
    groups: new Map(),
    offsets: new Map(),
    pendingOffsets: new Map(),
    openTransactions: new Map(),
    order: 0,
  }
}

export function newGroup(groupId: string, nowMs: number): ClassicGroup {
  return {
    type: 'classic',
    groupId,
    phase: 'Empty',
    previousPhase: 'Empty',
    phaseSinceMs: nowMs,
    generation: 0,
    protocolType: null,
    protocol: null,
    leaderId: null,
    members: NO_MEMBERS,
    staticMembers: NO_STATIC_MEMBERS,
    pendingMembers: NO_IDS,
    unsynced: NO_IDS,
    supporters: NO_SUPPORTERS,
    joining: 0,
    hasNewMember: false,
    subscribedTopics: null,
    sizeBytes: 0,
  }
}
