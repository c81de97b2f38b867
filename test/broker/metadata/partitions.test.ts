import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'vitest'
import type { MetadataImage } from '../../../broker/metadata/image.ts'
import { createPartitions, type PartitionsToCreate } from '../../../broker/metadata/partitions.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { created, decide, imageOf, registered, seededRandom } from './images.ts'

const image = imageOf(
  registered(1),
  registered(2),
  registered(3),
  created('a', [
    [1, 2],
    [2, 3],
  ]),
  created('b', [[1]]),
)

const to = (
  name: string,
  count: number,
  brokers: readonly (readonly number[])[] | null = null,
): PartitionsToCreate => ({
  name,
  count,
  assignments: brokers?.map(brokerIds => ({ brokerIds })) ?? null,
})

function grow(before: MetadataImage, topics: readonly PartitionsToCreate[], validateOnly = false) {
  const options = { validateOnly, random: seededRandom(1) }
  return decide(before, (current, emit) => createPartitions(current, topics, options, emit))
}

test('a topic grows to the count, with as many replicas as it has', () => {
  const { answer, image: after } = grow(image, [to('a', 5)])
  deepEqual(answer, [{ errorCode: 0, errorMessage: null, name: 'a' }])
  const { partitions } = after.topics.get('a')!
  deepEqual(
    partitions.map(({ partition }) => partition),
    [0, 1, 2, 3, 4],
  )
  for (const { replicas } of partitions) equal(new Set(replicas).size, 2)
  equal(after.partitionCount, 6)
})

test('the brokers of added partitions can be said', () => {
  const { image: after } = grow(image, [
    to('a', 4, [
      [3, 1],
      [1, 2],
    ]),
  ])
  deepEqual(
    after.topics.get('a')!.partitions.map(({ replicas }) => replicas),
    [
      [1, 2],
      [2, 3],
      [3, 1],
      [1, 2],
    ],
  )
})

test('validating changes nothing', () => {
  const { answer, records } = grow(image, [to('a', 5)], true)
  equal(answer[0]!.errorCode, ErrorCode.NONE)
  deepEqual(records, [])
})

test('a topic that cannot grow does not stop the others', () => {
  const { answer, image: after } = grow(image, [to('x', 5), to('b', 2)])
  deepEqual(
    answer.map(({ errorCode }) => errorCode),
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NONE],
  )
  equal(after.topics.get('b')!.partitions.length, 2)
})

test('what is not an increase, or asked for twice, is refused with the reason', () => {
  const wrong: [PartitionsToCreate[], ErrorCode, RegExp][] = [
    [[to('a', 2)], ErrorCode.INVALID_PARTITIONS, /^Topic already has 2 partition\(s\)\.$/],
    [[to('a', 1)], ErrorCode.INVALID_PARTITIONS, /^The topic a currently has 2 partition\(s\); 1 would not be an/],
    [[to('a', -5)], ErrorCode.INVALID_PARTITIONS, /-5 would not be an increase/],
    [[to('a', 3), to('a', 4)], ErrorCode.INVALID_REQUEST, /^Duplicate topic name\.$/],
    [
      [to('a', 4, [[1, 2]])],
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      /add 2 additional partition\(s\), but only 1 assignment/,
    ],
    [[to('a', 3, [[1]])], ErrorCode.INVALID_REPLICA_ASSIGNMENT, /with 1 replica\(s\), but this is not consistent/],
    [[to('a', 3, [[1, 1]])], ErrorCode.INVALID_REPLICA_ASSIGNMENT, /more than once/],
    [[to('a', 3, [[1, 7]])], ErrorCode.INVALID_REPLICA_ASSIGNMENT, /broker 7, but no such broker/],
    [[to('a', 3, [[]])], ErrorCode.INVALID_REPLICA_ASSIGNMENT, /empty replica list/],
    [[to('a', 10_003)], ErrorCode.POLICY_VIOLATION, /^Excessively large number of partitions/],
    [[to('a', 2147483647)], ErrorCode.POLICY_VIOLATION, /^Excessively large number of partitions/],
  ]
  for (const [topics, code, message] of wrong) {
    const { answer, records } = grow(image, topics)
    deepEqual(records, [], String(message))
    equal(answer.length, 1)
    equal(answer[0]!.errorCode, code, String(message))
    match(answer[0]!.errorMessage!, message)
  }
})

test('the bound on partitions is for all topics of a request together', () => {
  const { answer } = grow(image, [to('a', 6_002), to('b', 6_001), to('b2', 1)])
  deepEqual(
    answer.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.POLICY_VIOLATION, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  )
})

test('more replicas than there are brokers now cannot be placed', () => {
  const before = imageOf(registered(1), registered(2), created('a', [[1, 2]]), {
    kind: 'broker-unregistered',
    brokerId: 2,
    brokerEpoch: 102,
  })
  const { answer } = grow(before, [to('a', 2)])
  equal(answer[0]!.errorCode, ErrorCode.INVALID_REPLICATION_FACTOR)
  match(answer[0]!.errorMessage!, /only 1 broker\(s\) are registered/)
})
