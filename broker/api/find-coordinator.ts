// FindCoordinator (10), v0-6. Which broker coordinates a group or a transaction.
// - Gap: groups and transactions. Every key is answered with UNSUPPORTED_VERSION, at which clients give up with a clear error, where
//   COORDINATOR_NOT_AVAILABLE would let them try for ever. It is served at all because librdkafka takes a broker without it for
//   one too old for lz4, and then sends uncompressed without a word.
import { ErrorCode } from '../protocol/errors.ts'
import { FindCoordinator } from '../protocol/messages/find-coordinator.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_MANY_KEYS = 4

const NOBODY = {
  nodeId: -1,
  host: '',
  port: -1,
  errorCode: ErrorCode.UNSUPPORTED_VERSION,
  errorMessage: 'This broker does not serve groups and transactions yet: assign partitions instead of subscribing',
}

export const findCoordinator = handler(FindCoordinator, ({ coordinatorKeys }, _context, { apiVersion }) =>
  apiVersion < FIRST_VERSION_WITH_MANY_KEYS
    ? NOBODY
    : { coordinators: coordinatorKeys.map(key => ({ key, ...NOBODY })) },
)
