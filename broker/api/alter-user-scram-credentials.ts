// AlterUserScramCredentials (51), v0. Sets and deletes SCRAM credentials (KIP-554); each user's change is made or refused by itself.
// - A user who appears twice is DUPLICATE_RESOURCE, whatever the mechanisms. Iterations outside of 4096 to 16384, an empty name, an empty
//   salted password, a salt above 1 KiB: UNACCEPTABLE_CREDENTIAL. An unknown mechanism: UNSUPPORTED_SASL_MECHANISM.
// - More than 10,000 changes are refused as a whole: POLICY_VIOLATION.
import { AlterUserScramCredentials } from '../protocol/messages/alter-user-scram-credentials.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

/** The request has no time-out of its own. */
const TIMEOUT_MS = 60_000

export const alterUserScramCredentials = handler(AlterUserScramCredentials, async (request, { controller, clock }) => {
  const { deletions, upsertions } = request
  const results = await decided(controller.alterScramCredentials(deletions, upsertions), TIMEOUT_MS, clock)
  if (!isOutcome(results)) return { results }
  const users = new Set([...deletions, ...upsertions].map(({ name }) => name))
  return { results: [...users].map(user => ({ ...results, user })) }
})
