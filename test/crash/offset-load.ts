// Clients that commit offsets, speaking the protocol by hand, and note what was acknowledged: outside of a group's membership, as the one
// member of a group, and in transactions. Beside them the reader that checks what is left.
import { equal, ok } from 'node:assert/strict'
import { tcpTransport, type Address } from '../../broker/base/transport.ts'
import { BrokerConnection, ConnectionLost } from '../../broker/client/connection.ts'
import { ErrorCode } from '../../broker/protocol/errors.ts'
import { AddOffsetsToTxn } from '../../broker/protocol/messages/add-offsets-to-txn.ts'
import { DeleteGroups } from '../../broker/protocol/messages/delete-groups.ts'
import { EndTxn } from '../../broker/protocol/messages/end-txn.ts'
import { Heartbeat } from '../../broker/protocol/messages/heartbeat.ts'
import { InitProducerId } from '../../broker/protocol/messages/init-producer-id.ts'
import { JoinGroup } from '../../broker/protocol/messages/join-group.ts'
import { LeaveGroup } from '../../broker/protocol/messages/leave-group.ts'
import { OffsetCommit } from '../../broker/protocol/messages/offset-commit.ts'
import { OffsetDelete } from '../../broker/protocol/messages/offset-delete.ts'
import { OffsetFetch } from '../../broker/protocol/messages/offset-fetch.ts'
import { SyncGroup } from '../../broker/protocol/messages/sync-group.ts'
import { TxnOffsetCommit } from '../../broker/protocol/messages/txn-offset-commit.ts'
import { OffsetHistory, type Offsets } from './offset-history.ts'

export type OffsetLoadOptions = {
  readonly groupId: string
  readonly topic: string
  readonly partitions: number
  /** A seeded source of numbers in [0, 1). */
  readonly next: () => number
}

const IN_FLIGHT = 5
const METADATA_BYTES = 1000
/** Who is told that the coordinator loads, or is busy with the last transaction, asks again after this. */
const PAUSE_MS = 5
const PATIENCE_MS = 60_000
const RETRIED = new Set<number>([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.UNSTABLE_OFFSET_COMMIT,
])

export abstract class OffsetLoad {
  readonly groupId: string
  readonly history: OffsetHistory
  acknowledged = 0
  protected readonly topic: string
  protected readonly partitions: number
  protected readonly next: () => number
  #lastOffset = 0

  constructor({ groupId, topic, partitions, next }: OffsetLoadOptions) {
    this.groupId = groupId
    this.history = new OffsetHistory(groupId)
    this.topic = topic
    this.partitions = partitions
    this.next = next
  }

  /** Changes offsets until the connection is lost; `onAcknowledged` is called after each answer. */
  async runUntilLost(address: Address, onAcknowledged: () => void): Promise<void> {
    try {
      const connection = await BrokerConnection.open(tcpTransport, address, this.groupId)
      try {
        await this.run(connection, () => {
          this.acknowledged++
          onAcknowledged()
        })
      } finally {
        connection.close()
      }
    } catch (error) {
      if (!(error instanceof ConnectionLost) && !isRefused(error)) throw error
    }
  }

  /** What must be done after a crash before every change is there or not. */
  async settle(_connection: BrokerConnection): Promise<void> {}

  /** Ends by ConnectionLost. */
  protected abstract run(connection: BrokerConnection, onAcknowledged: () => void): Promise<void>

  /** New offsets for some partitions; no offset is used twice. */
  protected newOffsets(): Offsets {
    const offset = ++this.#lastOffset
    const offsets = new Map<number, number>()
    while (offsets.size === 0) {
      for (let partition = 0; partition < this.partitions; partition++) {
        if (this.next() < 0.5) offsets.set(partition, offset)
      }
    }
    return offsets
  }

  protected topicsOf(offsets: Offsets) {
    const partitions = [...offsets].map(([partitionIndex, committedOffset]) => ({
      partitionIndex,
      committedOffset,
      committedMetadata: metadataOf(this.groupId, partitionIndex, committedOffset),
    }))
    return [{ name: this.topic, partitions }]
  }

  protected async commit(connection: BrokerConnection, memberId = '', generation = -1): Promise<void> {
    const offsets = this.newOffsets()
    const acknowledge = this.history.sent({ kind: 'commit', offsets })
    const { topics } = await connection.request(OffsetCommit, 8, {
      groupId: this.groupId,
      memberId,
      generationIdOrMemberEpoch: generation,
      topics: this.topicsOf(offsets),
    })
    for (const { errorCode } of topics[0]!.partitions)
      equal(errorCode, ErrorCode.NONE, 'a healthy broker takes a commit')
    acknowledge()
  }

  protected async deleteGroup(connection: BrokerConnection): Promise<void> {
    const acknowledge = this.history.sent({ kind: 'delete-group' })
    const { results } = await connection.request(DeleteGroups, 2, { groupsNames: [this.groupId] })
    isDeleted(results[0]!.errorCode)
    acknowledge()
  }
}

/** Commits from outside, and deletes offsets and groups, several requests in flight. */
export class LonerLoad extends OffsetLoad {
  protected override async run(connection: BrokerConnection, onAcknowledged: () => void): Promise<void> {
    const changeOn = async (): Promise<never> => {
      for (;;) {
        const kind = this.next()
        if (kind < 0.85) await this.commit(connection)
        else if (kind < 0.95) await this.#deleteOffsets(connection)
        else await this.deleteGroup(connection)
        onAcknowledged()
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, changeOn))
  }

  async #deleteOffsets(connection: BrokerConnection): Promise<void> {
    const partitions = Array.from({ length: this.partitions }, (_, partition) => partition).filter(
      () => this.next() < 0.5,
    )
    const acknowledge = this.history.sent({ kind: 'delete', partitions })
    const { errorCode } = await connection.request(OffsetDelete, 0, {
      groupId: this.groupId,
      topics: [{ name: this.topic, partitions: partitions.map(partitionIndex => ({ partitionIndex })) }],
    })
    isDeleted(errorCode)
    acknowledge()
  }
}

/** Joins, commits as a member, leaves, deletes the group, and begins again. A membership that it was told of must outlive the broker. */
export class MemberLoad extends OffsetLoad {
  #memberId = ''
  /** Null while it is not known to be a member. */
  #generation: number | null = null

  protected override async run(connection: BrokerConnection, onAcknowledged: () => void): Promise<void> {
    for (;;) {
      if (this.#generation === null) await this.#join(connection)
      else await this.#showItself(connection)
      const generation = this.#generation!
      const commitOn = async (): Promise<void> => {
        for (let left = 1 + Math.floor(this.next() * 20); left > 0; left--) {
          await this.commit(connection, this.#memberId, generation)
          onAcknowledged()
        }
      }
      await Promise.all(Array.from({ length: IN_FLIGHT }, commitOn))
      if (this.next() < 0.5) continue
      await this.#leave(connection)
      onAcknowledged()
      if (this.next() < 0.5) await this.deleteGroup(connection)
    }
  }

  async #join(connection: BrokerConnection): Promise<void> {
    const { groupId } = this
    const protocols = [{ name: 'range', metadata: Buffer.from('of a protocol of its own') }]
    const timeouts = { sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000 }
    for (;;) {
      const { errorCode, memberId, generationId } = await retried(() => {
        const request = { groupId, memberId: this.#memberId, protocolType: 'test', protocols, ...timeouts }
        return connection.request(JoinGroup, 5, request)
      })
      if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = ''
      else this.#memberId = memberId
      if (errorCode !== ErrorCode.NONE) continue
      const assignments = [{ memberId, assignment: Buffer.from('everything') }]
      const synced = await connection.request(SyncGroup, 3, { groupId, memberId, generationId, assignments })
      equal(synced.errorCode, ErrorCode.NONE, 'the leader assigns')
      this.#generation = generationId
      return
    }
  }

  async #showItself(connection: BrokerConnection): Promise<void> {
    const request = { groupId: this.groupId, memberId: this.#memberId, generationId: this.#generation! }
    const { errorCode } = await retried(() => connection.request(Heartbeat, 4, request))
    equal(errorCode, ErrorCode.NONE, `generation ${this.#generation} of ${this.groupId} was assigned and is lost`)
  }

  async #leave(connection: BrokerConnection): Promise<void> {
    this.#generation = null
    const { members } = await connection.request(LeaveGroup, 4, {
      groupId: this.groupId,
      members: [{ memberId: this.#memberId }],
    })
    equal(members[0]!.errorCode, ErrorCode.NONE, 'a member may leave')
  }
}

/** Commits in transactions, one after the other, and aborts some of them. */
export class TransactionalLoad extends OffsetLoad {
  /** As clients before transaction.version 2: the group is added by a request, and the epoch stays from one transaction to the next. */
  readonly #isOld: boolean

  constructor(options: OffsetLoadOptions, isOld: boolean) {
    super(options)
    this.#isOld = isOld
  }

  /** What the last life has left open is committed or aborted. */
  override async settle(connection: BrokerConnection): Promise<void> {
    await this.#start(connection)
  }

  protected override async run(connection: BrokerConnection, onAcknowledged: () => void): Promise<void> {
    let producer = await this.#start(connection)
    for (;;) {
      producer = await this.#transaction(connection, producer)
      onAcknowledged()
    }
  }

  async #start(connection: BrokerConnection): Promise<Producer> {
    const request = { transactionalId: this.groupId, transactionTimeoutMs: 60_000 }
    const answer = await retried(() => connection.request(InitProducerId, 5, request))
    equal(answer.errorCode, ErrorCode.NONE, 'a producer may start')
    return answer
  }

  async #transaction(connection: BrokerConnection, producer: Producer): Promise<Producer> {
    const { groupId } = this
    const { producerId, producerEpoch } = producer
    const of = { transactionalId: groupId, producerId, producerEpoch }
    if (this.#isOld) {
      const added = await retried(() => connection.request(AddOffsetsToTxn, 3, { ...of, groupId }))
      equal(added.errorCode, ErrorCode.NONE, 'a group may join a transaction')
    }
    const offsets = this.newOffsets()
    const committing = { ...of, groupId, memberId: '', topics: this.topicsOf(offsets) }
    const pending = await retried(async () => {
      const { topics } = await connection.request(TxnOffsetCommit, this.#isOld ? 3 : 5, committing)
      return { errorCode: topics[0]!.partitions.find(partition => partition.errorCode !== 0)?.errorCode ?? 0 }
    })
    equal(pending.errorCode, ErrorCode.NONE, 'a healthy broker takes offsets of a transaction')
    const committed = this.next() < 0.75
    const acknowledge = committed ? this.history.sent({ kind: 'commit', offsets }) : null
    const ended = await retried(() => connection.request(EndTxn, this.#isOld ? 3 : 5, { ...of, committed }))
    equal(ended.errorCode, ErrorCode.NONE, 'a transaction may end')
    acknowledge?.()
    return this.#isOld ? producer : ended
  }
}

type Producer = { readonly producerId: number; readonly producerEpoch: number }

/** The group's committed offsets, once the coordinator says that they are stable. Fails when one of them is not as it was sent. */
export async function fetchOffsets(connection: BrokerConnection, groupId: string): Promise<Offsets> {
  const fetched = await retried(async () => {
    const { groups } = await connection.request(OffsetFetch, 8, {
      groups: [{ groupId, topics: null }],
      requireStable: true,
    })
    const { errorCode, topics } = groups[0]!
    const partitions = topics.flatMap(topic => topic.partitions)
    if (errorCode !== ErrorCode.NONE) equal(partitions.length, 0, 'a coordinator that cannot answer tells no offsets')
    const unstable = partitions.find(partition => partition.errorCode !== ErrorCode.NONE)
    return { errorCode: errorCode || (unstable?.errorCode ?? 0), partitions }
  })
  equal(fetched.errorCode, ErrorCode.NONE, 'offsets can be read')
  const offsets = new Map<number, number>()
  for (const { partitionIndex, committedOffset, metadata } of fetched.partitions) {
    equal(metadata, metadataOf(groupId, partitionIndex, committedOffset), 'an offset has the metadata it was sent with')
    offsets.set(partitionIndex, committedOffset)
  }
  return offsets
}

/** Long, so that the log grows and is compacted. */
function metadataOf(groupId: string, partition: number, offset: number): string {
  return `${groupId}/${partition}/${offset}`.padEnd(METADATA_BYTES, '.')
}

/** Nothing may be there to delete. */
function isDeleted(errorCode: number): void {
  ok(errorCode === ErrorCode.NONE || errorCode === ErrorCode.GROUP_ID_NOT_FOUND, `error ${errorCode} of a deletion`)
}

async function retried<T extends { readonly errorCode: number }>(ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = await ask()
    if (!RETRIED.has(answer.errorCode)) return answer
    ok(performance.now() < deadline, `error ${answer.errorCode} goes away`)
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET')
}
