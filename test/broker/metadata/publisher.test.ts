import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import type { MetadataImage } from '../../../broker/metadata/image.ts'
import { Publisher, type MetadataDelta } from '../../../broker/metadata/publisher.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { replay } from '../../../broker/metadata/replay.ts'
import { created, registered, stateOf } from './images.ts'

function listening(...before: readonly MetadataRecord[]) {
  const state = stateOf(...before)
  const publisher = new Publisher()
  publisher.publish(before, state.image)
  const seen: { delta: MetadataDelta; image: MetadataImage }[] = []
  const stop = publisher.subscribe((delta, image) => seen.push({ delta, image }))
  return {
    publisher,
    seen,
    stop,
    commit(...records: readonly MetadataRecord[]): MetadataDelta {
      for (const record of records) replay(state, record)
      publisher.publish(records, state.image)
      return seen.at(-1)!.delta
    },
    rebuild(...records: readonly MetadataRecord[]): MetadataDelta {
      publisher.publishAll(stateOf(...records).image)
      return seen.at(-1)!.delta
    },
  }
}

const change = (partition: number, partitionEpoch: number) => ({ partition, partitionEpoch })

test('a subscriber is told everything at once', () => {
  const { seen } = listening(registered(1), created('a'), {
    kind: 'config-changed',
    type: 'broker',
    resource: '',
    key: 'k',
    value: 'v',
  })
  deepEqual([...seen[0]!.delta.changedTopics], ['id-of-a'])
  deepEqual([...seen[0]!.delta.changedBrokers], [1])
  deepEqual([...seen[0]!.delta.changedBrokerConfigs], [''])
  equal(seen[0]!.delta.deletedTopics.size, 0)
})

test('then it is told what changed, with the image after it', () => {
  const { commit, seen, publisher } = listening(registered(1), created('a'), created('b'), created('c'))
  const delta = commit(
    { kind: 'partitions-changed', topicId: 'id-of-a', changes: [change(0, 1)] },
    { kind: 'config-changed', type: 'topic', resource: 'b', key: 'k', value: 'v' },
    { kind: 'broker-fencing-changed', brokerId: 1, brokerEpoch: 101, isFenced: true },
  )
  deepEqual([...delta.changedTopics].sort(), ['id-of-a', 'id-of-b'])
  deepEqual([...delta.changedBrokers], [1])
  equal(publisher.image, seen.at(-1)!.image)
  equal(publisher.image.topics.get('b')!.configs.get('k'), 'v')
})

test('a deleted topic is shown as it was last', () => {
  const { commit } = listening(created('a', [[1], [1]]))
  const delta = commit({ kind: 'topic-deleted', topicId: 'id-of-a' })
  equal(delta.changedTopics.size, 0)
  equal(delta.deletedTopics.get('id-of-a')!.partitions.length, 2)
})

test('a topic that is created and deleted in one commit is not mentioned; one that is replaced is both', () => {
  const { commit } = listening(created('a'))
  const nothing = commit(created('b'), { kind: 'topic-deleted', topicId: 'id-of-b' })
  equal(nothing.changedTopics.size + nothing.deletedTopics.size, 0)
  const replaced = commit({ kind: 'topic-deleted', topicId: 'id-of-a' }, {
    ...created('a'),
    topicId: 'second',
  } as MetadataRecord)
  deepEqual([...replaced.changedTopics], ['second'])
  deepEqual([...replaced.deletedTopics.keys()], ['id-of-a'])
})

test('after a rebuild everything may have changed, and what is gone is named', () => {
  const { rebuild } = listening(created('a'), created('b'))
  const delta = rebuild(created('b'), created('c'))
  deepEqual([...delta.changedTopics].sort(), ['id-of-b', 'id-of-c'])
  deepEqual([...delta.deletedTopics.keys()], ['id-of-a'])
})

test('who has stopped is not told any more', () => {
  const { commit, seen, stop } = listening(created('a'))
  stop()
  seen.push({ delta: null as never, image: null as never })
  commit(created('b'))
  equal(seen.length, 2)
})
