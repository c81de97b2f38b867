// Groups without a broker: the decisions on a state, a clock that a test moves, and what they said written down. Records go through their
// bytes, so `reload` gives what a coordinator finds that reads the log after a crash.
import type {
  Deadline,
  Decision,
  GroupSettings,
  JoinAnswer,
  SyncAnswer,
} from '../../../../broker/coordinator/group/decision.ts'
import { join, type JoinRequest } from '../../../../broker/coordinator/group/join.ts'
import {
  expire,
  heartbeat,
  leave,
  resume,
  type LeavingMember,
} from '../../../../broker/coordinator/group/membership.ts'
import { groupCodec, type GroupRecord } from '../../../../broker/coordinator/group/record.ts'
import { replay } from '../../../../broker/coordinator/group/replay.ts'
import { newGroupsState, type ClassicGroup, type GroupsState } from '../../../../broker/coordinator/group/state.ts'
import { sync } from '../../../../broker/coordinator/group/sync.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import type { StoredRecord } from '../../../../broker/replication/replicated-journal.ts'

export const GROUP = 'group'

export const SETTINGS: GroupSettings = {
  initialRebalanceDelayMs: 3000,
  minSessionTimeoutMs: 6000,
  maxSessionTimeoutMs: 1_800_000,
  maxSize: 1_000_000,
  offsetMetadataMaxBytes: 4096,
  offsetsRetentionMs: 604_800_000,
  maxGroups: 1_000_000,
  maxGroupBytes: 1_000_000,
}

type Waiting = { readonly key: string; atMs: number; readonly deadline: Deadline }

export class GroupWorld {
  readonly settings: GroupSettings
  state: GroupsState = newGroupsState()
  readonly log: StoredRecord[] = []
  readonly joins = new Map<number, JoinAnswer>()
  readonly syncs = new Map<number, SyncAnswer>()
  readonly deadlines = new Map<string, Waiting>()
  nowMs = 1_700_000_000_000
  #lastTicket = 0
  #lastId = 0

  constructor(settings: Partial<GroupSettings> = {}) {
    this.settings = { ...SETTINGS, ...settings }
  }

  readonly decision: Decision = ((world: GroupWorld): Decision => ({
    get nowMs() {
      return world.nowMs
    },
    get settings() {
      return world.settings
    },
    emit: record => world.#emit(record),
    newMemberId: prefix => `${prefix}-${++world.#lastId}`,
    answerJoin: (ticket, answer) => void world.joins.set(ticket, answer),
    answerSync: (ticket, answer) => void world.syncs.set(ticket, answer),
    setDeadline: (key, delayMs, deadline) =>
      void world.deadlines.set(key, { key, atMs: world.nowMs + delayMs, deadline }),
    cancelDeadline: key => void world.deadlines.delete(key),
  }))(this)

  #emit(record: GroupRecord): void {
    replay(this.state, record)
    this.log.push(groupCodec.encode(record))
  }

  /** What a coordinator has that reads the log. */
  reload(): void {
    this.state = newGroupsState()
    this.deadlines.clear()
    for (const stored of this.log) {
      const record =
        'marker' in stored
          ? groupCodec.decodeMarker(stored.marker)
          : groupCodec.decode(stored.key, stored.value, stored.transaction ?? null)
      if (record !== null) replay(this.state, record)
    }
    resume(this.state, this.decision)
  }

  /** Moves the time on; deadlines come in their order. */
  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs
    for (;;) {
      const due = [...this.deadlines.values()].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.deadlines.delete(due.key)
      this.nowMs = Math.max(this.nowMs, due.atMs)
      this.expire(due.deadline)
    }
    this.nowMs = untilMs
  }

  /** A deadline comes; `advance` is for those that are due. */
  expire(deadline: Deadline): void {
    expire(this.state, deadline, this.decision)
  }

  group(groupId = GROUP): ClassicGroup {
    const group = this.state.groups.get(groupId)
    if (group === undefined) throw new Error(`there is no group ${groupId}`)
    return group
  }

  /** A request of a client of the newest version; returns its ticket. */
  join(request: Partial<JoinRequest> = {}): number {
    const ticket = ++this.#lastTicket
    join(this.state, { ...JOIN, ...request }, ticket, this.decision)
    return ticket
  }

  /** Asks for an id first, as clients do. */
  joinWithId(request: Partial<JoinRequest> = {}): { readonly ticket: number; readonly memberId: string } {
    const { memberId, errorCode } = this.joins.get(this.join(request))!
    if (errorCode !== ErrorCode.MEMBER_ID_REQUIRED) throw new Error(`no member id: ${errorCode}`)
    return { ticket: this.join({ ...request, memberId }), memberId }
  }

  sync(
    memberId: string,
    assignments: Readonly<Record<string, string>> = {},
    more: Partial<SyncRequestOf> = {},
  ): number {
    const ticket = ++this.#lastTicket
    const request = {
      groupId: GROUP,
      generationId: this.state.groups.get(GROUP)?.generation ?? -1,
      memberId,
      groupInstanceId: null,
      protocolType: null,
      protocolName: null,
      assignments: Object.entries(assignments).map(([id, text]) => ({ memberId: id, assignment: Buffer.from(text) })),
      ...more,
    }
    sync(this.state, request, ticket, this.decision)
    return ticket
  }

  heartbeat(
    memberId: string,
    generationId = this.group().generation,
    groupInstanceId: string | null = null,
  ): ErrorCode {
    return heartbeat(this.state, { groupId: GROUP, memberId, generationId, groupInstanceId }, this.decision)
  }

  leave(...members: (string | LeavingMember)[]): ErrorCode[] {
    const leaving = members.map(member =>
      typeof member === 'string' ? { memberId: member, groupInstanceId: null } : member,
    )
    return leave(this.state, GROUP, leaving, this.decision)
  }

  /** A group of so many dynamic members in its first generation, each with an assignment of its own name; the first one leads. */
  stable(count: number, request: Partial<JoinRequest> = {}): string[] {
    const members = Array.from({ length: count }, () => this.joinWithId(request).memberId)
    this.advance(this.settings.initialRebalanceDelayMs * (count + 1))
    for (const memberId of members.slice(1)) this.sync(memberId)
    this.sync(members[0]!, Object.fromEntries(members.map(memberId => [memberId, `for ${memberId}`])))
    return members
  }
}

type SyncRequestOf = Parameters<typeof sync>[1]

/** As ConsumerProtocolSubscription v0 has it. */
export function subscription(...topics: string[]): Buffer {
  const parts = topics.flatMap(topic => {
    const length = Buffer.alloc(2)
    length.writeInt16BE(Buffer.byteLength(topic))
    return [length, Buffer.from(topic)]
  })
  const head = Buffer.alloc(6)
  head.writeInt32BE(topics.length, 2)
  return Buffer.concat([head, ...parts, Buffer.alloc(4, 0xff)])
}

export const JOIN: JoinRequest = {
  groupId: GROUP,
  memberId: '',
  groupInstanceId: null,
  clientId: 'client',
  clientHost: '/127.0.0.1',
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 60_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: subscription('orders') }],
  knowsMemberIdRequired: true,
  knowsSkipAssignment: true,
}
