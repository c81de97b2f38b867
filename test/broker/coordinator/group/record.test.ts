// The bytes of `__consumer_offsets` are Kafka's: checked here against records that Apache Kafka 4 wrote, byte by byte where they are fixed.
import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { groupCodec, type GroupRecord } from '../../../../broker/coordinator/group/record.ts'
import { GroupWorld } from './group-world.ts'

function stored(record: GroupRecord): { readonly key: Buffer; readonly value: Buffer | null } {
  const encoded = groupCodec.encode(record)
  if ('marker' in encoded) throw new Error('a marker has no key')
  return encoded
}

const OFFSET: GroupRecord = {
  kind: 'offset-committed',
  groupId: 'g',
  topic: 'orders',
  partition: 2,
  committed: { offset: 7, leaderEpoch: 3, metadata: 'm', commitTimestampMs: 5, expireTimestampMs: -1 },
  transaction: null,
}

test('an offset is a key of type 1 and a value of version 3', () => {
  const { key, value } = stored(OFFSET)
  equal(key.toString('hex'), '0001' + '0001' + '67' + '0006' + '6f7264657273' + '00000002')
  equal(value!.toString('hex'), '0003' + '0000000000000007' + '00000003' + '0001' + '6d' + '0000000000000005')
  deepEqual(groupCodec.decode(key, value, null), OFFSET)
})

test('an offset with a time of expiry is a value of version 1, which has no leader epoch', () => {
  const committed = { offset: 7, leaderEpoch: -1, metadata: 'm', commitTimestampMs: 5, expireTimestampMs: 9 }
  const record: GroupRecord = { ...OFFSET, committed }
  const { key, value } = stored(record)
  equal(value!.toString('hex'), '0001' + '0000000000000007' + '0001' + '6d' + '0000000000000005' + '0000000000000009')
  deepEqual(groupCodec.decode(key, value, null), record)
})

test('a null value is a tombstone', () => {
  const offset: GroupRecord = { kind: 'offset-deleted', groupId: 'g', topic: 'orders', partition: 2 }
  const group: GroupRecord = { kind: 'group-deleted', groupId: 'g' }
  for (const record of [offset, group]) {
    const { key, value } = stored(record)
    equal(value, null)
    deepEqual(groupCodec.decode(key, null, null), record)
  }
})

test('a group comes back as it was written, stable if it has members', () => {
  const world = new GroupWorld()
  const [leader] = world.stable(1)
  world.join({ groupInstanceId: 'static' })
  world.join({ memberId: leader! })
  world.sync(leader!, { [leader!]: 'everything' })
  const group = world.group()
  const { key, value } = stored({ kind: 'group-written', group })
  equal(value!.readInt16BE(0), 3)
  const decoded = groupCodec.decode(key, value, null)
  if (decoded?.kind !== 'group-written') throw new Error('no group')
  const summary = ({ group: one }: typeof decoded) => [
    one.phase,
    one.generation,
    one.protocolType,
    one.protocol,
    one.leaderId,
    one.sizeBytes,
    [...one.supporters],
    [...one.subscribedTopics!],
    [...one.members.values()].map(member => [
      member.memberId,
      member.groupInstanceId,
      member.clientId,
      member.clientHost,
      member.sessionTimeoutMs,
      member.rebalanceTimeoutMs,
      String(member.assignment),
    ]),
  ]
  deepEqual(summary(decoded), summary({ kind: 'group-written', group }))
})

test('the record of a transaction says of which one it is', () => {
  const transaction = { producerId: 9, producerEpoch: 1 }
  const encoded = groupCodec.encode({ ...OFFSET, transaction })
  deepEqual('marker' in encoded ? null : encoded.transaction, transaction)
  const { key, value } = stored(OFFSET)
  deepEqual(groupCodec.decode(key, value, transaction), { ...OFFSET, transaction })
})

test('records of other kinds of groups are passed over, values of a later version are not', () => {
  equal(groupCodec.decode(Buffer.from('0003000167', 'hex'), Buffer.alloc(0), null), null)
  const { key } = stored(OFFSET)
  throws(() => groupCodec.decode(key, Buffer.from('0005', 'hex'), null), /version 5/)
})
