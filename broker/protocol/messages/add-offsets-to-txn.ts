// AddOffsetsToTxn (25): announces a group's offsets to the transaction coordinator (KIP-98). v1 throttles after the
// answer (KIP-219), v2 PRODUCER_FENCED (KIP-588), v3 flexible (KIP-482), v4 TRANSACTION_ABORTABLE (KIP-890).
import { api, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const AddOffsetsToTxn = api({
  key: 25,
  name: 'AddOffsetsToTxn',
  versions: [0, 4],
  flexible: 3,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
  },
})

export interface AddOffsetsToTxnRequest extends RequestOf<typeof AddOffsetsToTxn> {}
export interface AddOffsetsToTxnResponse extends ResponseOf<typeof AddOffsetsToTxn> {}
