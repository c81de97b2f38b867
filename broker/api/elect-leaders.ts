// ElectLeaders (43), v0-2. Makes preferred replicas leaders (KIP-183), or finds a leader for what has none (KIP-460).
// - ELECTION_NOT_NEEDED where the leader is right already; for all partitions (null) those are left out, as in Kafka.
// - More than 10,000 partitions by name are POLICY_VIOLATION, all of them, as in the other requests that change partitions; Kafka has no bound.
// - Gap: an unclean election of a replica that is not in sync: ELIGIBLE_LEADERS_NOT_AVAILABLE.
import { ElectionType } from '../metadata/elections.ts'
import { refuse, type Outcome } from '../metadata/refusal.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { ElectLeaders, type ElectLeadersRequest } from '../protocol/messages/elect-leaders.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

const ELECTION_TYPES: readonly number[] = Object.values(ElectionType)

export const electLeaders = handler(ElectLeaders, async (request, { controller, clock }, { apiVersion }) => {
  const { electionType, topicPartitions, timeoutMs } = request
  if (!ELECTION_TYPES.includes(electionType)) {
    return refused(request, apiVersion, refuse(ErrorCode.INVALID_REQUEST, `Unknown election type ${electionType}`))
  }
  const results = await decided(controller.electLeaders(electionType, topicPartitions), timeoutMs, clock)
  if (isOutcome(results)) return refused(request, apiVersion, results)
  return { errorCode: ErrorCode.NONE, replicaElectionResults: results }
})

function refused({ topicPartitions }: ElectLeadersRequest, apiVersion: number, outcome: Outcome) {
  return {
    // Version 0 has no place for it.
    errorCode: apiVersion === 0 ? ErrorCode.NONE : outcome.errorCode,
    replicaElectionResults: (topicPartitions ?? []).map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map(partitionId => ({ ...outcome, partitionId })),
    })),
  }
}
