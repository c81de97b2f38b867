// InitProducerId (22), v0-6.
import { api, bool, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const InitProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 6],
  flexible: 2,
  request: {
    transactionalId: string.nullable(),
    transactionTimeoutMs: int32,
    producerId: int64.since(3).default(-1),
    producerEpoch: int16.since(3).default(-1),
    enable2Pc: bool.since(6),
    keepPreparedTxn: bool.since(6),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    producerId: int64.default(-1),
    producerEpoch: int16,
    ongoingTxnProducerId: int64.since(6).default(-1),
    ongoingTxnProducerEpoch: int16.since(6).default(-1),
  },
})

export interface InitProducerIdRequest extends RequestOf<typeof InitProducerId> {}
export interface InitProducerIdResponse extends ResponseOf<typeof InitProducerId> {}
