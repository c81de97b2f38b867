// What a decision about groups may use and say. Beside its records it answers requests that waited (a JoinGroup until all members have
// joined, a SyncGroup until the leader has assigned) and sets deadlines. All of it is handed over as calls, so a decision stays
// a pure function of the state, the request and this: group-shard.ts acts on it, a test writes it down.
import type { ErrorCode } from '../../protocol/errors.ts'
import type { GroupRecord } from './record.ts'
import { NO_BYTES, NO_GENERATION } from './state.ts'

export type GroupSettings = {
  readonly initialRebalanceDelayMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  /** Members of a group. */
  readonly maxSize: number
  readonly offsetMetadataMaxBytes: number
  readonly offsetsRetentionMs: number
  /** Groups of one partition. */
  readonly maxGroups: number
  /** Bytes of metadata and assignments of the members of one group: it must fit into one batch of the log. */
  readonly maxGroupBytes: number
}

export type Deadline =
  /** A member has not been heard of, or an id that was given out has not joined. */
  | { readonly kind: 'session'; readonly groupId: string; readonly memberId: string }
  /** The first rebalance of an empty group has waited for more members. */
  | { readonly kind: 'initial-join'; readonly groupId: string; readonly delayMs: number; readonly remainingMs: number }
  /** The members have had their time to join again. */
  | { readonly kind: 'join'; readonly groupId: string }
  /** The members of a generation have had their time to ask for their assignment. */
  | { readonly kind: 'sync'; readonly groupId: string; readonly generation: number }

export type JoinAnswer = {
  readonly errorCode: ErrorCode
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly metadata: Buffer
  }[]
}

export type SyncAnswer = {
  readonly errorCode: ErrorCode
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

export type Decision = {
  /** Milliseconds since the epoch. */
  readonly nowMs: number
  readonly settings: GroupSettings
  emit(record: GroupRecord): void
  /** A fresh member id that begins so. */
  newMemberId(prefix: string): string
  answerJoin(ticket: number, answer: JoinAnswer): void
  answerSync(ticket: number, answer: SyncAnswer): void
  /** In place of the deadline that the key stood for. */
  setDeadline(key: string, delayMs: number, deadline: Deadline): void
  cancelDeadline(key: string): void
}

/** New members cannot send heartbeats; they have this long until they are given up (GroupMetadataManager's constant). */
export const NEW_MEMBER_TIMEOUT_MS = 300_000

export function sessionKey(groupId: string, memberId: string): string {
  return `session ${groupId.length} ${groupId} ${memberId}`
}

/** One key for both kinds of join deadlines: a group has one of them at a time. */
export function joinKey(groupId: string): string {
  return `join ${groupId}`
}

export function syncKey(groupId: string): string {
  return `sync ${groupId}`
}

export function failedJoin(errorCode: ErrorCode, memberId: string): JoinAnswer {
  return {
    errorCode,
    memberId,
    generationId: NO_GENERATION,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  }
}

export function failedSync(errorCode: ErrorCode): SyncAnswer {
  return { errorCode, protocolType: null, protocolName: null, assignment: NO_BYTES }
}
