// AllocateProducerIds (67): a block of producer ids for one broker (KIP-730).
import { api, int16, int32, int64, type RequestOf, type ResponseOf } from '../schema.ts'

export const AllocateProducerIds = api({
  key: 67,
  name: 'AllocateProducerIds',
  versions: [0, 0],
  flexible: 0,
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    producerIdStart: int64,
    producerIdLen: int32,
  },
})

export interface AllocateProducerIdsRequest extends RequestOf<typeof AllocateProducerIds> {}
export interface AllocateProducerIdsResponse extends ResponseOf<typeof AllocateProducerIds> {}
