// AddOffsetsToTxn (25), v0-4.
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
