import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { GroupWorld } from './group-world.ts'

/** Two members of a generation that nobody has assigned yet; the first one leads. */
function joined(world: GroupWorld): [string, string] {
  const members = [world.joinWithId(), world.joinWithId()]
  world.advance(9000)
  return members.map(({ memberId }) => memberId) as [string, string]
}

test('followers wait until the leader has assigned; then everybody gets what is theirs', () => {
  const world = new GroupWorld()
  const [leader, follower] = joined(world)
  const waiting = world.sync(follower)
  equal(world.syncs.has(waiting), false)
  const leading = world.sync(leader, { [leader]: 'for the leader', [follower]: 'for the follower' })
  const texts = [leading, waiting].map(ticket => String(world.syncs.get(ticket)!.assignment))
  deepEqual(texts, ['for the leader', 'for the follower'])
  deepEqual([world.syncs.get(waiting)!.protocolType, world.syncs.get(waiting)!.protocolName], ['consumer', 'range'])
})

test('the generation is in the log once the leader has assigned, and not before', () => {
  const world = new GroupWorld()
  const [leader, follower] = joined(world)
  world.reload()
  deepEqual([world.group().phase, world.group().generation], ['Empty', 0])

  const again = new GroupWorld()
  again.stable(2)
  again.reload()
  deepEqual([again.group().phase, again.group().generation, again.group().members.size], ['Stable', 1, 2])
  equal(again.heartbeat(leader), ErrorCode.NONE)
  equal(String(again.syncs.get(again.sync(follower))!.assignment), `for ${follower}`)
})

test('whom the leader forgot gets nothing, and what it assigns to strangers is dropped', () => {
  const world = new GroupWorld()
  const [leader, follower] = joined(world)
  world.sync(leader, { stranger: 'everything' })
  equal(world.syncs.get(world.sync(follower))!.assignment.length, 0)
  deepEqual([...world.group().members.keys()], [leader, follower])
})

test('in a stable group the assignment comes at once', () => {
  const world = new GroupWorld()
  const [, follower] = world.stable(2)
  equal(String(world.syncs.get(world.sync(follower!))!.assignment), `for ${follower}`)
})

test('a wrong generation, a foreign member, another protocol, and a group that does not exist are refused', () => {
  const world = new GroupWorld()
  const unknown = world.syncs.get(world.sync('nobody'))!
  equal(unknown.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  const [leader] = world.stable(2)
  const refused = (memberId: string, more: Parameters<GroupWorld['sync']>[2]) =>
    world.syncs.get(world.sync(memberId, {}, more))!.errorCode
  equal(refused(leader!, { generationId: 0 }), ErrorCode.ILLEGAL_GENERATION)
  equal(refused(leader!, { generationId: 2 }), ErrorCode.ILLEGAL_GENERATION)
  equal(refused('foreign', {}), ErrorCode.UNKNOWN_MEMBER_ID)
  equal(refused(leader!, { protocolName: 'sticky' }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  equal(refused(leader!, { protocolType: 'connect' }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  equal(refused(leader!, { groupId: '' }), ErrorCode.INVALID_GROUP_ID)
})

test('while the group prepares the next generation there is no assignment to get', () => {
  const world = new GroupWorld()
  const [leader] = world.stable(1)
  world.joinWithId()
  equal(world.syncs.get(world.sync(leader!))!.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
})

test('whoever waits for the assignment when another rebalance begins is told to join again', () => {
  const world = new GroupWorld()
  const [, follower] = joined(world)
  const waiting = world.sync(follower)
  world.joinWithId()
  equal(world.syncs.get(waiting)!.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
})

test('members that do not ask for their assignment within the rebalance timeout leave the group', () => {
  const world = new GroupWorld()
  const [leader, follower] = joined(world)
  world.sync(leader, {})
  for (let waited = 0; waited < 60; waited += 10) {
    world.advance(10_000)
    if (world.group().members.has(follower)) world.heartbeat(follower, 1)
    world.heartbeat(leader, 1)
  }
  deepEqual([...world.group().members.keys()], [leader])
  equal(world.group().phase, 'PreparingRebalance')
})

test('a leader that never assigns leaves the group, and the next one leads', () => {
  const world = new GroupWorld()
  const [leader, follower] = joined(world)
  const waiting = world.sync(follower)
  for (let waited = 0; waited < 60; waited += 10) {
    world.heartbeat(leader)
    world.advance(10_000)
  }
  equal(world.syncs.get(waiting)!.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  const ticket = world.join({ memberId: follower })
  equal(world.joins.get(ticket)!.leader, follower)
  equal(world.group().members.has(leader), false)
})

test('an assignment that the log cannot keep is an error, and the members join again', () => {
  const world = new GroupWorld({ maxGroupBytes: 10_000 })
  const [leader, follower] = joined(world)
  const waiting = world.sync(follower)
  const leading = world.sync(leader, { [follower]: 'x'.repeat(10_000) })
  deepEqual(
    [leading, waiting].map(ticket => world.syncs.get(ticket)!.errorCode),
    [ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.UNKNOWN_SERVER_ERROR],
  )
  deepEqual([world.group().phase, world.log.length], ['PreparingRebalance', 1])
})
