// DescribeUserScramCredentials (50): mechanisms and iterations, never secrets (KIP-554).
import { api, array, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const DescribeUserScramCredentials = api({
  key: 50,
  name: 'DescribeUserScramCredentials',
  versions: [0, 0],
  flexible: 0,
  request: {
    users: array({ name: string }).nullable(),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.nullable(),
    results: array({
      user: string,
      errorCode: int16,
      errorMessage: string.nullable(),
      credentialInfos: array({ mechanism: int8, iterations: int32 }),
    }),
  },
})

export interface DescribeUserScramCredentialsRequest extends RequestOf<typeof DescribeUserScramCredentials> {}
export interface DescribeUserScramCredentialsResponse extends ResponseOf<typeof DescribeUserScramCredentials> {}
