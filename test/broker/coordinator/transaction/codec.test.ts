import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { transactionCodec } from '../../../../broker/coordinator/transaction/codec.ts'
import type { TransactionRecord } from '../../../../broker/coordinator/transaction/state.ts'
import { LAST_CLIENT_EPOCH } from '../../../../broker/coordinator/transaction/transaction.ts'
import { coordinator, ID } from './fixture.ts'

function encoded(record: TransactionRecord) {
  const stored = transactionCodec.encode(record)
  if ('marker' in stored) throw new Error('a transactional id is no marker')
  return stored
}

function reread(record: TransactionRecord): TransactionRecord | null {
  const { key, value } = encoded(record)
  return transactionCodec.decode(key, value, null)
}

test('every step of a transaction can be read back', () => {
  for (const isCommit of [true, false]) {
    const { init, add, end, complete, records } = coordinator()
    const producer = init()
    add(producer, 'orders', 1)
    add(producer, 'orders', 7)
    add(producer, 'bills', 0)
    end(producer, isCommit)
    complete()
    equal(records.length, 6)
    for (const record of records) deepEqual(reread(record), record)
  }
})

test('the epoch that an end has bumped is known after reading, also across producer ids', () => {
  const { init, put, add, end, complete, get } = coordinator()
  init()
  put({ producerEpoch: LAST_CLIENT_EPOCH })
  const last = { producerId: 100, producerEpoch: LAST_CLIENT_EPOCH }
  add(last)
  end(last, true)
  deepEqual(reread({ transactionalId: ID, transaction: get() })!.transaction, get())
  complete()
  deepEqual(reread({ transactionalId: ID, transaction: get() })!.transaction, get())
})

test('the epoch that a start has bumped is not kept, as in Kafka', () => {
  const { init, get } = coordinator()
  init(init())
  equal(get().lastProducerEpoch, 0)
  equal(reread({ transactionalId: ID, transaction: get() })!.transaction!.lastProducerEpoch, -1)
})

test('a forgotten id is a tombstone', () => {
  const record = { transactionalId: ID, transaction: null }
  equal(encoded(record).value, null)
  deepEqual(reread(record), record)
})

test('the bytes are those of Kafka', () => {
  const { init, add, get } = coordinator()
  add(init(), 'a', 3)
  const { key, value } = encoded({ transactionalId: 'tx', transaction: get() })
  equal(key.toString('hex'), '0000' + '0002' + '7478')
  equal(
    value!.toString('hex'),
    [
      '0001',
      '0000000000000064', // producer id
      '0000', // epoch
      '0000ea60', // time-out
      '01', // Ongoing
      '02' + '0261' + '02' + '00000003' + '00', // a-3
      '00000000000003e8', // last update
      '00000000000003e8', // start
      '02' + '00' + '08' + '0000000000000064' + '02' + '02' + '0002', // previous producer id, version of the client
    ].join(''),
  )
})

test('what a Kafka with transaction.version 0 has written can be read', () => {
  const key = Buffer.from('000000027478', 'hex')
  const value = Buffer.from(
    '0000' + '0000000000000064' + '0001' + '0000ea60' + '00' + 'ffffffff' + '00000000000003e8' + 'ffffffffffffffff',
    'hex',
  )
  const { transaction } = transactionCodec.decode(key, value, null)!
  deepEqual(
    [transaction!.producerId, transaction!.producerEpoch, transaction!.state, transaction!.clientVersion],
    [100, 1, 'Empty', 0],
  )
  deepEqual([transaction!.previousProducerId, transaction!.nextProducerId, transaction!.startTimeMs], [-1, -1, -1])
})

test('keys of another kind are skipped; damaged values and states that nobody writes are not', () => {
  equal(transactionCodec.decode(Buffer.from('0007abcd', 'hex'), null, null), null)
  equal(transactionCodec.decode(Buffer.from('00', 'hex'), null, null), null)
  const { init, get } = coordinator()
  init()
  const { key, value } = encoded({ transactionalId: ID, transaction: get() })
  throws(() => transactionCodec.decode(key, value!.subarray(0, 20), null))
  throws(() => transactionCodec.decode(key.subarray(0, 5), value, null))
  for (const status of [6, 7, 8, 200]) {
    const damaged = Buffer.from(value!)
    damaged[16] = status
    throws(() => transactionCodec.decode(key, damaged, null), /nobody writes/)
  }
  const later = Buffer.from(value!)
  later.writeInt16BE(2, 0)
  throws(() => transactionCodec.decode(key, later, null), /version 2/)
})
