import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { GROUP, GroupWorld } from './group-world.ts'

test('heartbeats keep a member alive; without them it is gone after its session timeout', () => {
  const world = new GroupWorld()
  const [leader, follower] = world.stable(2)
  for (let beat = 0; beat < 4; beat++) {
    world.advance(20_000)
    equal(world.heartbeat(leader!, 1), beat === 0 ? ErrorCode.NONE : ErrorCode.REBALANCE_IN_PROGRESS)
  }
  equal(world.group().members.has(follower!), false)
})

test('a heartbeat of a wrong generation, a foreign member or an unknown group is refused', () => {
  const world = new GroupWorld()
  const [leader] = world.stable(1)
  equal(world.heartbeat(leader!, 0), ErrorCode.ILLEGAL_GENERATION)
  equal(world.heartbeat('foreign'), ErrorCode.UNKNOWN_MEMBER_ID)
  equal(world.heartbeat(leader!, 1, 'instance'), ErrorCode.UNKNOWN_MEMBER_ID)
  world.leave(leader!)
  equal(world.heartbeat(leader!, 2), ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a heartbeat counts also between the generation and its assignment', () => {
  const world = new GroupWorld()
  const { memberId } = world.joinWithId()
  world.advance(3000)
  equal(world.heartbeat(memberId), ErrorCode.NONE)
})

test('a member that waits for an answer does not lose its session', () => {
  const world = new GroupWorld()
  const [leader, follower] = world.stable(2, { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 60_000 })
  const ticket = world.join({ memberId: leader!, sessionTimeoutMs: 6000 })
  for (let beat = 0; beat < 9; beat++) {
    world.advance(5000)
    world.heartbeat(follower!, 1)
  }
  equal(world.group().members.has(leader!), true)
  world.join({ memberId: follower! })
  equal(world.joins.get(ticket)!.generationId, 2)
  world.advance(5999)
  equal(world.heartbeat(leader!), ErrorCode.NONE)
})

test('when a member leaves, the others learn it and go on without it', () => {
  const world = new GroupWorld()
  const [leader, follower] = world.stable(2)
  deepEqual(world.leave(leader!), [ErrorCode.NONE])
  equal(world.heartbeat(follower!), ErrorCode.REBALANCE_IN_PROGRESS)
  const answer = world.joins.get(world.join({ memberId: follower! }))!
  deepEqual([answer.generationId, answer.leader], [2, follower])
})

test('when the last member leaves, the group is empty in its next generation, and the log says so', () => {
  const world = new GroupWorld()
  const [leader] = world.stable(1)
  world.leave(leader!)
  world.reload()
  const { phase, generation, protocolType, protocol, leaderId } = world.group()
  deepEqual([phase, generation, protocolType, protocol, leaderId], ['Empty', 2, 'consumer', null, null])
})

test('many leave at once, each with its own error, and only one rebalance follows', () => {
  const world = new GroupWorld()
  const [first, second, third] = world.stable(3)
  deepEqual(world.leave(second!, 'foreign', third!), [ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.NONE])
  deepEqual([...world.group().members.keys()], [first])
  equal(world.joins.get(world.join({ memberId: first! }))!.generationId, 2)
})

test('an administrator removes a static member by its instance id; with a wrong member id it is fenced', () => {
  const world = new GroupWorld()
  world.join({ groupInstanceId: 'a' })
  world.join({ groupInstanceId: 'b' })
  world.advance(9000)
  deepEqual(
    world.leave(
      { memberId: '', groupInstanceId: 'a' },
      { memberId: 'other', groupInstanceId: 'b' },
      { memberId: '', groupInstanceId: 'c' },
    ),
    [ErrorCode.NONE, ErrorCode.FENCED_INSTANCE_ID, ErrorCode.UNKNOWN_MEMBER_ID],
  )
  deepEqual([...world.group().staticMembers.keys()], ['b'])
})

test('an id that was given out can be given back', () => {
  const world = new GroupWorld()
  const { memberId } = world.joins.get(world.join())!
  deepEqual(world.leave(memberId), [ErrorCode.NONE])
  equal(world.joins.get(world.join({ memberId }))!.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
})

test('whoever leaves while it waits elsewhere is told there that it is no member', () => {
  const world = new GroupWorld()
  const { ticket, memberId } = world.joinWithId()
  world.leave(memberId)
  equal(world.joins.get(ticket)!.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
})

test('nobody leaves a group that does not exist', () => {
  deepEqual(new GroupWorld().leave('a', 'b'), [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.UNKNOWN_MEMBER_ID])
})

test('members that are read from the log have a session to show that they are there', () => {
  const world = new GroupWorld()
  const [leader, follower] = world.stable(2)
  world.reload()
  world.advance(29_000)
  equal(world.heartbeat(leader!, 1), ErrorCode.NONE)
  world.advance(1000)
  deepEqual([...world.group().members.keys()], [leader])
  equal(world.group().members.has(follower!), false)
})

test('a group that is read from the log and is larger than allowed starts a rebalance', () => {
  const world = new GroupWorld()
  world.stable(3)
  Object.assign(world.settings, { maxSize: 2 })
  world.reload()
  equal(world.group(GROUP).phase, 'PreparingRebalance')
})
