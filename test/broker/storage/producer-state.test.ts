import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { readHeader, type BatchHeader } from '../../../broker/records/batch.ts'
import { ProducerState, type MarkerInit, type ProducerVerdict } from '../../../broker/storage/producer-state.ts'
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

const COMMIT = { result: 'commit', coordinatorEpoch: 33 } as const

/** The header of a control batch at `offset`. */
function marker(offset: number, fields: Partial<BatchHeader> = {}): BatchHeader {
  return header(-1, { offset, isTransactional: true, isControl: true, ...fields })
}

function end(producerEpoch: number, fields: Partial<MarkerInit> = {}): MarkerInit {
  return { producerId: 7, producerEpoch, coordinatorEpoch: 0, transactionVersion: 0, ...fields }
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
  equal(producers.firstOpenOffset, 4)
  deepEqual(producers.apply(marker(12), COMMIT), { producerId: 7, firstOffset: 4, lastOffset: 12 })
  equal(producers.firstOpenOffset, 9)
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
  producers.apply(marker(2, { producerEpoch: 1 }), COMMIT)
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
  producers.apply(marker(5, { producerId: 5 }), COMMIT)
  producers.apply(header(0, { producerId: 6, isTransactional: true, offset: 70 }))
  producers.apply(marker(80, { producerId: 6 }), COMMIT)
  const copy = new ProducerState()
  copy.load(producers.encode())
  deepEqual([...copy.entries()], [...producers.entries()])
  equal(copy.firstOpenOffset, 2 ** 44)
  equal(copy.firstUnstableOffset, 70)
  copy.settleBelow(81)
  equal(copy.firstUnstableOffset, 2 ** 44)
})

test('producers that an earlier version wrote down are read', () => {
  const value = producersWith(0, 1).encode()
  const old = Buffer.from(value.subarray(0, value.length - 4))
  old[0] = 1
  const copy = new ProducerState()
  copy.load(old)
  deepEqual([...copy.entries()], [...producersWith(0, 1).entries()])
  old[0] = 3
  throws(() => copy.load(old), /newer broker/)
})

test('a transaction that has ended is unstable until the high watermark has passed its marker', () => {
  const producers = new ProducerState()
  equal(producers.firstUnstableOffset, -1)
  producers.apply(header(0, { isTransactional: true, offset: 4 }))
  producers.apply(header(0, { producerId: 8, isTransactional: true, offset: 6 }))
  producers.apply(marker(9, { producerId: 8 }), COMMIT)
  producers.apply(marker(12), COMMIT)
  equal(producers.firstOpenOffset, -1)
  equal(producers.firstUnstableOffset, 4)
  producers.settleBelow(12)
  equal(producers.firstUnstableOffset, 4)
  producers.settleBelow(13)
  equal(producers.firstUnstableOffset, -1)
})

test('a marker without a transaction changes the epoch and nothing else', () => {
  const producers = producersWith(0)
  equal(producers.apply(marker(1, { producerEpoch: 2 }), COMMIT), null)
  equal(producers.firstUnstableOffset, -1)
  equal(producers.get(7)!.producerEpoch, 2)
})

test('a control batch whose marker was compacted away changes nothing', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { isTransactional: true, offset: 4 }))
  equal(producers.apply(marker(5, { producerEpoch: 3 }), null), null)
  deepEqual([producers.firstOpenOffset, producers.get(7)!.producerEpoch], [4, 0])
})

test('a transaction is ongoing for the epoch that began it only', () => {
  const producers = new ProducerState()
  equal(producers.hasOpenTransaction(7, 0), false)
  producers.apply(header(0, { isTransactional: true, offset: 4 }))
  deepEqual([producers.hasOpenTransaction(7, 0), producers.hasOpenTransaction(7, 1)], [true, false])
  producers.apply(marker(5), COMMIT)
  equal(producers.hasOpenTransaction(7, 0), false)
})

test('a marker of an older epoch is refused, whatever the transaction version', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { producerEpoch: 5, isTransactional: true }))
  for (const transactionVersion of [0, 1, 2]) {
    equal(errorOf(producers.checkMarker(end(4, { transactionVersion }))), ErrorCode.INVALID_PRODUCER_EPOCH)
  }
})

test('with transaction version 2 a marker is above the epoch of the batches, before it may be the same', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { producerEpoch: 5, isTransactional: true }))
  equal(producers.checkMarker(end(5, { transactionVersion: 0 })).kind, 'ok')
  equal(producers.checkMarker(end(6, { transactionVersion: 2 })).kind, 'ok')
  equal(errorOf(producers.checkMarker(end(5, { transactionVersion: 2 }))), ErrorCode.INVALID_PRODUCER_EPOCH)
})

test('the same marker once more is accepted while no transaction is open', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { producerEpoch: 5, isTransactional: true }))
  producers.apply(marker(1, { producerEpoch: 6 }), COMMIT)
  equal(producers.checkMarker(end(6, { transactionVersion: 2, coordinatorEpoch: 33 })).kind, 'ok')
  producers.apply(header(0, { producerEpoch: 6, isTransactional: true, offset: 2 }))
  equal(
    errorOf(producers.checkMarker(end(6, { transactionVersion: 2, coordinatorEpoch: 33 }))),
    ErrorCode.INVALID_PRODUCER_EPOCH,
  )
})

test('a coordinator that was replaced writes no marker any more', () => {
  const producers = new ProducerState()
  producers.apply(header(0, { isTransactional: true }))
  producers.apply(marker(1), { result: 'abort', coordinatorEpoch: 9 })
  const stale = producers.checkMarker(end(0, { coordinatorEpoch: 8 }))
  equal(errorOf(stale), ErrorCode.TRANSACTION_COORDINATOR_FENCED)
  equal(producers.checkMarker(end(0, { coordinatorEpoch: 9 })).kind, 'ok')
})

test('a producer that nothing is known of may be sent a marker', () => {
  equal(new ProducerState().checkMarker(end(3)).kind, 'ok')
})
