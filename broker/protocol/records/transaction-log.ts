// A transactional id in `__transaction_state`: its producer, the state of its transaction and the partitions in it. v1 is flexible and
// has what transactions of version 2 need (KIP-890).
import { recordKey, recordValue } from '../record-format.ts'
import { array, int16, int32, int64, int8, string } from '../schema.ts'

export const TransactionLogKey = recordKey(0, 'TransactionLogKey', { transactionalId: string })

export const TransactionLogValue = recordValue('TransactionLogValue', [0, 1], 1, {
  producerId: int64,
  previousProducerId: int64.since(1).default(-1).tagged(0),
  nextProducerId: int64.since(1).default(-1).tagged(1),
  producerEpoch: int16,
  nextProducerEpoch: int16.since(1).default(-1).tagged(3),
  transactionTimeoutMs: int32,
  transactionStatus: int8,
  transactionPartitions: array({ topic: string, partitionIds: array(int32) }).nullable(),
  transactionLastUpdateTimestampMs: int64,
  transactionStartTimestampMs: int64,
  clientTransactionVersion: int16.since(1).tagged(2),
})
