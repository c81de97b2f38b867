// DescribeUserScramCredentials (50), v0. Mechanisms and iterations of users (KIP-554); never salts or keys.
// - Null or no users: everybody who has a credential. A user without one is RESOURCE_NOT_FOUND, one named twice DUPLICATE_RESOURCE.
// - More than 10,000 names are POLICY_VIOLATION, all of them, as in AlterUserScramCredentials; Kafka has no bound.
import { describeScramCredentials } from '../metadata/scram-credentials.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { DescribeUserScramCredentials } from '../protocol/messages/describe-user-scram-credentials.ts'
import { handler } from './handler.ts'

export const describeUserScramCredentials = handler(DescribeUserScramCredentials, ({ users }, { image }) => ({
  errorCode: ErrorCode.NONE,
  errorMessage: null,
  results: describeScramCredentials(image(), users?.map(({ name }) => name) ?? null),
}))
