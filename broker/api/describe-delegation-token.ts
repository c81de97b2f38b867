// DescribeDelegationToken (41), v1-3. There are no delegation tokens (delegation-tokens.ts).
import { DescribeDelegationToken } from '../protocol/messages/describe-delegation-token.ts'
import { noDelegationTokens } from './delegation-tokens.ts'
import { handler } from './handler.ts'

export const describeDelegationToken = handler(DescribeDelegationToken, (_request, _context, { connection }) => ({
  errorCode: noDelegationTokens(connection),
  tokens: [],
}))
