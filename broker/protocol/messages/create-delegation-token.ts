// CreateDelegationToken (38, KIP-48). v1 is the oldest that is left, v2 flexible (KIP-482), v3 tokens for somebody else
// (KIP-373).
import { api, array, bytes, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const CreateDelegationToken = api({
  key: 38,
  name: 'CreateDelegationToken',
  versions: [1, 3],
  flexible: 2,
  request: {
    ownerPrincipalType: string.since(3).nullable(),
    ownerPrincipalName: string.since(3).nullable(),
    renewers: array({ principalType: string, principalName: string }),
    maxLifetimeMs: int64,
  },
  response: {
    errorCode: int16,
    principalType: string,
    principalName: string,
    tokenRequesterPrincipalType: string.since(3),
    tokenRequesterPrincipalName: string.since(3),
    issueTimestampMs: int64,
    expiryTimestampMs: int64,
    maxTimestampMs: int64,
    tokenId: string,
    hmac: bytes,
    throttleTimeMs: int32.default(0),
  },
})

export interface CreateDelegationTokenRequest extends RequestOf<typeof CreateDelegationToken> {}
export interface CreateDelegationTokenResponse extends ResponseOf<typeof CreateDelegationToken> {}
