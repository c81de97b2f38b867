// AlterUserScramCredentials (51, KIP-554).
import { api, array, bytes, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const AlterUserScramCredentials = api({
  key: 51,
  name: 'AlterUserScramCredentials',
  versions: [0, 0],
  flexible: 0,
  request: {
    deletions: array({ name: string, mechanism: int8 }),
    upsertions: array({ name: string, mechanism: int8, iterations: int32, salt: bytes, saltedPassword: bytes }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({ user: string, errorCode: int16, errorMessage: string.nullable() }),
  },
})

export interface AlterUserScramCredentialsRequest extends RequestOf<typeof AlterUserScramCredentials> {}
export interface AlterUserScramCredentialsResponse extends ResponseOf<typeof AlterUserScramCredentials> {}
