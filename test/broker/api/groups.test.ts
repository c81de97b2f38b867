// The group APIs on a broker without sockets: versions, shapes, errors of the coordinator. What is decided is tested in
// test/broker/coordinator/group.
import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'vitest'
import { deleteGroups } from '../../../broker/api/delete-groups.ts'
import { describeGroups } from '../../../broker/api/describe-groups.ts'
import { findCoordinator } from '../../../broker/api/find-coordinator.ts'
import { heartbeat } from '../../../broker/api/heartbeat.ts'
import { joinGroup } from '../../../broker/api/join-group.ts'
import { leaveGroup } from '../../../broker/api/leave-group.ts'
import { listGroups } from '../../../broker/api/list-groups.ts'
import { offsetCommit } from '../../../broker/api/offset-commit.ts'
import { offsetDelete } from '../../../broker/api/offset-delete.ts'
import { offsetFetch } from '../../../broker/api/offset-fetch.ts'
import { syncGroup } from '../../../broker/api/sync-group.ts'
import { ZERO_UUID } from '../../../broker/base/uuid.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { DeleteGroups } from '../../../broker/protocol/messages/delete-groups.ts'
import { DescribeGroups } from '../../../broker/protocol/messages/describe-groups.ts'
import { FindCoordinator } from '../../../broker/protocol/messages/find-coordinator.ts'
import { Heartbeat } from '../../../broker/protocol/messages/heartbeat.ts'
import { JoinGroup } from '../../../broker/protocol/messages/join-group.ts'
import { LeaveGroup } from '../../../broker/protocol/messages/leave-group.ts'
import { ListGroups } from '../../../broker/protocol/messages/list-groups.ts'
import { OffsetCommit } from '../../../broker/protocol/messages/offset-commit.ts'
import { OffsetDelete } from '../../../broker/protocol/messages/offset-delete.ts'
import { OffsetFetch } from '../../../broker/protocol/messages/offset-fetch.ts'
import { SyncGroup } from '../../../broker/protocol/messages/sync-group.ts'
import type { RequestInit } from '../../../broker/protocol/schema.ts'
import { subscription } from '../coordinator/group/group-world.ts'
import { settled, testBroker, type AskOptions, type TestBroker, type TestBrokerOptions } from './fixture.ts'

const GROUP = 'group'
const OFFSETS = '__consumer_offsets'

/** A broker that coordinates, with a topic of two partitions. */
async function coordinator(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = await testBroker(options)
  await broker.createTopic('orders', { partitions: 2 })
  await broker.createTopic(OFFSETS, { partitions: 1 })
  for (let turn = 0; turn < 10; turn++) await settled()
  return broker
}

const join = (
  broker: TestBroker,
  version: number,
  memberId: string,
  more: Partial<RequestInit<typeof JoinGroup>> = {},
  options: AskOptions = {},
) =>
  broker.ask(
    JoinGroup,
    joinGroup,
    version,
    {
      groupId: GROUP,
      sessionTimeoutMs: 30_000,
      memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription('orders') }],
      ...(version >= 1 ? { rebalanceTimeoutMs: 60_000 } : {}),
      ...more,
    },
    options,
  )

const sync = (broker: TestBroker, memberId: string, generationId: number, text = '') =>
  broker.ask(SyncGroup, syncGroup, 5, {
    groupId: GROUP,
    generationId,
    memberId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: text === '' ? [] : [{ memberId, assignment: Buffer.from(text) }],
  })

/** A group of one member, in generation 1. */
async function stable(broker: TestBroker): Promise<string> {
  const { memberId } = await join(broker, 9, '')
  const joining = join(broker, 9, memberId)
  await settled()
  broker.clock.advance(3000)
  await joining
  await sync(broker, memberId, 1, 'all')
  return memberId
}

const commit = (
  broker: TestBroker,
  version: number,
  topics: RequestInit<typeof OffsetCommit>['topics'],
  more: Partial<RequestInit<typeof OffsetCommit>> = {},
) => broker.ask(OffsetCommit, offsetCommit, version, { groupId: GROUP, memberId: '', topics, ...more })

const partition = (partitionIndex: number, committedOffset: number, committedMetadata: string | null = '') => ({
  partitionIndex,
  committedOffset,
  committedMetadata,
})

describe('JoinGroup and SyncGroup', () => {
  test('every version leads into a generation, with an answer that its clients can read', async () => {
    for (let version = 0; version <= 9; version++) {
      const broker = await coordinator()
      const first = join(broker, version, '')
      await settled()
      broker.clock.advance(3000)
      let answer = await first
      if (version >= 4) {
        equal(answer.errorCode, ErrorCode.MEMBER_ID_REQUIRED)
        const again = join(broker, version, answer.memberId)
        await settled()
        broker.clock.advance(3000)
        answer = await again
      }
      deepEqual([answer.errorCode, answer.generationId, answer.protocolName], [0, 1, 'range'], `v${version}`)
      deepEqual(answer.members.map(({ memberId }) => memberId), [answer.leader]) // prettier-ignore
    }
  })

  test('in version 0 the session timeout is the rebalance timeout', async () => {
    const broker = await coordinator()
    const first = join(broker, 0, '')
    await settled()
    broker.clock.advance(3000)
    const { memberId } = await first
    await broker.ask(SyncGroup, syncGroup, 0, { groupId: GROUP, generationId: 1, memberId, assignments: [] })
    const second = join(broker, 0, '')
    await settled()
    for (let waited = 0; waited < 30; waited += 10) {
      await broker.ask(Heartbeat, heartbeat, 0, { groupId: GROUP, generationId: 1, memberId })
      broker.clock.advance(10_000)
    }
    deepEqual([(await second).generationId, (await second).members.length], [2, 1])
  })

  test('what the coordinator says of itself reaches every API', async () => {
    const broker = await testBroker()
    const code = ErrorCode.COORDINATOR_NOT_AVAILABLE
    equal((await join(broker, 9, '')).errorCode, code)
    equal((await sync(broker, 'm', 1)).errorCode, code)
    const member = { groupId: GROUP, generationId: 1, memberId: 'm' }
    equal((await broker.ask(Heartbeat, heartbeat, 4, member)).errorCode, code)
    equal((await broker.ask(LeaveGroup, leaveGroup, 5, { groupId: GROUP, members: [] })).errorCode, code)
    await broker.createTopic('orders')
    const committed = await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 1)] }])
    equal(committed.topics[0]!.partitions[0]!.errorCode, code)
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 9, { groups: [{ groupId: GROUP, topics: null }] })
    equal(fetched.groups[0]!.errorCode, code)
    equal((await broker.ask(OffsetFetch, offsetFetch, 7, { groupId: GROUP, topics: null })).errorCode, code)
    const described = await broker.ask(DescribeGroups, describeGroups, 6, { groups: [GROUP] })
    equal(described.groups[0]!.errorCode, code)
    equal((await broker.ask(DeleteGroups, deleteGroups, 2, { groupsNames: [GROUP] })).results[0]!.errorCode, code)
    equal((await broker.ask(OffsetDelete, offsetDelete, 0, { groupId: GROUP, topics: [] })).errorCode, code)
    deepEqual((await broker.ask(ListGroups, listGroups, 5, {})).groups, [])
  })

  test('an empty group id is invalid everywhere', async () => {
    const broker = await coordinator()
    const code = ErrorCode.INVALID_GROUP_ID
    equal((await join(broker, 9, '', { groupId: '' })).errorCode, code)
    equal((await broker.ask(Heartbeat, heartbeat, 4, { groupId: '', generationId: 1, memberId: 'm' })).errorCode, code)
    equal((await broker.ask(LeaveGroup, leaveGroup, 5, { groupId: '', members: [] })).errorCode, code)
    equal((await broker.ask(DeleteGroups, deleteGroups, 2, { groupsNames: [''] })).results[0]!.errorCode, code)
    equal((await broker.ask(DescribeGroups, describeGroups, 5, { groups: [''] })).groups[0]!.errorCode, code)
  })

  test('a client that goes away while it waits is let go; the member stays until its session ends', async () => {
    const broker = await coordinator()
    const { memberId } = await join(broker, 9, '')
    const abort = new AbortController()
    const waiting = join(broker, 9, memberId, {}, { signal: abort.signal })
    await settled()
    abort.abort()
    await waiting
    broker.clock.advance(3000)
    await settled()
    const [described] = (await broker.ask(DescribeGroups, describeGroups, 5, { groups: [GROUP] })).groups
    deepEqual([described!.groupState, described!.members.length], ['CompletingRebalance', 1])
    broker.clock.advance(30_000)
    await settled()
    const [later] = (await broker.ask(DescribeGroups, describeGroups, 5, { groups: [GROUP] })).groups
    deepEqual([later!.groupState, later!.members.length], ['Empty', 0])
  })

  test('a partition that moves away lets go of everybody who waits', async () => {
    const broker = await coordinator()
    const { memberId } = await join(broker, 9, '')
    const waiting = join(broker, 9, memberId)
    await settled()
    await broker.context.controller.deleteTopics([{ name: OFFSETS, topicId: ZERO_UUID }])
    equal((await waiting).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  })

  test('an assignment that did not reach the log reaches nobody', async () => {
    const broker = await coordinator()
    const { memberId } = await join(broker, 9, '')
    const joining = join(broker, 9, memberId)
    await settled()
    broker.clock.advance(3000)
    await joining
    broker.log(OFFSETS).refusesNext = true
    equal((await sync(broker, memberId, 1, 'all')).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    broker.clock.advance(100)
    for (let turn = 0; turn < 10; turn++) await settled()
    equal((await sync(broker, memberId, 1, 'all')).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  })
})

describe('LeaveGroup', () => {
  test('before version 3 the error of the one member is the answer', async () => {
    const broker = await coordinator()
    const memberId = await stable(broker)
    const leave = (id: string) => broker.ask(LeaveGroup, leaveGroup, 2, { groupId: GROUP, memberId: id })
    equal((await leave('foreign')).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
    equal((await leave(memberId)).errorCode, ErrorCode.NONE)
  })

  test('from version 3 each member has its own', async () => {
    const broker = await coordinator()
    const memberId = await stable(broker)
    const members = [{ memberId: 'foreign' }, { memberId }]
    const answer = await broker.ask(LeaveGroup, leaveGroup, 5, { groupId: GROUP, members })
    deepEqual(
      [answer.errorCode, answer.members.map(({ errorCode }) => errorCode)],
      [ErrorCode.NONE, [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.NONE]],
    )
  })
})

describe('OffsetCommit and OffsetFetch', () => {
  test('partitions that do not exist are refused one by one, the others are stored', async () => {
    const broker = await coordinator()
    const answer = await commit(broker, 8, [
      { name: 'orders', partitions: [partition(0, 5), partition(7, 1), partition(1, 6)] },
      { name: 'nothing', partitions: [partition(0, 1)] },
    ])
    deepEqual(
      answer.topics.map(({ name, partitions }) => [name, partitions.map(({ errorCode }) => errorCode)]),
      [
        ['orders', [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NONE]],
        ['nothing', [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]],
      ],
    )
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 7, {
      groupId: GROUP,
      topics: [{ name: 'orders', partitionIndexes: [1, 0, 7] }],
    })
    deepEqual(
      fetched.topics[0]!.partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
      [[1, 6], [0, 5], [7, -1]],
    ) // prettier-ignore
  })

  test('every version commits and fetches', async () => {
    for (let version = 2; version <= 10; version++) {
      const broker = await coordinator()
      const { topicId } = broker.context.image().topics.get('orders')!
      const topic = version >= 10 ? { topicId } : { name: 'orders' }
      const committed = await commit(broker, version, [{ ...topic, partitions: [partition(0, version)] }])
      equal(committed.topics[0]!.partitions[0]!.errorCode, ErrorCode.NONE, `v${version}`)
      if (version >= 8) {
        const groups = [
          { groupId: GROUP, topics: [{ ...topic, partitionIndexes: [0] }] },
          { groupId: GROUP, topics: null },
        ]
        const fetched = await broker.ask(OffsetFetch, offsetFetch, version, { groups })
        for (const group of fetched.groups) {
          deepEqual([group.topics[0]!.partitions[0]!.committedOffset, group.errorCode], [version, 0], `v${version}`)
          deepEqual(
            version >= 10 ? group.topics[0]!.topicId : group.topics[0]!.name,
            version >= 10 ? topicId : 'orders',
          )
        }
      } else {
        const topics = [{ name: 'orders', partitionIndexes: [0] }]
        const fetched = await broker.ask(OffsetFetch, offsetFetch, version - 1, { groupId: GROUP, topics })
        equal(fetched.topics[0]!.partitions[0]!.committedOffset, version, `v${version}`)
      }
    }
  })

  test('an id that no topic has is UNKNOWN_TOPIC_ID, in commit and fetch', async () => {
    const broker = await coordinator()
    const topicId = 'BBBBBBBBBBBBBBBBBBBBBB'
    const committed = await commit(broker, 10, [{ topicId, partitions: [partition(0, 1)] }])
    equal(committed.topics[0]!.partitions[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_ID)
    const groups = [{ groupId: GROUP, topics: [{ topicId, partitionIndexes: [0] }] }]
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 10, { groups })
    equal(fetched.groups[0]!.topics[0]!.partitions[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_ID)
  })

  test('an error of the whole commit is that of every partition', async () => {
    const broker = await coordinator()
    await stable(broker)
    const topics = [{ name: 'orders', partitions: [partition(0, 1), partition(1, 1)] }]
    const answer = await commit(broker, 9, topics, { memberId: 'foreign', generationIdOrMemberEpoch: 1 })
    deepEqual(
      answer.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.UNKNOWN_MEMBER_ID],
    )
  })

  test('the metadata of an offset is bounded by offset.metadata.max.bytes', async () => {
    const broker = await coordinator({ config: { 'offset.metadata.max.bytes': '3' } })
    const topics = [{ name: 'orders', partitions: [partition(0, 1, 'four'), partition(1, 1, 'two')] }]
    const answer = await commit(broker, 9, topics)
    deepEqual(
      answer.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.OFFSET_METADATA_TOO_LARGE, ErrorCode.NONE],
    )
  })

  test('in version 1 an error is that of each partition', async () => {
    const broker = await testBroker()
    const topics = [{ name: 'orders', partitionIndexes: [0, 1] }]
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 1, { groupId: GROUP, topics })
    deepEqual(
      fetched.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_NOT_AVAILABLE],
    )
  })

  test('offsets in an open transaction are unstable, and count when it is committed', async () => {
    const broker = await coordinator()
    const { groups } = broker.context
    const transaction = { producerId: 5, producerEpoch: 0 }
    const committer = { groupId: GROUP, generationId: -1, memberId: '', groupInstanceId: null }
    const offsets = [{ topic: 'orders', partition: 0, offset: 9, leaderEpoch: -1, metadata: null }]
    deepEqual(await groups.commitTransactionalOffsets({ ...committer, offsets }, transaction), [ErrorCode.NONE])
    const fetch = async () => {
      const asked = { groups: [{ groupId: GROUP, topics: null }, { groupId: GROUP, topics: [{ name: 'orders', partitionIndexes: [0] }] }] } // prettier-ignore
      const fetched = await broker.ask(OffsetFetch, offsetFetch, 9, { ...asked, requireStable: true })
      return fetched.groups.map(({ topics }) => topics[0]?.partitions[0])
    }
    const [, asked] = await fetch()
    deepEqual([asked!.errorCode, asked!.committedOffset], [ErrorCode.UNSTABLE_OFFSET_COMMIT, -1])
    const marker = { ...transaction, result: 'commit', coordinatorEpoch: 1 } as const
    equal(await groups.completeTransaction(groups.partitionOf(GROUP), marker), ErrorCode.NONE)
    deepEqual((await fetch()).map(found => found!.committedOffset), [9, 9]) // prettier-ignore
  })

  test('a topic that is deleted takes its offsets with it', async () => {
    const broker = await coordinator()
    await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 5)] }])
    await broker.context.controller.deleteTopics([{ name: 'orders', topicId: ZERO_UUID }])
    for (let turn = 0; turn < 10; turn++) await settled()
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 9, { groups: [{ groupId: GROUP, topics: null }] })
    deepEqual(fetched.groups[0]!.topics, [])
  })

  test('offsets expire when the group has been empty for offsets.retention.minutes', async () => {
    const config = { 'offsets.retention.minutes': '1', 'offsets.retention.check.interval.ms': '10000' }
    const broker = await coordinator({ config })
    await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 5)] }])
    const listed = async () => {
      for (let turn = 0; turn < 10; turn++) await settled()
      return (await broker.ask(ListGroups, listGroups, 5, {})).groups.length
    }
    broker.clock.advance(50_000)
    equal(await listed(), 1)
    broker.clock.advance(10_000)
    equal(await listed(), 0)
  })
})

describe('administration', () => {
  test('groups are listed with their state and type, and filtered by both in any case', async () => {
    const broker = await coordinator()
    await stable(broker)
    await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 1)] }], { groupId: 'offsets only' })
    const list = async (statesFilter: string[], typesFilter: string[] = []) =>
      (await broker.ask(ListGroups, listGroups, 5, { statesFilter, typesFilter })).groups
        .map(({ groupId, protocolType, groupState, groupType }) => [groupId, protocolType, groupState, groupType])
        .sort()
    deepEqual(await list([]), [
      [GROUP, 'consumer', 'Stable', 'classic'],
      ['offsets only', '', 'Empty', 'classic'],
    ])
    deepEqual((await list(['stable'])).map(([groupId]) => groupId), [GROUP]) // prettier-ignore
    deepEqual((await list(['EMPTY', 'Dead'], ['Classic'])).map(([groupId]) => groupId), ['offsets only']) // prettier-ignore
    deepEqual([await list([], ['consumer']), await list(['nonsense'])], [[], []])
    equal((await broker.ask(ListGroups, listGroups, 0, {})).groups.length, 2)
  })

  test('a group is described with its members, their subscription and assignment', async () => {
    const broker = await coordinator()
    const memberId = await stable(broker)
    const request = { groups: [GROUP], includeAuthorizedOperations: true }
    const [group] = (await broker.ask(DescribeGroups, describeGroups, 6, request)).groups
    deepEqual([group!.groupState, group!.protocolType, group!.protocolData], ['Stable', 'consumer', 'range'])
    const [member] = group!.members
    deepEqual(
      [member!.memberId, member!.clientId, member!.clientHost, String(member!.memberAssignment)],
      [memberId, 'test', '/127.0.0.1', 'all'],
    )
    deepEqual(member!.memberMetadata, subscription('orders'))
    equal(group!.authorizedOperations, (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11))
  })

  test('a group that does not exist is dead, and from version 6 not found', async () => {
    const broker = await coordinator()
    const describeIn = async (version: number) =>
      (await broker.ask(DescribeGroups, describeGroups, version, { groups: ['nobody'] })).groups[0]!
    const [before, after] = [await describeIn(5), await describeIn(6)]
    deepEqual([before.groupState, before.errorCode], ['Dead', ErrorCode.NONE])
    deepEqual([after.groupState, after.errorCode], ['Dead', ErrorCode.GROUP_ID_NOT_FOUND])
    equal(after.errorMessage, 'Group nobody not found.')
  })

  test('groups are deleted when they have no members', async () => {
    const broker = await coordinator()
    await stable(broker)
    await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 1)] }], { groupId: 'idle' })
    const groupsNames = [GROUP, 'idle', 'nobody']
    const { results } = await broker.ask(DeleteGroups, deleteGroups, 3, { groupsNames })
    deepEqual(
      results.map(({ groupId, errorCode }) => [groupId, errorCode]),
      [
        [GROUP, ErrorCode.NON_EMPTY_GROUP],
        ['idle', ErrorCode.NONE],
        ['nobody', ErrorCode.GROUP_ID_NOT_FOUND],
      ],
    )
  })

  test('offsets are deleted partition by partition', async () => {
    const broker = await coordinator()
    await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 1), partition(1, 1)] }])
    const topics = [{ name: 'orders', partitions: [{ partitionIndex: 5 }, { partitionIndex: 1 }] }]
    const answer = await broker.ask(OffsetDelete, offsetDelete, 0, { groupId: GROUP, topics })
    deepEqual(
      answer.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NONE],
    )
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 9, { groups: [{ groupId: GROUP, topics: null }] })
    deepEqual(fetched.groups[0]!.topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex), [0]) // prettier-ignore
  })
})

test('the first FindCoordinator leaves a coordinator behind that is ready', async () => {
  const broker = await testBroker({
    config: { 'offsets.topic.replication.factor': '1', 'offsets.topic.num.partitions': '4' },
  })
  await broker.context.controller.setFenced(2, broker.context.image().brokers.get(2)!.brokerEpoch, true)
  await broker.ask(FindCoordinator, findCoordinator, 4, { coordinatorKeys: [GROUP] })
  equal((await join(broker, 9, '')).errorCode, ErrorCode.MEMBER_ID_REQUIRED)
})
