import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'vitest'
import { complete as completeTransaction } from '../../../../broker/coordinator/transaction/end.ts'
import { LAST_CLIENT_EPOCH, type TransactionState } from '../../../../broker/coordinator/transaction/transaction.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { coordinator, ID } from './fixture.ts'

const PRODUCER = { producerId: 100, producerEpoch: 0 }

function ongoing(clientVersion = 2) {
  const self = coordinator()
  self.init()
  self.add(PRODUCER, 'orders', 0, clientVersion)
  return self
}

describe('version 2', () => {
  test('an end bumps the epoch, keeps the partitions for their markers, and tells the producer', () => {
    const { end, get } = ongoing()
    deepEqual(end(PRODUCER, true), { errorCode: ErrorCode.NONE, producerId: 100, producerEpoch: 1 })
    const { state, producerEpoch, lastProducerEpoch, partitions } = get()
    deepEqual([state, producerEpoch, lastProducerEpoch], ['PrepareCommit', 1, 0])
    deepEqual([...partitions.keys()], ['orders'])
  })

  test('when the markers are written the transaction is complete and has no partitions', () => {
    for (const isCommit of [true, false]) {
      const { end, complete, get } = ongoing()
      end(PRODUCER, isCommit)
      equal(complete(), true)
      const { state, producerEpoch, partitions } = get()
      deepEqual([state, producerEpoch, partitions.size], [isCommit ? 'CompleteCommit' : 'CompleteAbort', 1, 0])
    }
  })

  test('the old epoch can do nothing more', () => {
    const { end, add, complete } = ongoing()
    end(PRODUCER, true)
    equal(add(PRODUCER), ErrorCode.PRODUCER_FENCED)
    complete()
    equal(add(PRODUCER), ErrorCode.PRODUCER_FENCED)
  })

  test('a repeated end is answered as the first one, and changes nothing', () => {
    for (const isCommit of [true, false]) {
      const { end, complete, records } = ongoing()
      const first = end(PRODUCER, isCommit)
      equal(end(PRODUCER, isCommit).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS)
      complete()
      const before = records.length
      deepEqual(end(PRODUCER, isCommit), first)
      equal(records.length, before)
    }
  })

  test('a repeated end that wants the other result is refused', () => {
    for (const isCommit of [true, false]) {
      const { end, complete } = ongoing()
      end(PRODUCER, isCommit)
      equal(end(PRODUCER, !isCommit).errorCode, ErrorCode.INVALID_TXN_STATE)
      complete()
      equal(end(PRODUCER, !isCommit).errorCode, ErrorCode.INVALID_TXN_STATE)
    }
  })

  test('committing nothing is refused', () => {
    const { init, end } = coordinator()
    equal(end(init(), true).errorCode, ErrorCode.INVALID_TXN_STATE)
  })

  test('aborting nothing bumps the epoch and needs no marker', () => {
    const { init, end, get } = coordinator()
    deepEqual(end(init(), false), { errorCode: ErrorCode.NONE, producerId: 100, producerEpoch: 1 })
    equal(get().state, 'CompleteAbort')
  })

  test('aborting nothing after a commit bumps the epoch once more', () => {
    const { end, complete } = ongoing()
    const next = end(PRODUCER, true)
    complete()
    deepEqual(end(next, false), { errorCode: ErrorCode.NONE, producerId: 100, producerEpoch: 2 })
    deepEqual(end(next, false), { errorCode: ErrorCode.NONE, producerId: 100, producerEpoch: 2 })
  })

  test('the next transaction waits for the end of this one', () => {
    const { end, add, complete } = ongoing()
    const next = end(PRODUCER, true)
    equal(add(next), ErrorCode.CONCURRENT_TRANSACTIONS)
    equal(end(next, false).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS)
    complete()
    equal(add(next), ErrorCode.NONE)
  })

  test('the end of the last epoch gives another producer id', () => {
    const self = ongoing()
    self.put({ producerEpoch: LAST_CLIENT_EPOCH })
    const last = { producerId: 100, producerEpoch: LAST_CLIENT_EPOCH }
    const next = { errorCode: ErrorCode.NONE, producerId: 101, producerEpoch: 0 }
    deepEqual(self.end(last, true), next)
    const { producerId, producerEpoch, nextProducerId } = self.get()
    deepEqual([producerId, producerEpoch, nextProducerId], [100, LAST_CLIENT_EPOCH + 1, 101])
    equal(self.add(next), ErrorCode.CONCURRENT_TRANSACTIONS)
    equal(self.end(last, true).errorCode, ErrorCode.CONCURRENT_TRANSACTIONS)
    self.complete()
    deepEqual(self.end(last, true), next)
    equal(self.end(last, false).errorCode, ErrorCode.INVALID_TXN_STATE)
    equal(self.add(next), ErrorCode.NONE)
  })

  test('a producer whose transaction timed out may abort it and go on, but not commit', () => {
    const { init, end, complete } = ongoing()
    init()
    complete()
    equal(end(PRODUCER, true).errorCode, ErrorCode.INVALID_TXN_STATE)
    deepEqual(end(PRODUCER, false), { errorCode: ErrorCode.NONE, producerId: 100, producerEpoch: 1 })
  })

  test('once a successor has started, the producer before it can end nothing', () => {
    const { init, end, complete } = ongoing()
    init()
    complete()
    init()
    equal(end(PRODUCER, false).errorCode, ErrorCode.PRODUCER_FENCED)
    equal(end(PRODUCER, true).errorCode, ErrorCode.PRODUCER_FENCED)
  })
})

describe('versions 0 and 1', () => {
  test('an end keeps the epoch', () => {
    const { end, complete, get } = ongoing(0)
    deepEqual(end(PRODUCER, true, 0), { errorCode: ErrorCode.NONE, ...PRODUCER })
    complete()
    deepEqual([get().state, get().producerEpoch], ['CompleteCommit', 0])
  })

  test('what an end is answered depends on the state and on what it wants', () => {
    const { CONCURRENT_TRANSACTIONS, INVALID_TXN_STATE, NONE } = ErrorCode
    const table: [TransactionState, number, number][] = [
      ['Empty', INVALID_TXN_STATE, INVALID_TXN_STATE],
      ['PrepareCommit', CONCURRENT_TRANSACTIONS, INVALID_TXN_STATE],
      ['PrepareAbort', INVALID_TXN_STATE, CONCURRENT_TRANSACTIONS],
      ['CompleteCommit', NONE, INVALID_TXN_STATE],
      ['CompleteAbort', INVALID_TXN_STATE, NONE],
    ]
    for (const [state, whenCommitted, whenAborted] of table) {
      const { init, put, end, records } = coordinator()
      init()
      put({ state })
      const before = records.length
      equal(end(PRODUCER, true, 0).errorCode, whenCommitted, `${state}, commit`)
      equal(end(PRODUCER, false, 0).errorCode, whenAborted, `${state}, abort`)
      equal(records.length, before)
    }
  })

  test('the epoch before is fenced, whatever it wants', () => {
    const { init, end, put } = ongoing(0)
    put({ state: 'CompleteCommit', producerEpoch: 1 })
    equal(end(PRODUCER, true, 0).errorCode, ErrorCode.PRODUCER_FENCED)
    equal(init(null).producerEpoch, 2)
  })

  test('an end of version 2 is no repetition of an older one', () => {
    const { end, put } = ongoing(0)
    put({ state: 'CompleteCommit', producerEpoch: 1 })
    equal(end(PRODUCER, true, 2).errorCode, ErrorCode.PRODUCER_FENCED)
  })
})

test('foreign producers and epochs that were never given are refused', () => {
  const { end, records } = ongoing()
  const before = records.length
  for (const version of [0, 2]) {
    equal(end({ producerId: 5, producerEpoch: 0 }, true, version).errorCode, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    equal(end({ producerId: 100, producerEpoch: 9 }, true, version).errorCode, ErrorCode.PRODUCER_FENCED)
    equal(end({ producerId: 100, producerEpoch: -1 }, true, version).errorCode, ErrorCode.PRODUCER_FENCED)
  }
  equal(records.length, before)
})

test('markers of a transaction that is not the current one complete nothing', () => {
  const { init, add, end, complete, get, state, emit, records } = ongoing()
  end(PRODUCER, true)
  const first = get()
  complete()
  const before = records.length
  equal(completeTransaction(state, first, 0, emit), false)
  const second = init()
  add(second)
  end(second, true)
  equal(completeTransaction(state, first, 0, emit), false)
  equal(get().state, 'PrepareCommit')
  equal(records.length, before + 3)
})

test('ongoing and prepared transactions are known as such', () => {
  const { end, complete, state } = ongoing()
  deepEqual([[...state.ongoing], [...state.prepared]], [[ID], []])
  end(PRODUCER, true)
  deepEqual([[...state.ongoing], [...state.prepared]], [[], [ID]])
  complete()
  deepEqual([[...state.ongoing], [...state.prepared]], [[], []])
})
