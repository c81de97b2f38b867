// FindCoordinator (10), v0-6. Which broker coordinates a group or a transaction.
// - Gap: groups and transactions. Every key is answered with COORDINATOR_NOT_AVAILABLE, as by a Kafka whose coordinator is not
//   there. It is served at all because librdkafka takes a broker without it for one too old for lz4, and then sends uncompressed
//   without a word; and it must be an error that can be retried, because librdkafka asks even when it only assigns partitions.
import { ErrorCode } from '../protocol/errors.ts'
import { FindCoordinator } from '../protocol/messages/find-coordinator.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_MANY_KEYS = 4

const NOBODY = {
  nodeId: -1,
  host: '',
  port: -1,
  errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE,
  errorMessage: 'This broker does not serve groups and transactions yet: assign partitions instead of subscribing',
}

export const findCoordinator = handler(FindCoordinator, ({ coordinatorKeys }, _context, { apiVersion }) =>
  apiVersion < FIRST_VERSION_WITH_MANY_KEYS
    ? NOBODY
    : { coordinators: coordinatorKeys.map(key => ({ key, ...NOBODY })) },
)
