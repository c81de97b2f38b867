// The APIs of committed offsets on a broker without sockets: versions, shapes, what is refused. What is decided is tested in
// test/broker/coordinator/group.
import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'vitest'
import { listGroups } from '../../../broker/api/list-groups.ts'
import { offsetDelete } from '../../../broker/api/offset-delete.ts'
import { offsetFetch } from '../../../broker/api/offset-fetch.ts'
import { ZERO_UUID } from '../../../broker/base/uuid.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { ListGroups } from '../../../broker/protocol/messages/list-groups.ts'
import { OffsetDelete } from '../../../broker/protocol/messages/offset-delete.ts'
import { OffsetFetch } from '../../../broker/protocol/messages/offset-fetch.ts'
import { settled, testBroker } from './fixture.ts'
import { commit, coordinator, GROUP, partition, stable } from './grouping.ts'

describe('OffsetCommit and OffsetFetch', () => {
  test('partitions that do not exist are refused one by one, the others are stored', async () => {
    const broker = await coordinator()
    const answer = await commit(broker, 8, [
      { name: 'orders', partitions: [partition(0, 5), partition(7, 1), partition(1, 6)] },
      { name: 'nothing', partitions: [partition(0, 1)] },
    ])
    deepEqual(
      answer.topics.map(({ name, partitions }) => [name, partitions.map(({ errorCode }) => errorCode)]),
      [
        ['orders', [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NONE]],
        ['nothing', [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]],
      ],
    )
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 7, {
      groupId: GROUP,
      topics: [{ name: 'orders', partitionIndexes: [1, 0, 7] }],
    })
    deepEqual(
      fetched.topics[0]!.partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
      [[1, 6], [0, 5], [7, -1]],
    ) // prettier-ignore
  })

  test('what is named again is refused, so that no answer is larger than what is stored', async () => {
    const broker = await coordinator()
    await commit(broker, 8, [{ name: 'orders', partitions: [partition(0, 5)] }])
    const topics = [
      { name: 'orders', partitionIndexes: [0, 0] },
      { name: 'orders', partitionIndexes: [0, 1] },
    ]
    const groups = [{ groupId: GROUP, topics }, { groupId: GROUP, topics: null }] // prettier-ignore
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 8, { groups })
    deepEqual(
      fetched.groups[0]!.topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      [
        [ErrorCode.NONE, ErrorCode.INVALID_REQUEST],
        [ErrorCode.INVALID_REQUEST, ErrorCode.NONE],
      ],
    )
    deepEqual(
      fetched.groups.map(({ errorCode }) => errorCode),
      [ErrorCode.NONE, ErrorCode.INVALID_REQUEST],
    )
  })

  test('every version commits and fetches', async () => {
    for (let version = 2; version <= 10; version++) {
      const broker = await coordinator()
      const { topicId } = broker.context.image().topics.get('orders')!
      const topic = version >= 10 ? { topicId } : { name: 'orders' }
      const committed = await commit(broker, version, [{ ...topic, partitions: [partition(0, version)] }])
      equal(committed.topics[0]!.partitions[0]!.errorCode, ErrorCode.NONE, `v${version}`)
      if (version >= 8) {
        for (const topics of [[{ ...topic, partitionIndexes: [0] }], null]) {
          const fetched = await broker.ask(OffsetFetch, offsetFetch, version, { groups: [{ groupId: GROUP, topics }] })
          const group = fetched.groups[0]!
          deepEqual([group.topics[0]!.partitions[0]!.committedOffset, group.errorCode], [version, 0], `v${version}`)
          deepEqual(
            version >= 10 ? group.topics[0]!.topicId : group.topics[0]!.name,
            version >= 10 ? topicId : 'orders',
          )
        }
      } else {
        const topics = [{ name: 'orders', partitionIndexes: [0] }]
        const fetched = await broker.ask(OffsetFetch, offsetFetch, version - 1, { groupId: GROUP, topics })
        equal(fetched.topics[0]!.partitions[0]!.committedOffset, version, `v${version}`)
      }
    }
  })

  test('an id that no topic has is UNKNOWN_TOPIC_ID, in commit and fetch', async () => {
    const broker = await coordinator()
    const topicId = 'BBBBBBBBBBBBBBBBBBBBBB'
    const committed = await commit(broker, 10, [{ topicId, partitions: [partition(0, 1)] }])
    equal(committed.topics[0]!.partitions[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_ID)
    const groups = [{ groupId: GROUP, topics: [{ topicId, partitionIndexes: [0] }] }]
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 10, { groups })
    equal(fetched.groups[0]!.topics[0]!.partitions[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_ID)
  })

  test('an error of the whole commit is that of every partition', async () => {
    const broker = await coordinator()
    await stable(broker)
    const topics = [{ name: 'orders', partitions: [partition(0, 1), partition(1, 1)] }]
    const answer = await commit(broker, 9, topics, { memberId: 'foreign', generationIdOrMemberEpoch: 1 })
    deepEqual(
      answer.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.UNKNOWN_MEMBER_ID],
    )
  })

  test('the metadata of an offset is bounded by offset.metadata.max.bytes', async () => {
    const broker = await coordinator({ config: { 'offset.metadata.max.bytes': '3' } })
    const topics = [{ name: 'orders', partitions: [partition(0, 1, 'four'), partition(1, 1, 'two')] }]
    const answer = await commit(broker, 9, topics)
    deepEqual(
      answer.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.OFFSET_METADATA_TOO_LARGE, ErrorCode.NONE],
    )
  })

  test('metadata as long as the protocol can carry is refused and leaves no offset, none at all is fine', async () => {
    const broker = await coordinator()
    const topics = [{ name: 'orders', partitions: [partition(0, 1, 'x'.repeat(32_767)), partition(1, 1, null)] }]
    const answer = await commit(broker, 9, topics)
    deepEqual(
      answer.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.OFFSET_METADATA_TOO_LARGE, ErrorCode.NONE],
    )
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 9, { groups: [{ groupId: GROUP, topics: null }] })
    const [found] = fetched.groups[0]!.topics[0]!.partitions
    deepEqual([found!.partitionIndex, found!.committedOffset, found!.metadata], [1, 1, ''])
  })

  test('in version 1 an error is that of each partition', async () => {
    const broker = await testBroker()
    const topics = [{ name: 'orders', partitionIndexes: [0, 1] }]
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 1, { groupId: GROUP, topics })
    deepEqual(
      fetched.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_NOT_AVAILABLE],
    )
  })

  test('offsets in an open transaction are unstable, and count when it is committed', async () => {
    const broker = await coordinator()
    const { groups } = broker.context
    const transaction = { producerId: 5, producerEpoch: 0 }
    const committer = { groupId: GROUP, generationId: -1, memberId: '', groupInstanceId: null }
    const offsets = [{ topic: 'orders', partition: 0, offset: 9, leaderEpoch: -1, metadata: null }]
    deepEqual(await groups.commitTransactionalOffsets({ ...committer, offsets }, transaction), [ErrorCode.NONE])
    const fetch = async () => {
      const topics = [{ name: 'orders', partitionIndexes: [0] }]
      const asked = { groups: [{ groupId: GROUP, topics }], requireStable: true }
      const fetched = await broker.ask(OffsetFetch, offsetFetch, 9, asked)
      return fetched.groups[0]!.topics[0]!.partitions[0]
    }
    const asked = await fetch()
    deepEqual([asked!.errorCode, asked!.committedOffset], [ErrorCode.UNSTABLE_OFFSET_COMMIT, -1])
    const marker = { ...transaction, result: 'commit', coordinatorEpoch: 1 } as const
    equal(await groups.completeTransaction(groups.partitionOf(GROUP), marker), ErrorCode.NONE)
    equal((await fetch())!.committedOffset, 9)
  })

  test('a topic that is deleted takes its offsets with it', async () => {
    const broker = await coordinator()
    await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 5)] }])
    await broker.context.controller.deleteTopics([{ name: 'orders', topicId: ZERO_UUID }])
    for (let turn = 0; turn < 10; turn++) await settled()
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 9, { groups: [{ groupId: GROUP, topics: null }] })
    deepEqual(fetched.groups[0]!.topics, [])
  })

  test('the upkeep of many groups goes in pieces, so that others have their turn', async () => {
    const config = { 'offsets.retention.minutes': '1', 'offsets.retention.check.interval.ms': '60000' }
    const broker = await coordinator({ config })
    for (let count = 0; count < 450; count++) {
      await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 5)] }], { groupId: `group-${count}` })
    }
    const listed = async () => {
      for (let turn = 0; turn < 10; turn++) await settled()
      return (await broker.ask(ListGroups, listGroups, 5, {})).groups.length
    }
    const seen: number[] = []
    for (const delayMs of [60_000, 0, 0]) {
      broker.clock.advance(delayMs)
      seen.push(await listed())
    }
    deepEqual(seen, [250, 50, 0])
  })

  test('offsets expire when the group has been empty for offsets.retention.minutes', async () => {
    const config = { 'offsets.retention.minutes': '1', 'offsets.retention.check.interval.ms': '10000' }
    const broker = await coordinator({ config })
    await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 5)] }])
    const listed = async () => {
      for (let turn = 0; turn < 10; turn++) await settled()
      return (await broker.ask(ListGroups, listGroups, 5, {})).groups.length
    }
    broker.clock.advance(50_000)
    equal(await listed(), 1)
    broker.clock.advance(10_000)
    equal(await listed(), 0)
  })

  test('offsets are deleted partition by partition', async () => {
    const broker = await coordinator()
    await commit(broker, 9, [{ name: 'orders', partitions: [partition(0, 1), partition(1, 1)] }])
    const topics = [{ name: 'orders', partitions: [{ partitionIndex: 5 }, { partitionIndex: 1 }] }]
    const answer = await broker.ask(OffsetDelete, offsetDelete, 0, { groupId: GROUP, topics })
    deepEqual(
      answer.topics[0]!.partitions.map(({ errorCode }) => errorCode),
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NONE],
    )
    const fetched = await broker.ask(OffsetFetch, offsetFetch, 9, { groups: [{ groupId: GROUP, topics: null }] })
    deepEqual(fetched.groups[0]!.topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex), [0]) // prettier-ignore
  })
})
