import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import {
  admissionError,
  noTransactionGate,
  produceOperation,
  produceRefusal,
  txnOffsetCommitOperation,
} from '../../../broker/replication/transactions.ts'

test('what a client can do follows from the version of its request', () => {
  deepEqual([3, 10, 11, 12, 13].map(produceOperation), ['verify', 'verify', 'verify-abortable', 'add', 'add'])
  deepEqual([0, 3, 4, 5].map(txnOffsetCommitOperation), ['verify', 'verify', 'verify-abortable', 'add'])
})

test('a fenced producer is told of its old epoch, so that it aborts and goes on', () => {
  equal(admissionError(ErrorCode.PRODUCER_FENCED, 'verify'), ErrorCode.INVALID_PRODUCER_EPOCH)
  equal(admissionError(ErrorCode.PRODUCER_FENCED, 'add'), ErrorCode.INVALID_PRODUCER_EPOCH)
})

test('TRANSACTION_ABORTABLE is INVALID_TXN_STATE to clients that do not know it', () => {
  equal(produceRefusal(ErrorCode.TRANSACTION_ABORTABLE, 'verify').errorCode, ErrorCode.INVALID_TXN_STATE)
  equal(produceRefusal(ErrorCode.TRANSACTION_ABORTABLE, 'verify').message, 'Partition was not added to the transaction')
  deepEqual(produceRefusal(ErrorCode.TRANSACTION_ABORTABLE, 'verify-abortable'), {
    errorCode: ErrorCode.TRANSACTION_ABORTABLE,
    message: null,
  })
})

test('a coordinator that cannot be asked is NOT_ENOUGH_REPLICAS, which every client retries', () => {
  for (const errorCode of [
    ErrorCode.NETWORK_EXCEPTION,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
  ]) {
    equal(produceRefusal(errorCode, 'verify').errorCode, ErrorCode.NOT_ENOUGH_REPLICAS)
    equal(produceRefusal(errorCode, 'add').errorCode, ErrorCode.NOT_ENOUGH_REPLICAS)
  }
})

test('CONCURRENT_TRANSACTIONS is left to clients of transaction.version 2 and hidden from older ones', () => {
  equal(produceRefusal(ErrorCode.CONCURRENT_TRANSACTIONS, 'add').errorCode, ErrorCode.CONCURRENT_TRANSACTIONS)
  const { errorCode, message } = produceRefusal(ErrorCode.CONCURRENT_TRANSACTIONS, 'verify')
  equal(errorCode, ErrorCode.NOT_ENOUGH_REPLICAS)
  equal(
    message,
    'Unable to verify the partition has been added to the transaction. Underlying error: CONCURRENT_TRANSACTIONS',
  )
})

test('without a coordinator nothing is admitted', async () => {
  const request = { transactionalId: 't', producerId: 1, producerEpoch: 0, canAdd: true }
  const partitions = [
    { topic: 'a', partition: 0 },
    { topic: 'b', partition: 1 },
  ]
  deepEqual(await noTransactionGate.admit({ ...request, partitions }), [
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ])
})
