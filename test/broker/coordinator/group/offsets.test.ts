import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'vitest'
import {
  commitOffsets,
  commitTransactionalOffsets,
  completeTransaction,
  deleteOffsets,
  fetchAllOffsets,
  fetchOffsets,
  type CommitRequest,
} from '../../../../broker/coordinator/group/offsets.ts'
import { deleteGroup, expireOffsets, forgetTopics } from '../../../../broker/coordinator/group/upkeep.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { GROUP, GroupWorld, subscription } from './group-world.ts'

const WEEK_MS = 604_800_000
const PRODUCER = { producerId: 9, producerEpoch: 0 }

const commitRequest = (offset: number, more: Partial<CommitRequest> = {}, topic = 'orders', partition = 0) => ({
  groupId: GROUP,
  generationId: -1,
  memberId: '',
  groupInstanceId: null,
  offsets: [{ topic, partition, offset, leaderEpoch: 3, metadata: 'note' }],
  retentionMs: -1,
  knowsGroupNotFound: true,
  ...more,
})

const commit = (
  world: GroupWorld,
  offset: number,
  more: Partial<CommitRequest> = {},
  topic = 'orders',
  partition = 0,
) => commitOffsets(world.state, commitRequest(offset, more, topic, partition), world.decision)

const commitInTransaction = (
  world: GroupWorld,
  offset: number,
  producer = PRODUCER,
  more: Partial<CommitRequest> = {},
) => commitTransactionalOffsets(world.state, commitRequest(offset, more), producer, world.decision)

const end = (world: GroupWorld, result: 'commit' | 'abort', producer = PRODUCER) =>
  completeTransaction({ ...producer, result, coordinatorEpoch: 1 }, world.decision)

const ORDERS_0 = [{ topic: 'orders', partition: 0 }]
const fetched = (world: GroupWorld, requireStable = false) => {
  const [found] = fetchOffsets(world.state, GROUP, ORDERS_0, requireStable)
  return found!.errorCode === ErrorCode.NONE ? (found!.committed?.offset ?? null) : `error ${found!.errorCode}`
}

describe('committing', () => {
  test('what was committed is fetched, also after a reload, with everything that was said', () => {
    const world = new GroupWorld()
    deepEqual(commit(world, 7), [ErrorCode.NONE])
    world.reload()
    const [{ committed } = { committed: null }] = fetchOffsets(world.state, GROUP, ORDERS_0, false)
    const { offset, leaderEpoch, metadata, commitTimestampMs } = committed!
    deepEqual([offset, leaderEpoch, metadata, commitTimestampMs], [7, 3, 'note', world.nowMs])
  })

  test('who takes no part in a group may commit while it is empty, and creates it so', () => {
    const world = new GroupWorld()
    commit(world, 7)
    deepEqual([world.group().phase, world.group().protocolType], ['Empty', null])
    const [leader] = world.stable(1)
    equal(commit(world, 8), ErrorCode.UNKNOWN_MEMBER_ID)
    world.leave(leader!)
    deepEqual(commit(world, 9), [ErrorCode.NONE])
  })

  test('a member commits in its generation, and in no other', () => {
    const world = new GroupWorld()
    const [memberId] = world.stable(1)
    deepEqual(commit(world, 1, { memberId: memberId!, generationId: 1 }), [ErrorCode.NONE])
    equal(commit(world, 2, { memberId: memberId!, generationId: 0 }), ErrorCode.ILLEGAL_GENERATION)
    equal(commit(world, 2, { memberId: memberId!, generationId: 2 }), ErrorCode.ILLEGAL_GENERATION)
    equal(commit(world, 2, { memberId: 'foreign', generationId: 1 }), ErrorCode.UNKNOWN_MEMBER_ID)
    equal(commit(world, 2, { memberId: memberId! }), ErrorCode.ILLEGAL_GENERATION)
    equal(fetched(world), 1)
  })

  test('a member may commit while the next generation is prepared, not while that waits for its assignment', () => {
    const world = new GroupWorld()
    const [memberId] = world.stable(1)
    const joining = world.joinWithId()
    deepEqual(commit(world, 1, { memberId: memberId!, generationId: 1 }), [ErrorCode.NONE])
    world.join({ memberId: memberId! })
    equal(commit(world, 2, { memberId: memberId!, generationId: 2 }), ErrorCode.REBALANCE_IN_PROGRESS)
    equal(commit(world, 2, { memberId: joining.memberId, generationId: 2 }), ErrorCode.REBALANCE_IN_PROGRESS)
  })

  test('a commit keeps the session of its member', () => {
    const world = new GroupWorld()
    const [memberId] = world.stable(1)
    for (let time = 0; time < 4; time++) {
      world.advance(20_000)
      deepEqual(commit(world, time, { memberId: memberId!, generationId: 1 }), [ErrorCode.NONE])
    }
  })

  test('in a group that does not exist no generation is right', () => {
    const world = new GroupWorld()
    equal(commit(world, 1, { generationId: 1, memberId: 'a' }), ErrorCode.GROUP_ID_NOT_FOUND)
    equal(commit(world, 1, { generationId: 1, memberId: 'a', knowsGroupNotFound: false }), ErrorCode.ILLEGAL_GENERATION)
    equal(commit(world, 1, { groupId: '' }), ErrorCode.INVALID_GROUP_ID)
  })

  test('metadata that is too large is refused for its partition alone', () => {
    const world = new GroupWorld({ offsetMetadataMaxBytes: 4 })
    const offsets = ['four', 'five!', null].map((metadata, partition) => ({
      topic: 'orders',
      partition,
      offset: 5,
      leaderEpoch: -1,
      metadata,
    }))
    deepEqual(commit(world, 0, { offsets }), [ErrorCode.NONE, ErrorCode.OFFSET_METADATA_TOO_LARGE, ErrorCode.NONE])
    deepEqual(
      fetchAllOffsets(world.state, GROUP, false).map(({ partition, committed }) => [partition, committed!.metadata]),
      [[0, 'four'], [2, '']],
    ) // prettier-ignore
  })

  test('a group that does not exist has committed nothing', () => {
    const world = new GroupWorld()
    deepEqual([fetched(world), fetchAllOffsets(world.state, GROUP, false)], [null, []])
  })
})

describe('in a transaction', () => {
  test('offsets count when it is committed; until then who asks for stable ones has to wait', () => {
    const world = new GroupWorld()
    commit(world, 1)
    deepEqual(commitInTransaction(world, 5), [ErrorCode.NONE])
    deepEqual([fetched(world), fetched(world, true)], [1, `error ${ErrorCode.UNSTABLE_OFFSET_COMMIT}`])
    end(world, 'commit')
    deepEqual([fetched(world), fetched(world, true)], [5, 5])
  })

  test('offsets of one that is aborted are forgotten', () => {
    const world = new GroupWorld()
    commit(world, 1)
    commitInTransaction(world, 5)
    end(world, 'abort')
    deepEqual([fetched(world, true), world.state.openTransactions.size, world.state.pendingOffsets.size], [1, 0, 0])
  })

  test('a reload in the middle changes nothing', () => {
    const world = new GroupWorld()
    commitInTransaction(world, 5)
    world.reload()
    equal(fetched(world, true), `error ${ErrorCode.UNSTABLE_OFFSET_COMMIT}`)
    end(world, 'commit')
    world.reload()
    equal(fetched(world, true), 5)
  })

  test('each producer has its own; one that ends leaves the others open', () => {
    const world = new GroupWorld()
    const other = { producerId: 10, producerEpoch: 0 }
    commitInTransaction(world, 5)
    commitInTransaction(world, 6, other)
    end(world, 'commit')
    deepEqual([fetched(world), fetched(world, true)], [5, `error ${ErrorCode.UNSTABLE_OFFSET_COMMIT}`])
    end(world, 'commit', other)
    equal(fetched(world, true), 6)
  })

  test('what was committed outside of it afterwards stays', () => {
    const world = new GroupWorld()
    commitInTransaction(world, 5)
    commit(world, 7)
    end(world, 'commit')
    equal(fetched(world), 7)
  })

  test('generation and member are checked when they are said (KIP-447)', () => {
    const world = new GroupWorld()
    const [memberId] = world.stable(1)
    const refused = (more: Partial<CommitRequest>) => commitInTransaction(world, 5, PRODUCER, more)
    equal(refused({ memberId: memberId!, generationId: 0 }), ErrorCode.ILLEGAL_GENERATION)
    equal(refused({ memberId: 'foreign', generationId: 1 }), ErrorCode.UNKNOWN_MEMBER_ID)
    deepEqual(refused({ memberId: memberId!, generationId: 1 }), [ErrorCode.NONE])
    deepEqual(refused({}), [ErrorCode.NONE])
  })

  test('a deleted offset is deleted in open transactions too', () => {
    const world = new GroupWorld()
    commitInTransaction(world, 5)
    deepEqual(deleteOffsets(world.state, GROUP, ORDERS_0, world.decision), [ErrorCode.NONE])
    end(world, 'commit')
    equal(fetched(world), null)
  })

  test('a marker for a transaction that nobody knows means nothing', () => {
    const world = new GroupWorld()
    end(world, 'commit')
    equal(fetched(world, true), null)
  })
})

describe('deleting', () => {
  test('offsets go when nobody is subscribed to their topic', () => {
    const world = new GroupWorld()
    commit(world, 1)
    commit(world, 1, {}, 'payments')
    world.stable(1, { protocols: [{ name: 'range', metadata: subscription('payments') }] })
    const partitions = [...ORDERS_0, { topic: 'payments', partition: 0 }, { topic: 'nothing', partition: 0 }]
    deepEqual(deleteOffsets(world.state, GROUP, partitions, world.decision), [
      ErrorCode.NONE,
      ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
      ErrorCode.NONE,
    ])
    deepEqual(fetchAllOffsets(world.state, GROUP, false).map(({ topic }) => topic), ['payments']) // prettier-ignore
  })

  test('consumers whose subscription nobody understands may be subscribed to anything', () => {
    const world = new GroupWorld()
    commit(world, 1)
    world.stable(1, { protocols: [{ name: 'range', metadata: Buffer.from('no subscription') }] })
    const [errorCode] = deleteOffsets(world.state, GROUP, ORDERS_0, world.decision) as ErrorCode[]
    equal(errorCode, ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
  })

  test('members that are no consumers keep their offsets; a group that does not exist has none', () => {
    const world = new GroupWorld()
    equal(deleteOffsets(world.state, GROUP, ORDERS_0, world.decision), ErrorCode.GROUP_ID_NOT_FOUND)
    world.stable(1, { protocolType: 'connect' })
    equal(deleteOffsets(world.state, GROUP, ORDERS_0, world.decision), ErrorCode.NON_EMPTY_GROUP)
  })

  test('a group goes with its offsets once it has no members, and stays away after a reload', () => {
    const world = new GroupWorld()
    commit(world, 1)
    commitInTransaction(world, 2)
    const [memberId] = world.stable(1)
    equal(deleteGroup(world.state, GROUP, world.decision), ErrorCode.NON_EMPTY_GROUP)
    world.leave(memberId!)
    equal(deleteGroup(world.state, GROUP, world.decision), ErrorCode.NONE)
    equal(deleteGroup(world.state, GROUP, world.decision), ErrorCode.GROUP_ID_NOT_FOUND)
    equal(deleteGroup(world.state, '', world.decision), ErrorCode.INVALID_GROUP_ID)
    world.reload()
    deepEqual([world.state.groups.size, world.state.offsets.size], [0, 0])
  })

  test('offsets of deleted topics go, the others stay', () => {
    const world = new GroupWorld()
    commit(world, 1)
    commit(world, 2, {}, 'payments')
    commitInTransaction(world, 3)
    forgetTopics(world.state, GROUP, new Set(['orders']), world.decision)
    end(world, 'commit')
    deepEqual(fetchAllOffsets(world.state, GROUP, false).map(({ topic }) => topic), ['payments']) // prettier-ignore
  })
})

describe('expiring', () => {
  const expire = (world: GroupWorld) => expireOffsets(world.state, GROUP, world.decision)

  test('offsets of a group without a protocol go a retention after their commit, and the group with the last', () => {
    const world = new GroupWorld()
    commit(world, 1)
    world.nowMs += 1000
    commit(world, 2, {}, 'payments')
    world.nowMs += WEEK_MS - 1001
    expire(world)
    equal(fetchAllOffsets(world.state, GROUP, false).length, 2)
    world.nowMs += 1
    expire(world)
    equal(fetchAllOffsets(world.state, GROUP, false).length, 1)
    world.nowMs += 1000
    expire(world)
    deepEqual([world.state.groups.size, world.state.offsets.size], [0, 0])
  })

  test('offsets of a group with members are counted from when it becomes empty', () => {
    const world = new GroupWorld()
    const [memberId] = world.stable(1)
    commit(world, 1, { memberId: memberId!, generationId: 1 })
    for (let week = 0; week < 3; week++) {
      world.nowMs += WEEK_MS
      world.heartbeat(memberId!)
      expire(world)
    }
    equal(fetched(world), 1)
    world.leave(memberId!)
    world.advance(60_000)
    world.nowMs += WEEK_MS - 60_001
    expire(world)
    equal(fetched(world), 1)
    world.nowMs += 1
    expire(world)
    equal(world.state.groups.has(GROUP), false)
  })

  test('a stable group keeps what it is subscribed to, and loses what it is not any more', () => {
    const world = new GroupWorld()
    commit(world, 1)
    commit(world, 2, {}, 'payments')
    const [memberId] = world.stable(1, { protocols: [{ name: 'range', metadata: subscription('payments') }] })
    world.nowMs += WEEK_MS
    world.heartbeat(memberId!)
    expire(world)
    deepEqual(fetchAllOffsets(world.state, GROUP, false).map(({ topic }) => topic), ['payments']) // prettier-ignore
  })

  test('an offset with a time of its own goes then, and not before', () => {
    const world = new GroupWorld()
    commit(world, 1, { retentionMs: 2 * WEEK_MS })
    world.reload()
    world.nowMs += 2 * WEEK_MS - 1
    expire(world)
    equal(fetched(world), 1)
    world.nowMs += 1
    expire(world)
    equal(fetched(world), null)
  })

  test('nothing goes that an open transaction may still change', () => {
    const world = new GroupWorld()
    commit(world, 1)
    commitInTransaction(world, 2)
    world.nowMs += WEEK_MS
    expire(world)
    deepEqual([fetched(world), world.state.groups.has(GROUP)], [1, true])
  })

  test('a group that somebody is about to join does not go', () => {
    const world = new GroupWorld()
    world.join()
    expire(world)
    equal(world.state.groups.has(GROUP), true)
  })
})
