// A committed offset in `__consumer_offsets`. Value v1 has a time of expiry that clients chose (before KIP-211), v2 and later do not,
// v3 the leader epoch (KIP-320), v4 is flexible and has the topic's id. The key of type 0 is how it was before Kafka 0.9.
import { recordKey, recordValue } from '../record-format.ts'
import { int32, int64, string, uuid } from '../schema.ts'

export const OffsetCommitKey = recordKey(1, 'OffsetCommitKey', { group: string, topic: string, partition: int32 })

export const OffsetCommitValue = recordValue('OffsetCommitValue', [0, 4], 4, {
  offset: int64,
  leaderEpoch: int32.since(3).default(-1).ignorable(),
  metadata: string,
  commitTimestamp: int64,
  expireTimestamp: int64.since(1).until(1).default(-1).ignorable(),
  topicId: uuid.since(4).tagged(0).ignorable(),
})

export const LegacyOffsetCommitKey = recordKey(0, 'LegacyOffsetCommitKey', {
  group: string,
  topic: string,
  partition: int32,
})

export const LegacyOffsetCommitValue = recordValue('LegacyOffsetCommitValue', [0, 0], null, {
  offset: int64,
  metadata: string,
  commitTimestamp: int64,
})
