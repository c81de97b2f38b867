// The markers that end transactions.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { buildBatch, isCrcValid, readHeader } from '../../../broker/records/batch.ts'
import { buildEndTransactionMarker, readEndTransactionMarker } from '../../../broker/records/control.ts'

// MemoryRecords.withEndTransactionMarker of kafka-clients 4.4.0, coordinator epoch 6.
const COMMIT =
  '00000000000000150000004200000004025e120281003000000000000001a3185c5000000001a3185c500000000000000000090003ffffffff0000000' +
  '12000000008000000010c00000000000600'
const ABORT =
  '0000000000000015000000420000000402aa2cd4c9003000000000000001a3185c5000000001a3185c500000000000000000090003ffffffff0000000' +
  '12000000008000000000c00000000000600'

const fields = {
  baseOffset: 21,
  leaderEpoch: 4,
  producerId: 9,
  producerEpoch: 3,
  coordinatorEpoch: 6,
  timestamp: 1_800_000_000_000,
} as const

test('a marker is built as Java builds it', () => {
  equal(buildEndTransactionMarker({ ...fields, result: 'commit' }).toString('hex'), COMMIT)
  equal(buildEndTransactionMarker({ ...fields, result: 'abort' }).toString('hex'), ABORT)
})

test('a marker of Java is read', () => {
  deepEqual(readEndTransactionMarker(Buffer.from(COMMIT, 'hex')), { result: 'commit', coordinatorEpoch: 6 })
  deepEqual(readEndTransactionMarker(Buffer.from(ABORT, 'hex')), { result: 'abort', coordinatorEpoch: 6 })
})

test('a marker is a transactional control batch of one record without a sequence', () => {
  const batch = buildEndTransactionMarker({ ...fields, result: 'commit' })
  const header = readHeader(batch)
  equal(isCrcValid(batch), true)
  equal(header.isControl, true)
  equal(header.isTransactional, true)
  equal(header.recordCount, 1)
  equal(header.baseSequence, -1)
  equal(header.lastSequence, -1)
})

test('batches of records, other control records and emptied batches are no markers', () => {
  const leaderChange = Buffer.from([0, 0, 0, 2])
  equal(readEndTransactionMarker(buildBatch({ records: [{ timestamp: 0, key: Buffer.from([0, 0, 0, 1]) }] })), null)
  equal(readEndTransactionMarker(buildBatch({ isControl: true, records: [{ timestamp: 0, key: leaderChange }] })), null)
  equal(readEndTransactionMarker(buildBatch({ isControl: true, records: [{ timestamp: 0 }] })), null)
  equal(readEndTransactionMarker(buildBatch({ isControl: true, records: [] })), null)
})
