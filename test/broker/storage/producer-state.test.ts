import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { readHeader, type BatchHeader } from '../../../broker/records/batch.ts'
import { ProducerState, type ProducerVerdict } from '../../../broker/storage/producer-state.ts'
import { batchOf } from './log-fixture.ts'

const template = readHeader(batchOf(1, 1))

/** The header of a batch with `count` records at `offset`. */
function header(
  sequence: number,
  fields: Partial<BatchHeader> & { offset?: number; count?: number } = {},
): BatchHeader {
  const { offset = 0, count = 1, ...rest } = fields
  return {
    ...template,
    producerId: 7,
    producerEpoch: 0,
    baseOffset: offset,
    lastOffset: offset + count - 1,
    baseSequence: sequence,
    lastSequence: (sequence + count - 1) & 0x7fff_ffff,
    ...rest,
  }
}

function errorOf(verdict: ProducerVerdict): ErrorCode | string {
  return verdict.kind === 'error' ? verdict.errorCode : verdict.kind
}

/** Producer 7 with batches of one record each, with these sequences. */
function producersWith(...sequences: number[]): ProducerState {
  const producers = new ProducerState()
  for (const [offset, sequence] of sequences.entries()) producers.apply(header(sequence, { offset }))
  return producers
}

test('a batch without a producer id is never refused', () => {
  equal(producersWith(0).check(header(55, { producerId: -1 })).kind, 'ok')
})

test('a producer that is not known may begin with any sequence', () => {
  equal(new ProducerState().check(header(1234)).kind, 'ok')
})

test('the next sequence is accepted, a gap and an old sequence are out of order', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { count: 10 }))
  equal(producers.check(header(10)).kind, 'ok')
  equal(errorOf(producers.check(header(11))), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  equal(errorOf(producers.check(header(3))), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
})

test('each of the last five batches is recognised as a duplicate and answered with its old offset', () => {
  const producers = producersWith(0, 1, 2, 3, 4, 5)
  for (const sequence of [1, 2, 3, 4, 5]) {
    const verdict = producers.check(header(sequence, { offset: 99 }))
    deepEqual(verdict, {
      kind: 'duplicate',
      baseOffset: sequence,
      lastOffset: sequence,
      timestamp: template.maxTimestamp,
    })
  }
  equal(errorOf(producers.check(header(0))), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
})

test('a batch that begins like a remembered one but is longer is no duplicate', () => {
  equal(errorOf(producersWith(0, 1).check(header(1, { count: 2 }))), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
})

test('sequences wrap from 2^31 - 1 to 0', () => {
  const producers = producersWith(2 ** 31 - 1)
  equal(producers.check(header(0)).kind, 'ok')
  const across = new ProducerState()
  across.apply(header(2 ** 31 - 2, { count: 4 }))
  equal(across.check(header(2)).kind, 'ok')
})

test('an older epoch is fenced', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { producerEpoch: 3 }))
  equal(errorOf(producers.check(header(1, { producerEpoch: 2 }))), ErrorCode.INVALID_PRODUCER_EPOCH)
})

test('a new epoch begins with sequence 0 and forgets the batches of the old one', () => {
  const producers = producersWith(0, 1, 2)
  equal(errorOf(producers.check(header(3, { producerEpoch: 1 }))), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  equal(producers.check(header(0, { producerEpoch: 1 })).kind, 'ok')
  producers.apply(header(0, { producerEpoch: 1, offset: 3 }))
  equal(producers.get(7)!.batches.length, 1)
})

test('a transaction is open from its first batch to its marker', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { isTransactional: true, offset: 4 }))
  producers.apply(header(0, { producerId: 8, isTransactional: true, offset: 9 }))
  equal(producers.firstOpenTransactionOffset, 4)
  producers.apply(header(-1, { isTransactional: true, isControl: true, offset: 12 }), 33)
  equal(producers.firstOpenTransactionOffset, 9)
  equal(producers.get(7)!.coordinatorEpoch, 33)
  equal(producers.get(7)!.currentTransactionStartOffset, -1)
})

test('inside a transaction a batch that is not transactional is refused', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { isTransactional: true }))
  equal(errorOf(producers.check(header(1))), ErrorCode.INVALID_TXN_STATE)
})

test('a marker with a higher epoch fences the producer and makes it begin with sequence 0', () => {
  const producers = producersWith(0, 1)
  producers.apply(header(-1, { producerEpoch: 1, isControl: true, isTransactional: true }))
  equal(errorOf(producers.check(header(2))), ErrorCode.INVALID_PRODUCER_EPOCH)
  equal(errorOf(producers.check(header(2, { producerEpoch: 1 }))), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  equal(producers.check(header(0, { producerEpoch: 1 })).kind, 'ok')
})

test('a producer expires with its newest batch, but not inside a transaction', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { producerId: 1, maxTimestamp: 1000 }))
  producers.apply(header(0, { producerId: 2, maxTimestamp: 1001 }))
  producers.apply(header(0, { producerId: 3, maxTimestamp: 1000, isTransactional: true }))
  equal(producers.expire(1500, 500), 1)
  deepEqual(
    [...producers.entries()].map(entry => entry.producerId),
    [2, 3],
  )
})

test('what is encoded and loaded again is the same', () => {
  const producers = producersWith(2 ** 31 - 1, 0, 1)
  producers.apply(header(0, { producerId: 2 ** 50, producerEpoch: 9, isTransactional: true, offset: 2 ** 45 }))
  producers.apply(header(0, { producerId: 4, isTransactional: true, offset: 2 ** 44 }))
  producers.apply(header(-1, { producerId: 5, isControl: true, isTransactional: true }), 3)
  const copy = new ProducerState()
  copy.load(producers.encode())
  deepEqual([...copy.entries()], [...producers.entries()])
  equal(copy.firstOpenTransactionOffset, 2 ** 44)
})
