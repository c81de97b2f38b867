import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { initProducerId } from '../../../broker/api/init-producer-id.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { InitProducerId } from '../../../broker/protocol/messages/init-producer-id.ts'
import { testBroker, type TestBroker } from './fixture.ts'

async function init(broker: TestBroker, asked: object = {}, version = 5) {
  const request = { transactionalId: null, transactionTimeoutMs: 60_000, ...asked }
  const answer = await broker.ask(InitProducerId, initProducerId, version, request)
  return [answer.errorCode, answer.producerId, answer.producerEpoch] as const
}

test('every idempotent producer gets an id of its own and epoch 0', async () => {
  const broker = await testBroker()
  const given = await Promise.all(Array.from({ length: 2500 }, (_, index) => init(broker, {}, index % 6)))
  equal(new Set(given.map(([, producerId]) => producerId)).size, 2500)
  for (const [errorCode, producerId, epoch] of given) {
    deepEqual([errorCode, producerId >= 0, epoch], [ErrorCode.NONE, true, 0])
  }
})

test('a producer that comes with the id it had gets a fresh one', async () => {
  const broker = await testBroker()
  const [, first] = await init(broker)
  const [errorCode, second, epoch] = await init(broker, { producerId: first, producerEpoch: 3 })
  deepEqual([errorCode, second === first, epoch], [ErrorCode.NONE, false, 0])
})

test('an id without an epoch, and the other way round, is INVALID_REQUEST', async () => {
  const broker = await testBroker()
  deepEqual(await init(broker, { producerId: 5 }), [ErrorCode.INVALID_REQUEST, -1, -1])
  deepEqual(await init(broker, { producerEpoch: 5 }), [ErrorCode.INVALID_REQUEST, -1, -1])
})

test('while the metadata log fails the answer is COORDINATOR_LOAD_IN_PROGRESS, which clients retry', async () => {
  const broker = await testBroker()
  broker.metadataLog.refusesNext = true
  deepEqual(await init(broker), [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, -1, -1])
})

test('empty transactional ids and time-outs out of range are refused before anybody is asked', async () => {
  const broker = await testBroker()
  equal((await init(broker, { transactionalId: '' }))[0], ErrorCode.INVALID_REQUEST)
  for (const transactionTimeoutMs of [0, -1, 900_001]) {
    const [errorCode] = await init(broker, { transactionalId: 'bank', transactionTimeoutMs })
    equal(errorCode, ErrorCode.INVALID_TRANSACTION_TIMEOUT)
  }
})

test('version 6 is not served, because it is not stable in Kafka', () => {
  deepEqual(initProducerId.versions, [0, 5])
})
