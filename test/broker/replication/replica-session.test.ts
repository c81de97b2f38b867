import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import type { OutstandingFetch } from '../../../broker/machine/log-matching.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { Follower } from '../../../broker/replication/follower.ts'
import { ReplicaSession } from '../../../broker/replication/replica-session.ts'

const follower = (partition: number): Follower =>
  ({ log: { topicId: 'orders', partition, logStartOffset: 0 }, highWatermark: 0 }) as unknown as Follower

const fetch = (offset: number, leaderEpoch = 5): OutstandingFetch => ({
  number: offset,
  leaderEpoch,
  end: { offset, epoch: leaderEpoch },
})

const one = follower(1)
const two = follower(2)

function next(session: ReplicaSession, ...wanted: [Follower, OutstandingFetch][]) {
  const { sessionId, sessionEpoch, topics, forgottenTopicsData } = session.next(new Map(wanted), 1000)
  const named = topics.flatMap(({ partitions }) =>
    partitions.map(({ partition, fetchOffset }) => [partition, fetchOffset]),
  )
  const forgotten = forgottenTopicsData!.flatMap(({ partitions }) => partitions)
  return { session: [sessionId, sessionEpoch], named, forgotten }
}

function opened(): ReplicaSession {
  const session = new ReplicaSession()
  next(session, [one, fetch(10)], [two, fetch(20)])
  session.onResponse(ErrorCode.NONE, 7)
  return session
}

test('the first request names everything, later ones what has changed', () => {
  const session = new ReplicaSession()
  deepEqual(next(session, [one, fetch(10)], [two, fetch(20)]), {
    session: [0, 0],
    named: [[1, 10], [2, 20]], // prettier-ignore
    forgotten: [],
  })
  equal(session.onResponse(ErrorCode.NONE, 7), true)
  deepEqual(next(session, [one, fetch(11)], [two, fetch(20)]), { session: [7, 1], named: [[1, 11]], forgotten: [] })
  session.onResponse(ErrorCode.NONE, 7)
  deepEqual(next(session, [one, fetch(11)], [two, fetch(20)]), { session: [7, 2], named: [], forgotten: [] })
  equal(session.fetchOf(two)!.end.offset, 20)
})

test('a partition that is not wanted is forgotten, and named again when it is', () => {
  const session = opened()
  deepEqual(next(session, [one, fetch(10)]), { session: [7, 1], named: [], forgotten: [2] })
  equal(session.fetchOf(two), undefined)
  session.onResponse(ErrorCode.NONE, 7)
  deepEqual(next(session, [one, fetch(10)], [two, fetch(20)]), { session: [7, 2], named: [[2, 20]], forgotten: [] })
})

test('who follows the same partition in another epoch takes the place of the one before', () => {
  const session = opened()
  const successor = follower(2)
  deepEqual(next(session, [one, fetch(10)], [successor, fetch(20, 6)]), {
    session: [7, 1],
    named: [[2, 20]],
    forgotten: [],
  })
  equal(session.fetchOf(two), undefined)
})

test('after an error, a lost connection or without a session everything is named', () => {
  const everything = [[1, 10], [2, 20]] // prettier-ignore
  const wanted: [Follower, OutstandingFetch][] = [[one, fetch(10)], [two, fetch(20)]] // prettier-ignore
  const unknown = opened()
  equal(unknown.onResponse(ErrorCode.FETCH_SESSION_ID_NOT_FOUND, 0), false)
  deepEqual(next(unknown, ...wanted), { session: [0, 0], named: everything, forgotten: [] })
  const wrong = opened()
  equal(wrong.onResponse(ErrorCode.INVALID_FETCH_SESSION_EPOCH, 0), false)
  deepEqual(next(wrong, ...wanted), { session: [7, 0], named: everything, forgotten: [] })
  const lost = opened()
  lost.reset()
  deepEqual(next(lost, ...wanted), { session: [7, 0], named: everything, forgotten: [] })
  const full = new ReplicaSession()
  next(full, ...wanted)
  equal(full.onResponse(ErrorCode.NONE, 0), true)
  deepEqual(next(full, ...wanted), { session: [0, 0], named: everything, forgotten: [] })
})
