// ExpireDelegationToken (40, KIP-48). v1 is the oldest that is left, v2 flexible (KIP-482).
import { api, bytes, int16, int32, int64, type RequestOf, type ResponseOf } from '../schema.ts'

export const ExpireDelegationToken = api({
  key: 40,
  name: 'ExpireDelegationToken',
  versions: [1, 2],
  flexible: 2,
  request: {
    hmac: bytes,
    expiryTimePeriodMs: int64,
  },
  response: {
    errorCode: int16,
    expiryTimestampMs: int64,
    throttleTimeMs: int32.default(0),
  },
})

export interface ExpireDelegationTokenRequest extends RequestOf<typeof ExpireDelegationToken> {}
export interface ExpireDelegationTokenResponse extends ResponseOf<typeof ExpireDelegationToken> {}
