import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { ElectionType, electLeaders, type TopicPartitions } from '../../../broker/metadata/elections.ts'
import { NO_LEADER } from '../../../broker/metadata/image.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { created, decide, imageOf, registered } from './images.ts'

const { PREFERRED, UNCLEAN } = ElectionType

/** Topic 't' with one partition on the brokers 1 and 2, as `change` leaves it. */
function clusterWith(change: { leader: number; isr?: readonly number[] }, ...records: MetadataRecord[]) {
  const changed: MetadataRecord = {
    kind: 'partitions-changed',
    topicId: 'id-of-t',
    changes: [{ partition: 0, partitionEpoch: 1, leaderEpoch: 1, ...change }],
  }
  return imageOf(registered(1), registered(2), created('t', [[1, 2]]), changed, ...records)
}

function elect(image: ReturnType<typeof imageOf>, type: number, wanted: readonly TopicPartitions[] | null) {
  const { answer, image: after } = decide(image, (before, emit) => electLeaders(before, type, wanted, emit))
  const results = answer.flatMap(({ partitionResult }) =>
    partitionResult.map(({ partitionId, errorCode, errorMessage }) => [partitionId, errorCode, errorMessage]),
  )
  return { results, partition: after.topics.get('t')!.partitions[0]! }
}

const t0: TopicPartitions[] = [{ topic: 't', partitions: [0] }]

test('the preferred replica becomes leader again, in a new epoch, when it is in sync', () => {
  const { results, partition } = elect(clusterWith({ leader: 2 }), PREFERRED, t0)
  deepEqual(results, [[0, ErrorCode.NONE, null]])
  deepEqual([partition.leader, partition.leaderEpoch, partition.partitionEpoch], [1, 2, 2])
})

test('a preferred replica that is behind, or away, stays what it is', () => {
  const message = 'The preferred leader was not available.'
  const behind = elect(clusterWith({ leader: 2, isr: [2] }), PREFERRED, t0)
  deepEqual(behind.results, [[0, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, message]])
  equal(behind.partition.leader, 2)
  const away = elect(clusterWith({ leader: 2 }, registered(1, { isFenced: true })), PREFERRED, t0)
  deepEqual(away.results, [[0, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, message]])
})

test('where the right one leads, no election is needed', () => {
  const message = 'Leader election not needed for topic partition.'
  deepEqual(elect(clusterWith({ leader: 1 }), PREFERRED, t0).results, [[0, ErrorCode.ELECTION_NOT_NEEDED, message]])
  deepEqual(elect(clusterWith({ leader: 2 }), UNCLEAN, t0).results, [[0, ErrorCode.ELECTION_NOT_NEEDED, message]])
})

test('a partition that is named twice is elected once', () => {
  const twice = [
    { topic: 't', partitions: [0, 0] },
    { topic: 't', partitions: [0] },
  ]
  const { results, partition } = elect(clusterWith({ leader: 2 }), PREFERRED, twice)
  deepEqual(
    results.map(([, errorCode]) => errorCode),
    [ErrorCode.NONE, ErrorCode.ELECTION_NOT_NEEDED, ErrorCode.ELECTION_NOT_NEEDED],
  )
  equal(partition.leaderEpoch, 2)
})

test('for all partitions only those are told that had an election', () => {
  deepEqual(elect(clusterWith({ leader: 1 }), PREFERRED, null).results, [])
  deepEqual(elect(clusterWith({ leader: 2 }), PREFERRED, null).results, [[0, ErrorCode.NONE, null]])
})

test('a partition without a leader gets one that is in sync, and no other', () => {
  const led = elect(clusterWith({ leader: NO_LEADER, isr: [2] }), UNCLEAN, t0)
  deepEqual(led.results, [[0, ErrorCode.NONE, null]])
  equal(led.partition.leader, 2)
  const none = elect(clusterWith({ leader: NO_LEADER, isr: [2] }, registered(2, { isFenced: true })), UNCLEAN, t0)
  deepEqual(none.results, [
    [0, ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, 'Eligible topic partition leaders are not available.'],
  ])
})

test('topics and partitions that do not exist are told by name', () => {
  const wanted = [
    { topic: 'missing', partitions: [0] },
    { topic: 't', partitions: [7, -1] },
  ]
  const { UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode
  deepEqual(elect(clusterWith({ leader: 1 }), PREFERRED, wanted).results, [
    [0, UNKNOWN_TOPIC_OR_PARTITION, 'No such topic as missing'],
    [7, UNKNOWN_TOPIC_OR_PARTITION, 'No such partition as t-7'],
    [-1, UNKNOWN_TOPIC_OR_PARTITION, 'No such partition as t--1'],
  ])
})

test('more partitions than one request may change are refused, all of them, and nothing is looked at', () => {
  const many = [{ topic: 't', partitions: new Array<number>(10_001).fill(0) }]
  const { results, partition } = elect(clusterWith({ leader: 2 }), PREFERRED, many)
  equal(results.length, 10_001)
  ok(results.every(([, errorCode]) => errorCode === ErrorCode.POLICY_VIOLATION))
  equal(partition.leader, 2)
})
