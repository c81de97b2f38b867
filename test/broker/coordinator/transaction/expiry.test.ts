import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { abortTimedOut, forgetUnused, timedOut } from '../../../../broker/coordinator/transaction/expiry.ts'
import { LAST_CLIENT_EPOCH } from '../../../../broker/coordinator/transaction/transaction.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { coordinator, ID, TIMEOUT_MS } from './fixture.ts'

test('a transaction is late when its time-out has passed since it began', () => {
  const self = coordinator()
  self.add(self.init())
  const startedMs = self.nowMs
  deepEqual(timedOut(self.state, startedMs + TIMEOUT_MS), [])
  deepEqual(
    timedOut(self.state, startedMs + TIMEOUT_MS + 1).map(({ transactionalId }) => transactionalId),
    [ID],
  )
})

test('a late transaction is aborted with a bumped epoch, so that its producer cannot go on', () => {
  const self = coordinator()
  const producer = self.init()
  self.add(producer)
  self.nowMs += TIMEOUT_MS + 1
  equal(
    self.decide(circumstances => abortTimedOut(self.state, ID, circumstances, self.emit)),
    true,
  )
  deepEqual([self.get().state, self.get().producerEpoch], ['PrepareAbort', 1])
  equal(self.add(producer), ErrorCode.PRODUCER_FENCED)
})

test('a transaction that has ended or begun anew meanwhile is left alone', () => {
  const self = coordinator()
  const producer = self.init()
  self.add(producer)
  self.nowMs += TIMEOUT_MS + 1
  const next = self.end(producer, true)
  equal(
    self.decide(circumstances => abortTimedOut(self.state, ID, circumstances, self.emit)),
    false,
  )
  self.complete()
  self.add(next)
  equal(
    self.decide(circumstances => abortTimedOut(self.state, ID, circumstances, self.emit)),
    false,
  )
  equal(self.get().state, 'Ongoing')
})

test('a time-out in the last epoch of a producer id leads to another id', () => {
  const self = coordinator()
  self.init()
  self.put({ producerEpoch: LAST_CLIENT_EPOCH })
  self.add({ producerId: 100, producerEpoch: LAST_CLIENT_EPOCH })
  self.nowMs += TIMEOUT_MS + 1
  equal(
    self.decide(circumstances => abortTimedOut(self.state, ID, circumstances, self.emit)),
    true,
  )
  self.complete()
  deepEqual([self.get().producerId, self.get().producerEpoch], [101, 0])
})

test('an id without a transaction is forgotten when it was not used for long', () => {
  const self = coordinator()
  self.init(null, 'old')
  self.nowMs += 100
  self.init(null, 'young')
  equal(forgetUnused(self.state, self.nowMs, 100, 10, self.emit), 1)
  deepEqual([...self.state.transactions.keys()], ['young'])
  deepEqual(self.records.at(-1), { transactionalId: 'old', transaction: null })
})

test('an id with an open transaction is not forgotten, however old', () => {
  const self = coordinator()
  const producer = self.init()
  self.add(producer)
  equal(forgetUnused(self.state, Number.MAX_SAFE_INTEGER, 100, 10, self.emit), 0)
  self.end(producer, true)
  equal(forgetUnused(self.state, Number.MAX_SAFE_INTEGER, 100, 10, self.emit), 0)
  self.complete()
  equal(forgetUnused(self.state, Number.MAX_SAFE_INTEGER, 100, 10, self.emit), 1)
})

test('many ids are forgotten a few at a time', () => {
  const self = coordinator()
  for (let i = 0; i < 25; i++) self.init(null, `id-${i}`)
  equal(forgetUnused(self.state, Number.MAX_SAFE_INTEGER, 1, 10, self.emit), 10)
  equal(self.state.transactions.size, 15)
})
