// SaslAuthenticate (36), v0-2.
import { api, bytes, int16, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const SaslAuthenticate = api({
  key: 36,
  name: 'SaslAuthenticate',
  versions: [0, 2],
  flexible: 2,
  request: {
    authBytes: bytes,
  },
  response: {
    errorCode: int16,
    errorMessage: string.nullable(),
    authBytes: bytes,
    sessionLifetimeMs: int64.since(1).ignorable(),
  },
})

export interface SaslAuthenticateRequest extends RequestOf<typeof SaslAuthenticate> {}
export interface SaslAuthenticateResponse extends ResponseOf<typeof SaslAuthenticate> {}
