// AlterReplicaLogDirs (34), v1-2. Moves replicas between the disks of a broker (KIP-113). This broker has one, so a replica is there already,
// or the directory is LOG_DIR_NOT_FOUND; a partition that is not here is UNKNOWN_TOPIC_OR_PARTITION.
import { resolve } from 'node:path'
import { ErrorCode } from '../protocol/errors.ts'
import { AlterReplicaLogDirs } from '../protocol/messages/alter-replica-log-dirs.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'

export const alterReplicaLogDirs = handler(AlterReplicaLogDirs, ({ dirs }, context) => {
  const logDir = resolve(context.config.logDir)
  // Each partition once; the directory that was named last counts.
  const codes = new Map<string, Map<number, ErrorCode>>()
  for (const { path, topics } of dirs) {
    for (const { name, partitions } of topics) {
      const ofTopic = codes.get(name) ?? new Map<number, ErrorCode>()
      codes.set(name, ofTopic)
      for (const partition of partitions) {
        ofTopic.set(partition, path === logDir ? errorOf(context, name, partition) : ErrorCode.LOG_DIR_NOT_FOUND)
      }
    }
  }
  return {
    results: [...codes].map(([topicName, ofTopic]) => ({
      topicName,
      partitions: [...ofTopic].map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode })),
    })),
  }
})

function errorOf({ image, logs }: Context, name: string, partition: number): ErrorCode {
  if (logs.isOffline) return ErrorCode.KAFKA_STORAGE_ERROR
  const topic = image().topics.get(name)
  const isHere = topic !== undefined && logs.log(topic.topicId, partition) !== undefined
  return isHere ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
}
