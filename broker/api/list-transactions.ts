// ListTransactions (66), v0-2. The transactional ids that this broker coordinates, filtered by state, producer id, duration (v1, KIP-994)
// and a pattern of the whole id (v2, KIP-1152).
// - States that there are none of are named in the answer and match nothing. While a partition is being loaded:
//   COORDINATOR_LOAD_IN_PROGRESS. A pattern that is none: INVALID_REGULAR_EXPRESSION.
// - Patterns are RE2's, as in Kafka: they take linear time, so nobody can stop the broker with one.
import { RE2JS, RE2JSException } from 're2js'
import { unknownStates } from '../coordinator/transaction/list.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { ListTransactions } from '../protocol/messages/list-transactions.ts'
import { handler } from './handler.ts'

export const listTransactions = handler(ListTransactions, async (request, { transactionCoordinator: transactions }) => {
  const { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern } = request
  const unknownStateFilters = unknownStates(stateFilters)
  const failed = (errorCode: ErrorCode) => ({ errorCode, unknownStateFilters: [], transactionStates: [] })
  const matches = matcherOf(transactionalIdPattern)
  if (matches === 'invalid') return failed(ErrorCode.INVALID_REGULAR_EXPRESSION)
  const listed = await transactions.list({
    states: new Set(stateFilters),
    producerIds: new Set(producerIdFilters),
    durationMs: durationFilter,
    matches,
  })
  if ('errorCode' in listed) return failed(listed.errorCode)
  return { errorCode: ErrorCode.NONE, unknownStateFilters, transactionStates: listed.response }
})

function matcherOf(pattern: string | null): ((transactionalId: string) => boolean) | null | 'invalid' {
  if (pattern === null || pattern === '') return null
  try {
    const compiled = RE2JS.compile(pattern)
    return transactionalId => compiled.matches(transactionalId)
  } catch (error) {
    if (error instanceof RE2JSException) return 'invalid'
    throw error
  }
}
