import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'vitest'
import { ZERO_UUID } from '../../../broker/base/uuid.ts'
import type { MetadataImage } from '../../../broker/metadata/image.ts'
import { createTopics, deleteTopics, type TopicToCreate } from '../../../broker/metadata/topics.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { created, decide, imageOf, registered, seededRandom } from './images.ts'

const oneBroker = imageOf(registered(1))
const threeBrokers = imageOf(registered(1), registered(2), registered(3))

function wanted(name: string, over: Partial<TopicToCreate> = {}): TopicToCreate {
  return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [], ...over }
}

function assigned(...brokerIds: readonly (readonly number[])[]): TopicToCreate['assignments'] {
  return brokerIds.map((ids, partitionIndex) => ({ partitionIndex, brokerIds: ids }))
}

function create(image: MetadataImage, topics: readonly TopicToCreate[], validateOnly = false) {
  const options = { validateOnly, random: seededRandom(1), defaultNumPartitions: 4, defaultReplicationFactor: 1 }
  return decide(image, (before, emit) => createTopics(before, topics, options, emit))
}

function refusal(image: MetadataImage, topic: TopicToCreate) {
  const { answer, records } = create(image, [topic])
  deepEqual(records, [])
  equal(answer[0]!.topicId, ZERO_UUID)
  return { code: answer[0]!.errorCode, message: answer[0]!.errorMessage }
}

test('a topic without numbers gets the defaults and a fresh id', () => {
  const { answer, image } = create(oneBroker, [wanted('orders')])
  const topic = image.topics.get('orders')!
  equal(topic.partitions.length, 4)
  deepEqual(
    topic.partitions.map(partition => partition.replicas),
    [[1], [1], [1], [1]],
  )
  deepEqual(answer[0], {
    errorCode: 0,
    errorMessage: null,
    name: 'orders',
    topicId: topic.topicId,
    numPartitions: 4,
    replicationFactor: 1,
    configs: new Map(),
  })
  equal(topic.topicId.length, 22)
})

test('partitions, replicas and configs are as asked for', () => {
  const configs = [
    { name: 'retention.ms', value: '1000' },
    { name: 'cleanup.policy', value: 'compact,delete' },
  ]
  const { image } = create(threeBrokers, [wanted('orders', { numPartitions: 6, replicationFactor: 3, configs })])
  const topic = image.topics.get('orders')!
  equal(topic.partitions.length, 6)
  for (const { replicas, isr, leader } of topic.partitions) {
    deepEqual([...replicas].sort(), [1, 2, 3])
    deepEqual(isr, replicas)
    equal(leader, replicas[0])
  }
  deepEqual(
    [...topic.configs],
    [
      ['retention.ms', '1000'],
      ['cleanup.policy', 'compact,delete'],
    ],
  )
})

test('assignments by hand are taken as they are, in any order', () => {
  const assignments = [
    { partitionIndex: 1, brokerIds: [2, 3] },
    { partitionIndex: 0, brokerIds: [3, 1] },
  ]
  const { image, answer } = create(threeBrokers, [wanted('orders', { assignments })])
  deepEqual(
    image.topics.get('orders')!.partitions.map(partition => partition.replicas),
    [
      [3, 1],
      [2, 3],
    ],
  )
  equal(answer[0]!.replicationFactor, 2)
})

test('a fenced broker gets replicas but is neither leader nor in sync', () => {
  const image = imageOf(registered(1, { isFenced: true }), registered(2))
  const { image: after } = create(image, [wanted('orders', { assignments: assigned([1, 2]) })])
  const [partition] = after.topics.get('orders')!.partitions
  deepEqual(partition!.replicas, [1, 2])
  deepEqual(partition!.isr, [2])
  equal(partition!.leader, 2)
})

test('one topic that cannot be created does not stop the others', () => {
  const { answer, image } = create(oneBroker, [wanted('a'), wanted('b c'), wanted('d')])
  deepEqual(
    answer.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['a', ErrorCode.NONE],
      ['b c', ErrorCode.INVALID_TOPIC_EXCEPTION],
      ['d', ErrorCode.NONE],
    ],
  )
  deepEqual([...image.topics.keys()].sort(), ['a', 'd'])
})

test('validating tells what would happen and changes nothing', () => {
  const { answer, records } = create(oneBroker, [wanted('a', { numPartitions: 2 }), wanted('..')], true)
  deepEqual(records, [])
  deepEqual(
    answer.map(({ errorCode, numPartitions, topicId }) => [errorCode, numPartitions, topicId]),
    [
      [ErrorCode.NONE, 2, ZERO_UUID],
      [ErrorCode.INVALID_TOPIC_EXCEPTION, -1, ZERO_UUID],
    ],
  )
})

test('a topic named twice in one request is refused and not created', () => {
  const { answer, image } = create(oneBroker, [wanted('a'), wanted('b'), wanted('a')])
  deepEqual(
    answer.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['a', ErrorCode.INVALID_REQUEST],
      ['b', ErrorCode.NONE],
    ],
  )
  equal(answer[0]!.errorMessage, 'Duplicate topic name.')
  deepEqual([...image.topics.keys()], ['b'])
})

test('a topic that exists is refused', () => {
  deepEqual(refusal(imageOf(registered(1), created('a')), wanted('a')), {
    code: ErrorCode.TOPIC_ALREADY_EXISTS,
    message: "Topic 'a' already exists.",
  })
})

test('names that differ only in dots and underscores collide, also within one request', () => {
  deepEqual(refusal(imageOf(registered(1), created('a.b')), wanted('a_b')), {
    code: ErrorCode.INVALID_TOPIC_EXCEPTION,
    message: "Topic 'a_b' collides with existing topic: a.b",
  })
  const { answer, image } = create(oneBroker, [wanted('x_y'), wanted('x.y')])
  equal(answer[0]!.errorCode, ErrorCode.NONE)
  equal(answer[1]!.errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION)
  equal(answer[1]!.errorMessage, "Topic 'x.y' collides with another topic of this request: x_y")
  deepEqual([...image.topics.keys()], ['x_y'])
})

test('a name that is refused for another reason does not block the one it resembles', () => {
  const { answer } = create(oneBroker, [wanted('x_y', { numPartitions: 0 }), wanted('x.y')])
  deepEqual(
    answer.map(({ errorCode }) => errorCode),
    [ErrorCode.INVALID_PARTITIONS, ErrorCode.NONE],
  )
})

test('the metadata topic cannot be created, other internal topics can', () => {
  deepEqual(refusal(oneBroker, wanted('__cluster_metadata')), {
    code: ErrorCode.INVALID_REQUEST,
    message: 'Creation of internal topic __cluster_metadata is prohibited.',
  })
  equal(create(oneBroker, [wanted('__consumer_offsets')]).answer[0]!.errorCode, ErrorCode.NONE)
})

test('numbers that make no sense are refused', () => {
  for (const numPartitions of [0, -2, -2147483648]) {
    equal(refusal(oneBroker, wanted('a', { numPartitions })).code, ErrorCode.INVALID_PARTITIONS)
  }
  for (const replicationFactor of [0, -2, -32768]) {
    deepEqual(refusal(oneBroker, wanted('a', { replicationFactor })), {
      code: ErrorCode.INVALID_REPLICATION_FACTOR,
      message: 'Replication factor must be larger than 0, or -1 to use the default value.',
    })
  }
})

test('more replicas than brokers, or only fenced brokers, are refused with the reason', () => {
  deepEqual(refusal(oneBroker, wanted('a', { replicationFactor: 3 })), {
    code: ErrorCode.INVALID_REPLICATION_FACTOR,
    message:
      'Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 broker(s) are registered.',
  })
  deepEqual(refusal(imageOf(registered(1, { isFenced: true })), wanted('a')), {
    code: ErrorCode.INVALID_REPLICATION_FACTOR,
    message: 'Unable to replicate the partition 1 time(s): All brokers are currently fenced.',
  })
})

test('assignments that make no sense are refused with the reason', () => {
  const wrong: [Partial<TopicToCreate>, ErrorCode, RegExp][] = [
    [{ assignments: assigned([1]), numPartitions: 1 }, ErrorCode.INVALID_REQUEST, /numPartitions was not set to -1/],
    [{ assignments: assigned([1]), replicationFactor: 1 }, ErrorCode.INVALID_REQUEST, /factor was not set to -1/],
    [{ assignments: assigned([]) }, ErrorCode.INVALID_REPLICA_ASSIGNMENT, /empty replica list/],
    [{ assignments: assigned([1, 9]) }, ErrorCode.INVALID_REPLICA_ASSIGNMENT, /broker 9, but no such broker is/],
    [{ assignments: assigned([1, 2, 1]) }, ErrorCode.INVALID_REPLICA_ASSIGNMENT, /the broker 1 more than once/],
    [
      { assignments: assigned([1, 2], [1]) },
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      /partition with 1 replica\(s\).*have 2/,
    ],
    [
      { assignments: [...assigned([1]), { partitionIndex: 0, brokerIds: [2] }] },
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      /multiple manual partition assignments for partition 0/,
    ],
    [
      { assignments: [{ partitionIndex: 1, brokerIds: [1] }] },
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      /consecutive 0-based integer sequence/,
    ],
    [
      { assignments: [{ partitionIndex: -1, brokerIds: [1] }] },
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      /consecutive 0-based integer sequence/,
    ],
  ]
  for (const [over, code, message] of wrong) {
    const refused = refusal(threeBrokers, wanted('a', over))
    equal(refused.code, code, String(message))
    match(refused.message!, message)
  }
  const fenced = imageOf(registered(1, { isFenced: true }), registered(2))
  match(refusal(fenced, wanted('a', { assignments: assigned([2], [1]) })).message!, /partition 1 are fenced/)
})

test('configs that are null, unknown or wrong are refused', () => {
  const configs = (name: string, value: string | null) =>
    refusal(oneBroker, wanted('a', { configs: [{ name, value }] }))
  deepEqual(configs('retention.ms', null), {
    code: ErrorCode.INVALID_CONFIG,
    message: 'Null value not supported for topic configs: retention.ms',
  })
  equal(configs('retention.ms', 'soon').code, ErrorCode.INVALID_CONFIG)
  match(configs('retention.ms', 'soon').message!, /soon.*retention\.ms/)
  match(
    configs('retention.msec', '1').message!,
    /^Unknown topic config name: retention\.msec\. Did you mean retention\.ms\?$/,
  )
})

test('a request may ask for 10,000 partitions and no more', () => {
  const { answer, image } = create(oneBroker, [wanted('a', { numPartitions: 9_996 }), wanted('b')])
  deepEqual(
    answer.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.NONE],
  )
  equal(image.partitionCount, 10_000)
  const excess = create(oneBroker, [wanted('a', { numPartitions: 9_997 }), wanted('b')])
  deepEqual(excess.records, [])
  for (const result of excess.answer) {
    equal(result.errorCode, ErrorCode.POLICY_VIOLATION)
    match(result.errorMessage!, /^Excessively large number of partitions per request/)
  }
  equal(
    create(oneBroker, [wanted('a', { numPartitions: 2147483647 })]).answer[0]!.errorCode,
    ErrorCode.POLICY_VIOLATION,
  )
})

const withTopics = imageOf(registered(1), created('a'), created('b'))
const remove = (...topics: readonly { name?: string; topicId?: string }[]) =>
  decide(withTopics, (image, emit) =>
    deleteTopics(
      image,
      topics.map(({ name = null, topicId = ZERO_UUID }) => ({ name, topicId })),
      emit,
    ),
  )

test('topics are deleted by name and by id, and the answer has both', () => {
  const { answer, image } = remove({ name: 'a' }, { topicId: 'id-of-b' })
  deepEqual(answer, [
    { errorCode: 0, errorMessage: null, name: 'a', topicId: 'id-of-a' },
    { errorCode: 0, errorMessage: null, name: 'b', topicId: 'id-of-b' },
  ])
  equal(image.topics.size, 0)
})

test('what is unknown is refused by the name or id it was asked for', () => {
  const { answer, image } = remove({ name: 'x' }, { topicId: 'y' }, { name: 'a' })
  deepEqual(
    answer.map(({ errorCode, name, topicId }) => [errorCode, name, topicId]),
    [
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'x', ZERO_UUID],
      [ErrorCode.UNKNOWN_TOPIC_ID, null, 'y'],
      [ErrorCode.NONE, 'a', 'id-of-a'],
    ],
  )
  deepEqual([...image.topics.keys()], ['b'])
})

test('what is asked for twice is refused once and stays, also once by name and once by id', () => {
  for (const twice of [
    [{ name: 'a' }, { name: 'a' }],
    [{ name: 'a' }, { topicId: 'id-of-a' }],
    [{ topicId: 'id-of-a' }, { topicId: 'id-of-a' }],
  ]) {
    const { answer, records } = remove(...twice)
    deepEqual(records, [])
    deepEqual(
      answer.map(({ errorCode }) => errorCode),
      [ErrorCode.INVALID_REQUEST],
    )
  }
})

test('both a name and an id, or neither, is refused', () => {
  const { answer } = remove({ name: 'a', topicId: 'id-of-a' }, {})
  deepEqual(
    answer.map(({ errorCode, errorMessage }) => [errorCode, errorMessage]),
    [
      [ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.'],
      [ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.'],
    ],
  )
})

test('a name can be used again once its topic is deleted', () => {
  const { image } = remove({ name: 'a' })
  equal(create(image, [wanted('a')]).answer[0]!.errorCode, ErrorCode.NONE)
})
