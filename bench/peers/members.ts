// Members of classic groups that speak the protocol by hand, each on a connection of its own, as clients are: thousands of them in one
// process, which no client library manages. They subscribe as consumers do, and the leader gives every member one partition.
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { ErrorCode } from '../../broker/protocol/errors.ts'
import { Heartbeat } from '../../broker/protocol/messages/heartbeat.ts'
import { JoinGroup } from '../../broker/protocol/messages/join-group.ts'
import { LeaveGroup } from '../../broker/protocol/messages/leave-group.ts'
import { SyncGroup } from '../../broker/protocol/messages/sync-group.ts'

type Target = { readonly host: string; readonly port: number }

/** Connections that are opened at the same time: a server's backlog is not endless. */
const OPENING = 200
const ASSIGNORS = ['range', 'cooperative-sticky']

export class RawMember {
  readonly groupId: string
  readonly connection: BrokerConnection
  readonly #metadata: Buffer
  memberId = ''
  generationId = -1
  isLeader = false

  private constructor(connection: BrokerConnection, groupId: string, metadata: Buffer) {
    this.connection = connection
    this.groupId = groupId
    this.#metadata = metadata
  }

  static async open(target: Target, groupId: string, topics: readonly string[]): Promise<RawMember> {
    const { host, port } = target
    const connection = await BrokerConnection.open(tcpTransport, { host, port }, 'member')
    return new RawMember(connection, groupId, subscriptionTo(topics))
  }

  static async openMany(
    target: Target,
    groupIds: readonly string[],
    topics: readonly string[],
  ): Promise<readonly RawMember[]> {
    const members: RawMember[] = []
    for (let from = 0; from < groupIds.length; from += OPENING) {
      const some = groupIds.slice(from, from + OPENING)
      members.push(...(await Promise.all(some.map(groupId => RawMember.open(target, groupId, topics)))))
    }
    return members
  }

  /** Joins and asks for its assignment, again whenever the group goes on to another generation; resolves when it has one. */
  async enter(): Promise<void> {
    while (!(await this.#joinAndSync())) if (this.connection.isLost) throw new Error('a member lost its connection')
  }

  /** Sends heartbeats, one after the other, until the group wants its members to join again. */
  async untilRebalance(): Promise<void> {
    const { groupId, memberId, generationId } = this
    for (;;) {
      const { errorCode } = await this.connection.request(Heartbeat, 4, { groupId, memberId, generationId })
      if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return
      if (errorCode !== ErrorCode.NONE) throw new Error(`a heartbeat was answered with ${errorCode}`)
    }
  }

  async leave(): Promise<void> {
    const { groupId, memberId } = this
    await this.connection.request(LeaveGroup, 5, { groupId, members: [{ memberId }] })
    this.memberId = ''
  }

  /** The error of a JoinGroup, asking for a member id first where it has none. */
  async join(): Promise<{ readonly errorCode: number; readonly memberIds: readonly string[] }> {
    const { groupId, memberId } = this
    const answer = await this.connection.request(JoinGroup, 9, {
      groupId,
      memberId,
      sessionTimeoutMs: 300_000,
      rebalanceTimeoutMs: 300_000,
      protocolType: 'consumer',
      protocols: ASSIGNORS.map(name => ({ name, metadata: this.#metadata })),
    })
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = answer.memberId
      return this.join()
    }
    this.generationId = answer.generationId
    this.isLeader = answer.leader === this.memberId
    return { errorCode: answer.errorCode, memberIds: answer.members.map(member => member.memberId) }
  }

  async #joinAndSync(): Promise<boolean> {
    const { errorCode, memberIds } = await this.join()
    if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return false
    if (errorCode !== ErrorCode.NONE) throw new Error(`a member may not join: ${errorCode}`)
    const { groupId, memberId, generationId } = this
    const synced = await this.connection.request(SyncGroup, 5, {
      groupId,
      generationId,
      memberId,
      protocolType: 'consumer',
      protocolName: ASSIGNORS[0]!,
      assignments: memberIds.map((id, partition) => ({ memberId: id, assignment: assignmentOf(partition) })),
    })
    if (synced.errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return false
    if (synced.errorCode !== ErrorCode.NONE) throw new Error(`a member gets no assignment: ${synced.errorCode}`)
    return true
  }
}

/** ConsumerProtocolSubscription v1: topics, no user data, no owned partitions. */
function subscriptionTo(topics: readonly string[]): Buffer {
  const head = Buffer.alloc(6)
  head.writeInt16BE(1, 0)
  head.writeInt32BE(topics.length, 2)
  const tail = Buffer.alloc(8)
  tail.writeInt32BE(-1, 0)
  return Buffer.concat([head, ...topics.map(text), tail])
}

/** ConsumerProtocolAssignment v1: one partition of one topic. */
function assignmentOf(partition: number): Buffer {
  const head = Buffer.from([0, 1, 0, 0, 0, 1])
  const tail = Buffer.alloc(12)
  tail.writeInt32BE(1, 0)
  tail.writeInt32BE(partition, 4)
  tail.writeInt32BE(-1, 8)
  return Buffer.concat([head, text('orders.created'), tail])
}

function text(value: string): Buffer {
  const length = Buffer.alloc(2)
  length.writeInt16BE(Buffer.byteLength(value))
  return Buffer.concat([length, Buffer.from(value)])
}
