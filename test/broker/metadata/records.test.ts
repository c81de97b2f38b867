import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { AssertionError } from '../../../broker/base/assert.ts'
import { metadataCodec, MetadataRecordError, type MetadataRecord } from '../../../broker/metadata/records.ts'
import { created, registered } from './images.ts'

const everyKind: readonly MetadataRecord[] = [
  { kind: 'cluster-created', clusterId: 'c' },
  { kind: 'controller-started', brokerId: 1, epoch: 2 },
  created('orders', [[1, 2], [2]], { 'retention.ms': '1' }),
  { kind: 'topic-deleted', topicId: 'id' },
  {
    kind: 'partitions-created',
    topicId: 'id',
    firstPartition: 2,
    partitions: [{ replicas: [1], isr: [1], leader: 1 }],
  },
  {
    kind: 'partitions-changed',
    topicId: 'id',
    changes: [
      { partition: 0, partitionEpoch: 1 },
      {
        partition: 1,
        partitionEpoch: 2,
        leaderEpoch: 3,
        leader: -1,
        isr: [],
        replicas: [1, 2],
        addingReplicas: [2],
        removingReplicas: [1],
      },
    ],
  },
  { kind: 'config-changed', type: 'topic', resource: 'orders', key: 'a', value: 'b' },
  { kind: 'config-changed', type: 'broker', resource: '', key: 'a', value: null },
  registered(1, { rack: 'r' }),
  { kind: 'broker-fencing-changed', brokerId: 1, brokerEpoch: 2, isFenced: true },
  { kind: 'broker-unregistered', brokerId: 1, brokerEpoch: 2 },
  { kind: 'feature-level-set', name: 'f', level: 1 },
  { kind: 'producer-ids-allocated', brokerId: 1, brokerEpoch: 2, nextProducerId: 1000 },
  { kind: 'snapshot-started' },
  { kind: 'snapshot-ended', imageVersion: 7 },
]

test('every kind of record comes back as it was written', () => {
  for (const record of everyKind) {
    const { key, value } = metadataCodec.encode(record)
    equal(key, null)
    deepEqual(metadataCodec.decode(key, value), record)
  }
})

test('a record is JSON that begins with its kind and version', () => {
  equal(
    String(metadataCodec.encode({ kind: 'topic-deleted', topicId: 'id' }).value),
    '{"kind":"topic-deleted","version":0,"topicId":"id"}',
  )
})

const decode = (text: string) => metadataCodec.decode(null, Buffer.from(text))

test('what a newer version wrote is refused with what to do', () => {
  throws(() => decode('{"kind":"topic-renamed","version":0}'), MetadataRecordError)
  throws(() => decode('{"kind":"topic-renamed","version":0}'), /the kind 'topic-renamed'.*written by a newer one/)
  throws(() => decode('{"kind":"topic-deleted","version":1,"topicId":"x"}'), /version 1 of the record 'topic-deleted'/)
  throws(() => decode('{"kind":"toString","version":0}'), /written by a newer one/)
})

test('damaged records say where', () => {
  throws(() => metadataCodec.decode(null, null), /without a value/)
  throws(() => decode('not JSON'), /not JSON/)
  throws(() => decode('[]'), /not an object/)
  throws(() => decode('{"kind":"topic-deleted","version":0}'), /topic-deleted.topicId must be a text/)
  throws(
    () => decode('{"kind":"topic-deleted","version":0,"topicId":"x","more":1}'),
    /topic-deleted.more is not a field/,
  )
  throws(
    () => decode('{"kind":"partitions-changed","version":0,"topicId":"x","changes":[{"partition":"0"}]}'),
    /partitions-changed.changes\[0\].partition must be an integer/,
  )
  throws(
    () => decode('{"kind":"config-changed","version":0,"type":"user","resource":"","key":"","value":""}'),
    /type must be one of topic, broker/,
  )
})

test('a malformed record is never written', () => {
  const wrong = { kind: 'topic-deleted', topicId: 5 } as unknown as MetadataRecord
  throws(() => metadataCodec.encode(wrong), AssertionError)
})
