// CreateDelegationToken (38), v1-3. Answered as by a Kafka with delegation tokens off: DELEGATION_TOKEN_AUTH_DISABLED, to clients that
// nobody has authenticated DELEGATION_TOKEN_REQUEST_NOT_ALLOWED.
import { CreateDelegationToken } from '../protocol/messages/create-delegation-token.ts'
import { noDelegationTokens } from './delegation-tokens.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_REQUESTER = 3

export const createDelegationToken = handler(CreateDelegationToken, (request, _context, { connection, apiVersion }) => {
  const at = connection.principal.indexOf(':')
  const requester = { type: connection.principal.slice(0, at), name: connection.principal.slice(at + 1) }
  const isForAnother = request.ownerPrincipalName !== null && request.ownerPrincipalName !== ''
  return {
    errorCode: noDelegationTokens(connection),
    principalType: isForAnother ? (request.ownerPrincipalType ?? '') : requester.type,
    principalName: isForAnother ? (request.ownerPrincipalName ?? '') : requester.name,
    ...(apiVersion < FIRST_VERSION_WITH_REQUESTER
      ? {}
      : { tokenRequesterPrincipalType: requester.type, tokenRequesterPrincipalName: requester.name }),
    issueTimestampMs: -1,
    expiryTimestampMs: -1,
    maxTimestampMs: -1,
    tokenId: '',
    hmac: Buffer.alloc(0),
  }
})
