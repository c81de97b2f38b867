// EndTxn (26): commits or aborts (KIP-98). v1 throttles after the answer (KIP-219), v2 PRODUCER_FENCED (KIP-588), v3
// flexible (KIP-482), v4 TRANSACTION_ABORTABLE (KIP-890), v5 the producer's next epoch in the answer (KIP-890).
import { api, bool, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const EndTxn = api({
  key: 26,
  name: 'EndTxn',
  versions: [0, 5],
  flexible: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    producerId: int64.since(5).default(-1).ignorable(),
    producerEpoch: int16.since(5).default(-1).ignorable(),
  },
})

export interface EndTxnRequest extends RequestOf<typeof EndTxn> {}
export interface EndTxnResponse extends ResponseOf<typeof EndTxn> {}
