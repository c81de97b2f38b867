// Why there are no delegation tokens (KIP-48), in the words of a Kafka that has no delegation.token.secret.key. Clients that nobody has
// authenticated are refused before that, as in Kafka.
import { ErrorCode } from '../protocol/errors.ts'
import type { ConnectionInfo } from './handler.ts'

export function noDelegationTokens({ principal }: ConnectionInfo): ErrorCode {
  return principal === 'User:ANONYMOUS'
    ? ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    : ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED
}
