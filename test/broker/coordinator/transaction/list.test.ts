import { deepEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { listTransactions, unknownStates, type ListFilter } from '../../../../broker/coordinator/transaction/list.ts'
import { coordinator, ID } from './fixture.ts'

const ALL: ListFilter = { states: new Set(), producerIds: new Set(), durationMs: -1, matches: null }

function twoIds() {
  const self = coordinator()
  self.add(self.init())
  self.init(null, 'idle')
  const ids = (filter: Partial<ListFilter>, nowMs = self.nowMs) =>
    [...listTransactions(self.state, { ...ALL, ...filter }, nowMs)].map(({ transactionalId }) => transactionalId)
  return { ...self, ids }
}

test('without a filter every id is listed with its producer and state', () => {
  const { state, nowMs } = twoIds()
  deepEqual(
    [...listTransactions(state, ALL, nowMs)],
    [
      { transactionalId: ID, producerId: 100, transactionState: 'Ongoing' },
      { transactionalId: 'idle', producerId: 101, transactionState: 'Empty' },
    ],
  )
})

test('states, producers, duration and a pattern narrow the list', () => {
  const { ids, nowMs } = twoIds()
  deepEqual(ids({ states: new Set(['Ongoing', 'PrepareAbort']) }), [ID])
  deepEqual(ids({ producerIds: new Set([101]) }), ['idle'])
  deepEqual(ids({ matches: id => id.startsWith('pay') }), [ID])
  deepEqual(ids({ states: new Set(['Ongoing']), durationMs: 10 }, nowMs + 10), [])
  deepEqual(ids({ states: new Set(['Ongoing']), durationMs: 10 }, nowMs + 11), [ID])
})

test('states that there are none of are named', () => {
  deepEqual(unknownStates(['Ongoing', 'Sleeping', 'Empty']), ['Sleeping'])
})
