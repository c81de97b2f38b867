// Many members of a group, many groups, many open transactions: the work of a request must not grow with all of them. What is counted is
// how often somebody looks at everybody.
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { completeTransaction, commitTransactionalOffsets } from '../../../../broker/coordinator/group/offsets.ts'
import { newGroup } from '../../../../broker/coordinator/group/state.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { GROUP, GroupWorld, subscription } from './group-world.ts'

const MANY = 10_000
const METADATA = subscription(...Array.from({ length: 10 }, (_, at) => `shop.orders.events.of-region-${at}`))
const PROTOCOLS = ['range', 'cooperative-sticky'].map(name => ({ name, metadata: METADATA }))

/** A map that counts how often it was gone through. */
class CountingMap<K, V> extends Map<K, V> {
  walks = 0

  override values(): MapIterator<V> {
    this.walks++
    return super.values()
  }

  override entries(): MapIterator<[K, V]> {
    this.walks++
    return super.entries()
  }

  override [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }
}

function largeGroup(): { world: GroupWorld; members: string[]; walks: () => number } {
  const world = new GroupWorld({ maxGroupBytes: 32 * 1024 * 1024 })
  const members = Array.from({ length: MANY }, () => world.joinWithId({ protocols: PROTOCOLS }).memberId)
  // All of them came within the first delay, so there is a second one and no more.
  world.advance(2 * world.settings.initialRebalanceDelayMs)
  for (const id of members.slice(1)) world.sync(id)
  world.sync(members[0]!, Object.fromEntries(members.map(id => [id, `for ${id}`])))
  const counting = new CountingMap(world.group().members)
  world.group().members = counting
  counting.walks = 0
  return { world, members, walks: () => counting.walks }
}

/** A rebalance looks at everybody a few times: to tell the members, to choose the protocol, to write the generation down. */
const FEW = 20

test('a rebalance of ten thousand members looks at all of them a few times, however many requests it takes', () => {
  const { world, members, walks } = largeGroup()
  const { ticket, memberId } = world.joinWithId({ protocols: PROTOCOLS })
  for (const id of members) {
    equal(world.heartbeat(id), ErrorCode.REBALANCE_IN_PROGRESS)
    world.join({ memberId: id, protocols: PROTOCOLS })
  }
  const { errorCode, generationId } = world.joins.get(ticket)!
  deepEqual([errorCode, generationId, world.group().phase], [ErrorCode.NONE, 2, 'CompletingRebalance'])
  for (const id of [...members.slice(1), memberId]) world.sync(id)
  world.sync(members[0]!, Object.fromEntries(members.map(id => [id, `for ${id}`])))
  deepEqual([world.group().phase, world.group().members.size], ['Stable', MANY + 1])
  ok(walks() <= FEW, `${walks()} times`)
})

test('ten thousand members whose sessions end together, and as many that leave, cost a few looks at all of them', () => {
  const { world, members, walks } = largeGroup()
  for (const id of members.slice(0, 10)) equal(world.leave(id)[0], ErrorCode.NONE)
  deepEqual(world.leave(...members.slice(10, MANY / 2)).filter(Boolean), [])
  ok(walks() <= FEW, `${walks()} times`)
  // The rest is silent; the deadlines come one by one.
  for (const [key, { deadline }] of [...world.deadlines]) {
    if (deadline.kind !== 'session') continue
    world.deadlines.delete(key)
    world.expire(deadline)
  }
  deepEqual([world.group().phase, world.group().members.size], ['Empty', 0])
  ok(walks() <= FEW, `${walks()} times`)
})

test('the end of a transaction looks at the groups of its producer and no others', () => {
  const world = new GroupWorld()
  const open = new CountingMap<string, Set<number>>()
  Object.assign(world.state, { openTransactions: open })
  const offsets = [{ topic: 'orders', partition: 0, offset: 7, leaderEpoch: -1, metadata: null }]
  for (let producerId = 0; producerId < MANY; producerId++) {
    const committer = {
      groupId: `${GROUP}-${producerId}`,
      generationId: -1,
      memberId: '',
      groupInstanceId: null,
      offsets,
    }
    commitTransactionalOffsets(world.state, committer, { producerId, producerEpoch: 0 }, world.decision)
  }
  for (let producerId = 0; producerId < MANY; producerId++) {
    completeTransaction({ producerId, producerEpoch: 0, result: 'commit', coordinatorEpoch: 1 }, world.decision)
  }
  deepEqual([open.size, world.state.pendingOffsets.size, world.state.offsets.size], [0, 0, MANY])
  equal(open.walks, 0)
})

test('groups that only store offsets share what they would keep of members, and nobody can be added to that', () => {
  const group = newGroup('one', 0)
  equal(group.members, newGroup('other', 0).members)
  throws(() => group.unsynced.add('somebody'))
  throws(() => group.supporters.set('range', 1))
})
