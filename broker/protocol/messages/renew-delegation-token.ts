// RenewDelegationToken (39, KIP-48). v1 is the oldest that is left, v2 flexible (KIP-482).
import { api, bytes, int16, int32, int64, type RequestOf, type ResponseOf } from '../schema.ts'

export const RenewDelegationToken = api({
  key: 39,
  name: 'RenewDelegationToken',
  versions: [1, 2],
  flexible: 2,
  request: {
    hmac: bytes,
    renewPeriodMs: int64,
  },
  response: {
    errorCode: int16,
    expiryTimestampMs: int64,
    throttleTimeMs: int32.default(0),
  },
})

export interface RenewDelegationTokenRequest extends RequestOf<typeof RenewDelegationToken> {}
export interface RenewDelegationTokenResponse extends ResponseOf<typeof RenewDelegationToken> {}
