import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'vitest'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { GroupWorld, subscription } from './group-world.ts'

const protocol = (name: string, text = name) => ({ name, metadata: Buffer.from(text) })

describe('who may enter', () => {
  test('a new member is given an id to come back with; until then it is none', () => {
    const world = new GroupWorld()
    const answer = world.joins.get(world.join())!
    deepEqual([answer.errorCode, answer.memberId], [ErrorCode.MEMBER_ID_REQUIRED, 'client-1'])
    deepEqual([world.group().phase, world.group().members.size], ['Empty', 0])
  })

  test('an id that nobody comes back with is forgotten after the session timeout', () => {
    const world = new GroupWorld()
    const { memberId } = world.joins.get(world.join())!
    world.advance(30_000)
    equal(world.joins.get(world.join({ memberId }))!.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('a client that cannot be given an id is let in at once', () => {
    const world = new GroupWorld()
    const ticket = world.join({ knowsMemberIdRequired: false })
    equal(world.joins.has(ticket), false)
    world.advance(3000)
    const { errorCode, generationId, leader, memberId } = world.joins.get(ticket)!
    deepEqual([errorCode, generationId, leader], [ErrorCode.NONE, 1, memberId])
  })

  test('an id that was never given out is refused, in a group that exists and in one that does not', () => {
    const world = new GroupWorld()
    equal(world.joins.get(world.join({ memberId: 'foreign' }))!.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
    world.stable(1)
    equal(world.joins.get(world.join({ memberId: 'foreign' }))!.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('what is wrong in a request is refused before a group comes to be', () => {
    const world = new GroupWorld()
    const refused = (request: Parameters<GroupWorld['join']>[0]) => world.joins.get(world.join(request))!.errorCode
    equal(refused({ groupId: '' }), ErrorCode.INVALID_GROUP_ID)
    equal(refused({ sessionTimeoutMs: 5999 }), ErrorCode.INVALID_SESSION_TIMEOUT)
    equal(refused({ sessionTimeoutMs: 1_800_001 }), ErrorCode.INVALID_SESSION_TIMEOUT)
    equal(refused({ protocols: [] }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    equal(refused({ protocolType: '' }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    deepEqual([world.state.groups.size, world.log.length], [0, 0])
  })

  test('a member must support a protocol that all others support, of the same type', () => {
    const world = new GroupWorld()
    world.stable(2, { protocols: [protocol('range'), protocol('sticky')] })
    const refused = (request: Parameters<GroupWorld['join']>[0]) => world.joins.get(world.join(request))!.errorCode
    equal(refused({ protocols: [protocol('own')] }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    equal(refused({ protocolType: 'connect', protocols: [protocol('range')] }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    equal(refused({ protocols: [protocol('own'), protocol('sticky')] }), ErrorCode.MEMBER_ID_REQUIRED)
  })

  test('a full group lets nobody else in, but its members go on', () => {
    const world = new GroupWorld({ maxSize: 2 })
    const [leader, follower] = world.stable(2)
    equal(world.joins.get(world.join())!.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
    equal(world.joins.get(world.join({ memberId: follower! }))!.errorCode, ErrorCode.NONE)
    equal(world.heartbeat(leader!), ErrorCode.NONE)
  })

  test('when a limit was lowered, who comes last to the next rebalance has to go', () => {
    const world = new GroupWorld()
    const [first, second, third] = world.stable(3)
    world.join({ memberId: first! })
    Object.assign(world.settings, { maxSize: 2 })
    const ticket = world.join({ memberId: second! })
    equal(world.joins.get(world.join({ memberId: third! }))!.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
    world.advance(60_000)
    equal(world.joins.get(ticket)!.errorCode, ErrorCode.NONE)
    deepEqual([...world.group().members.keys()], [first, second])
  })

  test('members may not say more together than the log can keep', () => {
    const world = new GroupWorld({ maxGroupBytes: 10_000 })
    world.stable(1)
    const large = { protocols: [protocol('range', 'x'.repeat(10_000))] }
    equal(world.joins.get(world.join(large))!.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
  })

  test('the number of groups of a partition has a bound', () => {
    const world = new GroupWorld({ maxGroups: 1 })
    world.join()
    equal(world.joins.get(world.join({ groupId: 'other' }))!.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
  })

  test('whoever asks for ids in a loop is told to stop', () => {
    const world = new GroupWorld()
    for (let count = 0; count < 50_000; count++) world.join()
    equal(world.joins.get(world.join())!.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
  })
})

describe('the first rebalance', () => {
  test('waits for the delay, and again for whoever joins meanwhile', () => {
    const world = new GroupWorld()
    const first = world.joinWithId()
    world.advance(2999)
    const second = world.joinWithId()
    world.advance(1)
    equal(world.joins.has(first.ticket), false)
    world.advance(3000)
    deepEqual([first, second].map(({ ticket }) => world.joins.get(ticket)!.generationId), [1, 1]) // prettier-ignore
  })

  test('waits no longer than the rebalance timeout, however many keep coming', () => {
    const world = new GroupWorld()
    const first = world.joinWithId({ rebalanceTimeoutMs: 10_000 })
    for (let second = 0; second < 9; second++) {
      world.joinWithId({ rebalanceTimeoutMs: 10_000 })
      world.advance(1000)
    }
    equal(world.joins.has(first.ticket), false)
    world.advance(1000)
    equal(world.joins.get(first.ticket)!.generationId, 1)
  })

  test('tells the leader who the members are and what they said, and the others only that there is a generation', () => {
    const world = new GroupWorld()
    const first = world.joinWithId({ protocols: [protocol('range', 'a')] })
    const second = world.joinWithId({ protocols: [protocol('range', 'b')] })
    world.advance(6000)
    const [led, following] = [world.joins.get(first.ticket)!, world.joins.get(second.ticket)!]
    deepEqual(
      led.members.map(({ memberId, metadata }) => [memberId, String(metadata)]),
      [[first.memberId, 'a'], [second.memberId, 'b']],
    ) // prettier-ignore
    deepEqual([following.members, following.leader, following.protocolName], [[], first.memberId, 'range'])
    deepEqual([led.protocolType, led.skipAssignment], ['consumer', false])
  })

  test('chooses the protocol that most members prefer among those that all support', () => {
    const world = new GroupWorld()
    const both = (one: string, other: string) => ({
      protocols: [protocol(one), protocol('only mine'), protocol(other)],
    })
    const { ticket } = world.joinWithId({ protocols: [protocol('range'), protocol('sticky')] })
    world.joinWithId(both('sticky', 'range'))
    world.joinWithId({ protocols: [protocol('sticky'), protocol('range')] })
    world.advance(9000)
    equal(world.joins.get(ticket)!.protocolName, 'sticky')
  })

  test('a new member whose client is gone is given up after five minutes', () => {
    const world = new GroupWorld({ maxSessionTimeoutMs: 10_000_000 })
    world.stable(1, { rebalanceTimeoutMs: 1_000_000, sessionTimeoutMs: 9_000_000 })
    const { ticket } = world.joinWithId({ sessionTimeoutMs: 9_000_000, rebalanceTimeoutMs: 1_000_000 })
    world.advance(300_000)
    equal(world.joins.get(ticket)!.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
    equal(world.group().members.size, 1)
  })
})

describe('joining again', () => {
  test('a member that joins a stable group makes the others join again, and everybody has the next generation', () => {
    const world = new GroupWorld()
    const [leader] = world.stable(1)
    const { ticket } = world.joinWithId()
    equal(world.group().phase, 'PreparingRebalance')
    equal(world.heartbeat(leader!), ErrorCode.REBALANCE_IN_PROGRESS)
    const again = world.join({ memberId: leader! })
    deepEqual([world.joins.get(ticket)!.generationId, world.joins.get(again)!.generationId], [2, 2])
    equal(world.joins.get(again)!.leader, leader)
  })

  test('those who have not joined again within the rebalance timeout are members no more', () => {
    const world = new GroupWorld()
    const [first, second] = world.stable(2, { sessionTimeoutMs: 1_000_000 })
    const ticket = world.join({ memberId: second!, protocols: [{ name: 'range', metadata: subscription('other') }] })
    world.advance(60_000)
    deepEqual([world.joins.get(ticket)!.errorCode, world.joins.get(ticket)!.leader], [ErrorCode.NONE, second])
    equal(world.heartbeat(first!), ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('a follower that has nothing else to say gets the generation there is; the leader starts the next one', () => {
    const world = new GroupWorld()
    const [leader, follower] = world.stable(2)
    const ticket = world.join({ memberId: follower! })
    deepEqual([world.joins.get(ticket)!.generationId, world.group().phase], [1, 'Stable'])
    world.join({ memberId: leader! })
    equal(world.group().phase, 'PreparingRebalance')
  })

  test('a member that missed the answer asks again and gets it, the leader with all members', () => {
    const world = new GroupWorld()
    const members = [world.joinWithId(), world.joinWithId()]
    world.advance(6000)
    const answers = members.map(({ memberId }) => world.joins.get(world.join({ memberId }))!)
    deepEqual(answers.map(({ generationId, members: known }) => [generationId, known.length]), [[1, 2], [1, 0]]) // prettier-ignore
    equal(world.group().phase, 'CompletingRebalance')
  })

  test('a second request of a member takes the place of the first, which is told to try again', () => {
    const world = new GroupWorld()
    const { ticket, memberId } = world.joinWithId()
    const second = world.join({ memberId })
    equal(world.joins.get(ticket)!.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
    world.advance(6000)
    deepEqual([world.joins.get(second)!.errorCode, world.group().members.size], [ErrorCode.NONE, 1])
  })

  test('a pending id is no static member', () => {
    const world = new GroupWorld()
    const { memberId } = world.joins.get(world.join())!
    const ticket = world.join({ memberId, groupInstanceId: 'instance' })
    equal(world.joins.get(ticket)!.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  })
})

describe('static members', () => {
  function stableStatic(world: GroupWorld, ...instances: string[]): string[] {
    const tickets = instances.map(groupInstanceId => world.join({ groupInstanceId }))
    world.advance(3000 * (instances.length + 1))
    const members = tickets.map(ticket => world.joins.get(ticket)!.memberId)
    for (const [at, memberId] of members.entries()) {
      if (at > 0) world.sync(memberId, {}, { groupInstanceId: instances[at]! })
    }
    const assignments = Object.fromEntries(members.map((memberId, at) => [memberId, `for ${instances[at]}`]))
    world.sync(members[0]!, assignments, { groupInstanceId: instances[0]! })
    return members
  }

  test('get an id that begins with their instance id, at once', () => {
    const world = new GroupWorld()
    deepEqual(stableStatic(world, 'a', 'b'), ['a-1', 'b-2'])
    equal(world.group().phase, 'Stable')
  })

  test('come back without a rebalance: the same place under another id, kept in the log', () => {
    const world = new GroupWorld()
    const [first, second] = stableStatic(world, 'a', 'b')
    const ticket = world.join({ groupInstanceId: 'b' })
    const answer = world.joins.get(ticket)!
    deepEqual([answer.errorCode, answer.generationId, answer.leader, answer.skipAssignment], [0, 1, first, false])
    equal(world.group().phase, 'Stable')
    const assigned = world.syncs.get(world.sync(answer.memberId, {}, { groupInstanceId: 'b' }))!
    equal(String(assigned.assignment), 'for b')
    equal(world.heartbeat(second!, 1, 'b'), ErrorCode.FENCED_INSTANCE_ID)
    world.reload()
    deepEqual([...world.group().members.keys()], [first, answer.memberId])
  })

  test('the leader comes back and learns that it leads and need not assign', () => {
    const world = new GroupWorld()
    stableStatic(world, 'a', 'b')
    const answer = world.joins.get(world.join({ groupInstanceId: 'a' }))!
    deepEqual([answer.leader, answer.skipAssignment, answer.members.length], [answer.memberId, true, 2])
  })

  test('an older client that leads is told that its former self does, so that it does not assign', () => {
    const world = new GroupWorld()
    const [first] = stableStatic(world, 'a', 'b')
    const answer = world.joins.get(world.join({ groupInstanceId: 'a', knowsSkipAssignment: false }))!
    deepEqual([answer.leader, answer.skipAssignment, answer.members], [first, false, []])
  })

  test('a come-back that changes the protocol of the group starts a rebalance', () => {
    const world = new GroupWorld()
    const protocols = [protocol('range'), protocol('sticky')]
    const tickets = ['a', 'b'].map(groupInstanceId => world.join({ groupInstanceId, protocols }))
    world.advance(9000)
    const [first, second] = tickets.map(ticket => world.joins.get(ticket)!.memberId)
    world.sync(second!, {}, { groupInstanceId: 'b' })
    world.sync(first!, {}, { groupInstanceId: 'a' })
    world.join({ groupInstanceId: 'b', protocols: [protocol('sticky')] })
    equal(world.group().phase, 'PreparingRebalance')
  })

  test('the process that was replaced while it waited is fenced', () => {
    const world = new GroupWorld()
    const ticket = world.join({ groupInstanceId: 'a' })
    const again = world.join({ groupInstanceId: 'a' })
    equal(world.joins.get(ticket)!.errorCode, ErrorCode.FENCED_INSTANCE_ID)
    world.advance(3000)
    deepEqual([world.joins.get(again)!.errorCode, world.group().members.size], [ErrorCode.NONE, 1])
  })

  test('a replacement while the leader assigns starts over, so that the assignment reaches the new id', () => {
    const world = new GroupWorld()
    const tickets = ['a', 'b'].map(groupInstanceId => world.join({ groupInstanceId }))
    world.advance(9000)
    const [, second] = tickets.map(ticket => world.joins.get(ticket)!.memberId)
    const syncing = world.sync(second!, {}, { groupInstanceId: 'b' })
    world.join({ groupInstanceId: 'a' })
    equal(world.syncs.get(syncing)!.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
    equal(world.group().phase, 'PreparingRebalance')
  })

  test('with its old id a replaced process is fenced, and an instance that nobody knows is unknown', () => {
    const world = new GroupWorld()
    const [first] = stableStatic(world, 'a')
    world.join({ groupInstanceId: 'a' })
    const ask = (groupInstanceId: string) =>
      world.joins.get(world.join({ memberId: first!, groupInstanceId }))!.errorCode
    deepEqual([ask('a'), ask('b')], [ErrorCode.FENCED_INSTANCE_ID, ErrorCode.UNKNOWN_MEMBER_ID])
  })

  test('keep their place in a rebalance that they miss, as long as their session lasts', () => {
    const world = new GroupWorld()
    const [first, second] = stableStatic(world, 'a', 'b')
    Object.assign(world.group().members.get(second!)!, { sessionTimeoutMs: 200_000 })
    world.heartbeat(second!, 1, 'b')
    const { ticket } = world.joinWithId()
    world.join({ memberId: first!, groupInstanceId: 'a' })
    world.advance(60_000)
    deepEqual([world.joins.get(ticket)!.errorCode, world.group().members.has(second!)], [ErrorCode.NONE, true])
    world.advance(200_000)
    equal(world.group().members.has(second!), false)
  })

  test('that are all away leave nobody to lead: the group waits until one comes back', () => {
    const world = new GroupWorld()
    const members = ['a', 'b'].map(instance => world.join({ groupInstanceId: instance, sessionTimeoutMs: 900_000 }))
    world.advance(9000)
    const [first, second] = members.map(ticket => world.joins.get(ticket)!.memberId)
    world.sync(second!, {}, { groupInstanceId: 'b' })
    world.sync(first!, {}, { groupInstanceId: 'a' })
    const { memberId } = world.joinWithId()
    world.leave(memberId)
    world.advance(180_000)
    deepEqual([world.group().phase, world.group().members.size], ['PreparingRebalance', 2])
    const ticket = world.join({ groupInstanceId: 'b' })
    world.advance(60_000)
    deepEqual([world.joins.get(ticket)!.errorCode, world.joins.get(ticket)!.leader], [ErrorCode.NONE, 'b-4'])
  })
})
