// The APIs of members and of who looks after groups, on a broker without sockets: versions, shapes, errors of the coordinator. What is decided
// is tested in test/broker/coordinator/group.
import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'vitest'
import { deleteGroups } from '../../../broker/api/delete-groups.ts'
import { describeGroups } from '../../../broker/api/describe-groups.ts'
import { findCoordinator } from '../../../broker/api/find-coordinator.ts'
import { heartbeat } from '../../../broker/api/heartbeat.ts'
import { leaveGroup } from '../../../broker/api/leave-group.ts'
import { listGroups } from '../../../broker/api/list-groups.ts'
import { offsetDelete } from '../../../broker/api/offset-delete.ts'
import { offsetFetch } from '../../../broker/api/offset-fetch.ts'
import { syncGroup } from '../../../broker/api/sync-group.ts'
import { ZERO_UUID } from '../../../broker/base/uuid.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { DeleteGroups } from '../../../broker/protocol/messages/delete-groups.ts'
import { DescribeGroups } from '../../../broker/protocol/messages/describe-groups.ts'
import { FindCoordinator } from '../../../broker/protocol/messages/find-coordinator.ts'
import { Heartbeat } from '../../../broker/protocol/messages/heartbeat.ts'
import { LeaveGroup } from '../../../broker/protocol/messages/leave-group.ts'
import { ListGroups } from '../../../broker/protocol/messages/list-groups.ts'
import { OffsetDelete } from '../../../broker/protocol/messages/offset-delete.ts'
import { OffsetFetch } from '../../../broker/protocol/messages/offset-fetch.ts'
import { SyncGroup } from '../../../broker/protocol/messages/sync-group.ts'
import { subscription } from '../coordinator/group/group-world.ts'
import { settled, testBroker, type TestBroker } from './fixture.ts'
import { commit, coordinator, GROUP, join, OFFSETS, partition, stable, sync } from './grouping.ts'

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

describe('requests that nobody may make', () => {
  const membership = async (broker: TestBroker) => {
    const request = { groups: [GROUP] }
    const [group] = (await broker.ask(DescribeGroups, describeGroups, 5, request)).groups
    return [
      group!.groupState,
      group!.members.map(({ memberId, memberAssignment }) => [memberId, String(memberAssignment)]),
    ]
  }

  test('generations that were, or are to come, are illegal, and the group goes on', async () => {
    const broker = await coordinator()
    const memberId = await stable(broker)
    for (const generationId of [0, 2, 2 ** 31 - 1, -1, -(2 ** 31)]) {
      const asMember = { groupId: GROUP, generationId, memberId }
      const code = ErrorCode.ILLEGAL_GENERATION
      equal((await broker.ask(Heartbeat, heartbeat, 4, asMember)).errorCode, code)
      equal((await sync(broker, memberId, generationId, 'stolen')).errorCode, code)
      const committed = await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 1)] }], {
        memberId,
        generationIdOrMemberEpoch: generationId,
      })
      equal(committed.topics[0]!.partitions[0]!.errorCode, code)
    }
    deepEqual(await membership(broker), ['Stable', [[memberId, 'all']]])
  })

  test('member ids that were not given out are unknown, and the group goes on', async () => {
    const broker = await coordinator()
    const memberId = await stable(broker)
    const code = ErrorCode.UNKNOWN_MEMBER_ID
    for (const foreign of ['foreign', `${memberId} `, memberId.toUpperCase(), '\u0000', 'x'.repeat(32_767)]) {
      equal((await join(broker, 9, foreign)).errorCode, code)
      equal((await sync(broker, foreign, 1, 'stolen')).errorCode, code)
      const asMember = { groupId: GROUP, generationId: 1, memberId: foreign }
      equal((await broker.ask(Heartbeat, heartbeat, 4, asMember)).errorCode, code)
      const leaving = { groupId: GROUP, members: [{ memberId: foreign }] }
      equal((await broker.ask(LeaveGroup, leaveGroup, 5, leaving)).members[0]!.errorCode, code)
      const byInstance = { groupId: GROUP, members: [{ memberId, groupInstanceId: foreign }] }
      equal((await broker.ask(LeaveGroup, leaveGroup, 5, byInstance)).members[0]!.errorCode, code)
    }
    deepEqual(await membership(broker), ['Stable', [[memberId, 'all']]])
  })

  test('metadata that is too large for the log does not get in, and takes no room', async () => {
    const broker = await coordinator()
    const memberId = await stable(broker)
    const protocols = [{ name: 'range', metadata: Buffer.alloc(33 * 1024 * 1024) }]
    equal((await join(broker, 3, '', { protocols })).errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
    equal((await join(broker, 3, '', { groupId: 'other', protocols })).errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
    deepEqual(await membership(broker), ['Stable', [[memberId, 'all']]])
    equal((await broker.ask(ListGroups, listGroups, 5, {})).groups.length, 1)
  })

  test('metadata of consumers that is no subscription is kept as it is, and nobody deletes what it may be about', async () => {
    const metadata = [Buffer.alloc(0), Buffer.from([0]), Buffer.alloc(100, 0xff), Buffer.from('000100ffffff', 'hex')]
    for (const bytes of metadata) {
      const broker = await coordinator()
      const protocols = [{ name: 'range', metadata: bytes }]
      const joining = join(broker, 3, '', { protocols })
      await settled()
      broker.clock.advance(3000)
      const { memberId } = await joining
      await sync(broker, memberId, 1, 'all')
      const { groups } = await broker.ask(DescribeGroups, describeGroups, 5, { groups: [GROUP] })
      deepEqual([groups[0]!.groupState, groups[0]!.members[0]!.memberMetadata], ['Stable', bytes])
      const topics = [{ name: 'orders', partitions: [{ partitionIndex: 0 }] }]
      const deleted = await broker.ask(OffsetDelete, offsetDelete, 0, { groupId: GROUP, topics })
      equal(deleted.topics[0]!.partitions[0]!.errorCode, ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
    }
  })

  test('whoever supports no protocol, or none of the others, stays outside', async () => {
    const broker = await coordinator()
    const code = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    equal((await join(broker, 9, '', { protocols: [] })).errorCode, code)
    equal((await join(broker, 9, '', { protocolType: '' })).errorCode, code)
    deepEqual((await broker.ask(ListGroups, listGroups, 5, {})).groups, [])
    const memberId = await stable(broker)
    equal((await join(broker, 9, '', { protocolType: 'connect' })).errorCode, code)
    equal((await join(broker, 9, '', { protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] })).errorCode, code)
    deepEqual(await membership(broker), ['Stable', [[memberId, 'all']]])
  })

  test('sessions that are too short or too long are refused', async () => {
    const broker = await coordinator()
    for (const sessionTimeoutMs of [-(2 ** 31), -1, 0, 5999, 1_800_001, 2 ** 31 - 1]) {
      equal((await join(broker, 9, '', { sessionTimeoutMs })).errorCode, ErrorCode.INVALID_SESSION_TIMEOUT)
    }
  })

  test('a group has group.max.size members and no more', async () => {
    const broker = await coordinator({ config: { 'group.max.size': '1' } })
    await stable(broker)
    equal((await join(broker, 9, '')).errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
    equal((await join(broker, 9, '', { groupId: 'other' })).errorCode, ErrorCode.MEMBER_ID_REQUIRED)
  })
})

test('the members of a large group are answered in pieces, so that others have their turn', async () => {
  const broker = await coordinator()
  const members: string[] = []
  for (let count = 0; count < 250; count++) members.push((await join(broker, 9, '')).memberId)
  let answered = 0
  for (const memberId of members) void join(broker, 9, memberId).then(() => answered++)
  const afterTurns = async (): Promise<number> => {
    for (let turn = 0; turn < 10; turn++) await settled()
    return answered
  }
  equal(await afterTurns(), 0)
  broker.clock.advance(6000)
  equal(await afterTurns(), 100)
  broker.clock.advance(0)
  equal(await afterTurns(), 250)
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
})

test('the first FindCoordinator leaves a coordinator behind that is ready', async () => {
  const broker = await testBroker({
    config: { 'offsets.topic.replication.factor': '1', 'offsets.topic.num.partitions': '4' },
  })
  await broker.context.controller.setFenced(2, broker.context.image().brokers.get(2)!.brokerEpoch, true)
  await broker.ask(FindCoordinator, findCoordinator, 4, { coordinatorKeys: [GROUP] })
  equal((await join(broker, 9, '')).errorCode, ErrorCode.MEMBER_ID_REQUIRED)
})
