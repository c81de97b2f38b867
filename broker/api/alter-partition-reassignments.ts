// AlterPartitionReassignments (45), v0-1. Gives partitions other replicas (KIP-455), each partition or not at all.
// - Replicas that are no registered brokers, or named twice, or none: INVALID_REPLICA_ASSIGNMENT.
// - Calling off (null replicas) is NO_REASSIGNMENT_IN_PROGRESS: a change of the order is done when it is answered.
// - More than 10,000 partitions in one request are refused: POLICY_VIOLATION.
// - Gap: moving a partition to other brokers is INVALID_REPLICA_ASSIGNMENT.
import { ErrorCode } from '../protocol/errors.ts'
import { AlterPartitionReassignments } from '../protocol/messages/alter-partition-reassignments.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

export const alterPartitionReassignments = handler(
  AlterPartitionReassignments,
  async (request, { controller, clock }) => {
    const { topics, timeoutMs, allowReplicationFactorChange } = request
    const results = await decided(controller.alterPartitionReassignments(topics), timeoutMs, clock)
    if (isOutcome(results)) return { ...results, allowReplicationFactorChange, responses: [] }
    return {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      allowReplicationFactorChange,
      responses: results,
    }
  },
)
