import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { ZERO_UUID } from '../../../broker/base/uuid.ts'
import {
  FetchSessions,
  type FetchPlan,
  type FetchSessionRequest,
  type FetchTarget,
} from '../../../broker/api/fetch-session.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { manualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'

const ID_A = 'aaaaaaaaaaaaaaaaaaaaaA'

type Fetched = { topic?: string; topicId?: string; partitions: number[]; fetchOffset?: number }

function ask(
  sessionId: number,
  sessionEpoch: number,
  topics: Fetched[] = [],
  forgotten: Fetched[] = [],
): FetchSessionRequest {
  return {
    sessionId,
    sessionEpoch,
    topics: topics.map(({ topic = '', topicId = ZERO_UUID, partitions, fetchOffset = 0 }) => ({
      topic,
      topicId,
      partitions: partitions.map(partition => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset,
        lastFetchedEpoch: -1,
        partitionMaxBytes: 1000,
      })),
    })),
    forgottenTopicsData: forgotten.map(({ topic = '', topicId = ZERO_UUID, partitions }) => ({
      topic,
      topicId,
      partitions,
    })),
  }
}

function setup(maxSessions = 10, maxPartitions = 1000) {
  const clock = manualClock()
  const next = seededNumbers(1)
  const random = { next, bytes: (size: number) => Buffer.alloc(size) }
  const sessions = new FetchSessions({ clock, random, maxSessions, maxPartitions })
  return { clock, sessions }
}

function targetsOf(plan: FetchPlan): FetchTarget[] {
  return plan.kind === 'error' ? [] : [...plan.targets]
}

const names = (plan: FetchPlan) => targetsOf(plan).map(({ topic, partition }) => `${topic}-${partition}`)

function openSession(sessions: FetchSessions, topics: Fetched[], isPrivileged = false): number {
  const plan = sessions.plan(ask(0, 0, topics), false)
  return sessions.open(targetsOf(plan), false, isPrivileged)?.id ?? 0
}

test('epoch -1 asks for everything without a session', () => {
  const { sessions } = setup()
  const plan = sessions.plan(ask(0, -1, [{ topic: 'a', partitions: [0, 1] }]), false)
  equal(plan.kind, 'sessionless')
  deepEqual(names(plan), ['a-0', 'a-1'])
  equal(sessions.size, 0)
})

test('epoch 0 asks for everything and a session, whose next request carries epoch 1', () => {
  const { sessions } = setup()
  equal(sessions.plan(ask(0, 0, [{ topic: 'a', partitions: [0] }]), false).kind, 'full')
  const id = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  notEqual(id, 0)
  equal(sessions.plan(ask(id, 1), false).kind, 'incremental')
  equal(sessions.plan(ask(id, 2), false).kind, 'incremental')
})

test('an incremental request serves what the session knows, with what it adds, changes and forgets', () => {
  const { sessions } = setup()
  const id = openSession(sessions, [{ topic: 'a', partitions: [0, 1, 2] }])
  const plan = sessions.plan(
    ask(id, 1, [{ topic: 'a', partitions: [1], fetchOffset: 44 }, { topic: 'b', partitions: [7] }], [{ topic: 'a', partitions: [0] }]), // prettier-ignore
    false,
  )
  deepEqual(names(plan), ['a-1', 'a-2', 'b-7'])
  deepEqual(targetsOf(plan).map(target => target.fetchOffset), [44, 0, 0]) // prettier-ignore
  equal(sessions.partitions, 3)
})

test('a partition that is added and forgotten in one request is forgotten', () => {
  const { sessions } = setup()
  const id = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  const plan = sessions.plan(ask(id, 1, [{ topic: 'b', partitions: [0] }], [{ topic: 'b', partitions: [0, 5] }]), false)
  deepEqual(names(plan), ['a-0'])
})

test('a session that nobody knows is FETCH_SESSION_ID_NOT_FOUND', () => {
  const { sessions } = setup()
  deepEqual(sessions.plan(ask(123, 1), false), { kind: 'error', errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND })
})

test('an epoch that is not the next one is INVALID_FETCH_SESSION_EPOCH and changes nothing', () => {
  const { sessions } = setup()
  const id = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  for (const epoch of [2, 5]) {
    deepEqual(sessions.plan(ask(id, epoch, [{ topic: 'b', partitions: [0] }]), false), {
      kind: 'error',
      errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH,
    })
  }
  deepEqual(names(sessions.plan(ask(id, 1), false)), ['a-0'])
})

test('a session of topic ids does not serve topic names, and the other way round', () => {
  const { sessions } = setup()
  const named = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  deepEqual(sessions.plan(ask(named, 1), true), { kind: 'error', errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR })
  const byId = sessions.open(
    targetsOf(sessions.plan(ask(0, 0, [{ topicId: ID_A, partitions: [0] }]), true)),
    true,
    false,
  )!
  deepEqual(sessions.plan(ask(byId.id, 1), false), {
    kind: 'error',
    errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
  })
})

test('a session of topic ids tells topics apart by their id', () => {
  const { sessions } = setup()
  const session = sessions.open(
    targetsOf(sessions.plan(ask(0, 0, [{ topicId: ID_A, partitions: [0] }]), true)),
    true,
    false,
  )!
  const plan = sessions.plan(ask(session.id, 1, [{ topicId: ID_A, partitions: [0], fetchOffset: 9 }]), true)
  deepEqual(targetsOf(plan).map(target => target.fetchOffset), [9]) // prettier-ignore
})

test('a full request closes the session it names', () => {
  const { sessions } = setup()
  const id = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  sessions.plan(ask(id, -1), false)
  deepEqual([sessions.size, sessions.partitions], [0, 0])
  equal(sessions.plan(ask(id, 1), false).kind, 'error')
})

test('a session whose last partition is forgotten is closed', () => {
  const { sessions } = setup()
  const id = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  equal(sessions.plan(ask(id, 1, [], [{ topic: 'a', partitions: [0] }]), false).kind, 'sessionless')
  equal(sessions.size, 0)
})

test('an answer is stale once a later request has moved the session on', () => {
  const { sessions } = setup()
  const id = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  const first = sessions.plan(ask(id, 1), false) as FetchPlan & { kind: 'incremental' }
  equal(sessions.isCurrent(first), true)
  const second = sessions.plan(ask(id, 2), false) as FetchPlan & { kind: 'incremental' }
  deepEqual([sessions.isCurrent(first), sessions.isCurrent(second)], [false, true])
})

test('a partition that was served goes behind the others', () => {
  const { sessions } = setup()
  const id = openSession(sessions, [{ topic: 'a', partitions: [0, 1, 2] }])
  const plan = sessions.plan(ask(id, 1), false) as FetchPlan & { kind: 'incremental' }
  plan.session.moveToEnd(plan.targets[0]!)
  deepEqual(names(sessions.plan(ask(id, 2), false)), ['a-1', 'a-2', 'a-0'])
})

test('a full cache opens no session for another consumer within two minutes', () => {
  const { sessions, clock } = setup(2)
  const first = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  openSession(sessions, [{ topic: 'b', partitions: [0] }])
  equal(openSession(sessions, [{ topic: 'c', partitions: [0, 1] }]), 0)
  clock.advance(60_000)
  equal(sessions.plan(ask(first, 1), false).kind, 'incremental')
  equal(sessions.size, 2)
})

test('a session that was not used for two minutes makes room', () => {
  const { sessions, clock } = setup(2)
  const stale = openSession(sessions, [{ topic: 'a', partitions: [0] }])
  const used = openSession(sessions, [{ topic: 'b', partitions: [0] }])
  clock.advance(100_000)
  sessions.plan(ask(used, 1), false)
  clock.advance(20_001)
  notEqual(openSession(sessions, [{ topic: 'c', partitions: [0] }]), 0)
  equal(sessions.plan(ask(stale, 1), false).kind, 'error')
  equal(sessions.plan(ask(used, 2), false).kind, 'incremental')
  equal(sessions.evictions, 1)
})

test('an old session makes room for a larger one, not for one of the same size', () => {
  const { sessions, clock } = setup(1)
  const old = openSession(sessions, [{ topic: 'a', partitions: [0, 1] }])
  clock.advance(120_001)
  sessions.plan(ask(old, 1), false)
  equal(openSession(sessions, [{ topic: 'b', partitions: [0, 1] }]), 0)
  notEqual(openSession(sessions, [{ topic: 'b', partitions: [0, 1, 2] }]), 0)
})

test("a follower's session takes the place of a consumer's at once, and keeps it", () => {
  const { sessions, clock } = setup(1)
  openSession(sessions, [{ topic: 'a', partitions: [0, 1, 2] }])
  const follower = openSession(sessions, [{ topic: 'b', partitions: [0] }], true)
  notEqual(follower, 0)
  clock.advance(119_000)
  sessions.plan(ask(follower, 1), false)
  clock.advance(2000)
  equal(openSession(sessions, [{ topic: 'c', partitions: [0, 1, 2, 3] }]), 0)
})

test('no session is opened beyond the bound of partitions, and one that grows beyond it is closed', () => {
  const { sessions } = setup(10, 5)
  const id = openSession(sessions, [{ topic: 'a', partitions: [0, 1, 2] }])
  equal(openSession(sessions, [{ topic: 'b', partitions: [0, 1, 2] }]), 0)
  const plan = sessions.plan(ask(id, 1, [{ topic: 'a', partitions: [3, 4, 5] }]), false)
  equal(plan.kind, 'sessionless')
  equal(targetsOf(plan).length, 6)
  deepEqual([sessions.size, sessions.partitions], [0, 0])
})

test('without slots there are no sessions', () => {
  const { sessions } = setup(0)
  equal(openSession(sessions, [{ topic: 'a', partitions: [0] }]), 0)
})

test('however requests come, the cache stays within its bounds and counts right', () => {
  const next = seededNumbers(99)
  const { sessions, clock } = setup(20, 200)
  const known: { id: number; epoch: number }[] = []
  for (let step = 0; step < 5000; step++) {
    const partitions = Array.from({ length: Math.floor(next() * 20) }, () => Math.floor(next() * 30))
    const existing = known[Math.floor(next() * known.length)]
    if (existing === undefined || next() < 0.2) {
      const id = openSession(sessions, [{ topic: 't', partitions }], next() < 0.1)
      if (id !== 0) known.push({ id, epoch: 1 })
    } else {
      const topics = [{ topic: 't', partitions }]
      const plan = sessions.plan(
        next() < 0.5 ? ask(existing.id, existing.epoch, topics) : ask(existing.id, existing.epoch, [], topics),
        false,
      )
      if (plan.kind === 'incremental') existing.epoch++
      else known.splice(known.indexOf(existing), 1)
    }
    clock.advance(Math.floor(next() * 3000))
    equal(sessions.size <= 20, true)
    equal(sessions.partitions <= 200, true)
  }
  for (const { id, epoch } of known) sessions.plan(ask(id, epoch === 1 ? -1 : -1), false)
  deepEqual([sessions.size, sessions.partitions], [0, 0])
})
