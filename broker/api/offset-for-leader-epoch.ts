// OffsetForLeaderEpoch (23), v2-4. Where an earlier leader epoch ended in this log (KIP-320): consumers and followers find with it whether,
// and where, their history and the leader's part.
// - Answers the largest epoch that is not above the one asked for, and the offset after its last record: the log end for the current
//   epoch. -1 and -1 when the history does not reach that far.
import { ErrorCode } from '../protocol/errors.ts'
import { OffsetForLeaderEpoch } from '../protocol/messages/offset-for-leader-epoch.ts'
import { handler } from './handler.ts'

export const offsetForLeaderEpoch = handler(OffsetForLeaderEpoch, (request, context) => ({
  topics: request.topics.map(({ topic, partitions }) => {
    const topicId = context.image().topics.get(topic)?.topicId
    return {
      topic,
      partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
        const leader =
          topicId === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : context.replicas.leader(topicId, partition)
        if (typeof leader === 'number') return { partition, errorCode: leader }
        const errorCode = leader.checkLeaderEpoch(currentLeaderEpoch)
        if (errorCode !== ErrorCode.NONE) return { partition, errorCode }
        const end = leader.endOffsetForEpoch(leaderEpoch)
        return { partition, errorCode: ErrorCode.NONE, leaderEpoch: end.epoch, endOffset: end.endOffset }
      }),
    }
  }),
}))
