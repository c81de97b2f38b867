// DeleteRecords (21), v0-2. Moves the log start offset of partitions up (KIP-107); what is below is gone.
// - Offset -1 means the high watermark; beyond it, or negative: OFFSET_OUT_OF_RANGE. At or below the log start nothing changes and the
//   answer is a success. The low watermark answered is the new log start offset, on the disk.
// - A topic that is only compacted refuses with POLICY_VIOLATION, an internal one with INVALID_TOPIC_EXCEPTION.
// - Gap: with followers the answer must wait until all of them have moved too, up to timeoutMs.
import { isInternalTopic, type TopicImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { DeleteRecords } from '../protocol/messages/delete-records.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'

const HIGH_WATERMARK = -1
const INVALID_LOW_WATERMARK = -1

type PartitionResult = { partitionIndex: number; lowWatermark: number; errorCode: ErrorCode }

export const deleteRecords = handler(DeleteRecords, async (request, context) => {
  const results = request.topics.map(async ({ name, partitions }) => {
    const topic = context.image().topics.get(name)
    return { name, partitions: await Promise.all(partitions.map(one => deleteBefore(topic, one, context))) }
  })
  return { topics: await Promise.all(results) }
})

async function deleteBefore(
  topic: TopicImage | undefined,
  { partitionIndex, offset }: { readonly partitionIndex: number; readonly offset: number },
  { replicas }: Context,
): Promise<PartitionResult> {
  const failed = (errorCode: ErrorCode): PartitionResult => ({
    partitionIndex,
    lowWatermark: INVALID_LOW_WATERMARK,
    errorCode,
  })
  if (topic === undefined) return failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  if (isInternalTopic(topic.name)) return failed(ErrorCode.INVALID_TOPIC_EXCEPTION)
  const leader = replicas.leader(topic.topicId, partitionIndex)
  if (typeof leader === 'number') return failed(leader)
  const { cleanupPolicy } = leader.config
  if (cleanupPolicy.has('compact') && !cleanupPolicy.has('delete')) return failed(ErrorCode.POLICY_VIOLATION)
  const before = offset === HIGH_WATERMARK ? leader.highWatermark : offset
  if (before < 0 || before > leader.highWatermark) return failed(ErrorCode.OFFSET_OUT_OF_RANGE)
  try {
    const lowWatermark = await leader.log.deleteRecordsBefore(before)
    return { partitionIndex, lowWatermark, errorCode: ErrorCode.NONE }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return failed(ErrorCode.KAFKA_STORAGE_ERROR)
  }
}
