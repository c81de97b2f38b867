// ExpireDelegationToken (40), v1-2. There are no delegation tokens (delegation-tokens.ts).
import { ExpireDelegationToken } from '../protocol/messages/expire-delegation-token.ts'
import { noDelegationTokens } from './delegation-tokens.ts'
import { handler } from './handler.ts'

export const expireDelegationToken = handler(ExpireDelegationToken, (_request, _context, { connection }) => ({
  errorCode: noDelegationTokens(connection),
  expiryTimestampMs: -1,
}))
