// EndTxn (26), v0-5.
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
