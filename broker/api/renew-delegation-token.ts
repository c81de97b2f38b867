// RenewDelegationToken (39), v1-2. There are no delegation tokens (delegation-tokens.ts).
import { RenewDelegationToken } from '../protocol/messages/renew-delegation-token.ts'
import { noDelegationTokens } from './delegation-tokens.ts'
import { handler } from './handler.ts'

export const renewDelegationToken = handler(RenewDelegationToken, (_request, _context, { connection }) => ({
  errorCode: noDelegationTokens(connection),
  expiryTimestampMs: -1,
}))
