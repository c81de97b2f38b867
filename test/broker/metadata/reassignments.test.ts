import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'vitest'
import { alterPartitionReassignments } from '../../../broker/metadata/reassignments.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { created, decide, imageOf, registered } from './images.ts'

const cluster = imageOf(registered(1), registered(2), registered(3), created('t', [[1, 2], [1]]))

function reassign(...wanted: [name: string, partitionIndex: number, replicas: readonly number[] | null][]) {
  const topics = wanted.map(([name, partitionIndex, replicas]) => ({
    name,
    partitions: [{ partitionIndex, replicas }],
  }))
  const { answer, records, image } = decide(cluster, (before, emit) =>
    alterPartitionReassignments(before, topics, emit),
  )
  const results = answer.map(({ partitions }) => [partitions[0]!.errorCode, partitions[0]!.errorMessage] as const)
  return { results, records, partitions: image.topics.get('t')!.partitions }
}

test('the replicas that a partition has already are fine, and nothing changes', () => {
  const { results, records } = reassign(['t', 0, [1, 2]], ['t', 1, [1]])
  deepEqual(results, [
    [ErrorCode.NONE, null],
    [ErrorCode.NONE, null],
  ])
  deepEqual(records, [])
})

test('replicas may change their order: the first one is preferred, and who leads goes on', () => {
  const { results, partitions } = reassign(['t', 0, [2, 1]], ['t', 0, [1, 2]], ['t', 0, [2, 1]])
  deepEqual(
    results.map(([code]) => code),
    [ErrorCode.NONE, ErrorCode.NONE, ErrorCode.NONE],
  )
  deepEqual(partitions[0]!.replicas, [2, 1])
  deepEqual([partitions[0]!.leader, partitions[0]!.leaderEpoch, partitions[0]!.partitionEpoch], [1, 0, 3])
})

test('what cannot be a partition of this cluster is refused with the reason', () => {
  const { UNKNOWN_TOPIC_OR_PARTITION, INVALID_REPLICA_ASSIGNMENT, NO_REASSIGNMENT_IN_PROGRESS } = ErrorCode
  const { results, records } = reassign(
    ['missing', 0, [1]],
    ['t', 9, [1]],
    ['t', -1, null],
    ['t', 0, null],
    ['t', 0, []],
    ['t', 0, [1, 1]],
    ['t', 0, [1, 9]],
  )
  deepEqual(results, [
    [UNKNOWN_TOPIC_OR_PARTITION, 'Unable to find a topic named missing.'],
    [UNKNOWN_TOPIC_OR_PARTITION, 'Unable to find partition t:9.'],
    [UNKNOWN_TOPIC_OR_PARTITION, 'Unable to find partition t:-1.'],
    [NO_REASSIGNMENT_IN_PROGRESS, null],
    [INVALID_REPLICA_ASSIGNMENT, 'The manual partition assignment includes an empty replica list.'],
    [INVALID_REPLICA_ASSIGNMENT, 'The manual partition assignment includes the broker 1 more than once.'],
    [
      INVALID_REPLICA_ASSIGNMENT,
      'The manual partition assignment includes broker 9, but no such broker is registered.',
    ],
  ])
  deepEqual(records, [])
})

test('a request of more than 10,000 partitions is refused as a whole', () => {
  const many = Array.from({ length: 10_001 }, (_, index): [string, number, number[]] => [
    't',
    0,
    index % 2 === 0 ? [2, 1] : [1, 2],
  ])
  const { results, records } = reassign(...many)
  deepEqual(new Set(results.map(([code]) => code)), new Set([ErrorCode.POLICY_VIOLATION]))
  deepEqual(records, [])
})

test('moving a partition to another broker is refused', () => {
  const { results, records } = reassign(['t', 1, [3]])
  equal(results[0]![0], ErrorCode.INVALID_REPLICA_ASSIGNMENT)
  match(results[0]![1]!, /^The partition is on the brokers 1; moving it to others is not possible yet/)
  deepEqual(records, [])
})
