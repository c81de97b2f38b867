// DescribeLogDirs (35), v1-5. What the partitions of this broker take on its disk (KIP-113, KIP-827).
// - This broker has one log directory. When it has failed, the answer for it is KAFKA_STORAGE_ERROR and names no topic.
// - `topics` null means all; partitions that are not here are left out, and so are topics without any.
// - The metadata log is not shown, as in Kafka. No log is ever a future one (there is nothing to move between), and none is cordoned.
import { resolve } from 'node:path'
import { ErrorCode } from '../protocol/errors.ts'
import { DescribeLogDirs, type DescribeLogDirsRequest } from '../protocol/messages/describe-log-dirs.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'

type Partition = { partitionIndex: number; partitionSize: number; offsetLag: number; isFutureKey: boolean }
type Topic = { name: string; partitions: Partition[] }

export const describeLogDirs = handler(DescribeLogDirs, (request, context) => {
  const { logs, config } = context
  const logDir = resolve(config.logDir)
  if (logs.isOffline) {
    return { errorCode: ErrorCode.NONE, results: [{ errorCode: ErrorCode.KAFKA_STORAGE_ERROR, logDir, topics: [] }] }
  }
  const { totalBytes, usableBytes } = logs
  const topics = describe(request, context)
  return {
    errorCode: ErrorCode.NONE,
    results: [{ errorCode: ErrorCode.NONE, logDir, topics, totalBytes, usableBytes }],
  }
})

function describe({ topics }: DescribeLogDirsRequest, context: Context): Topic[] {
  const { logs, replicas } = context
  const { topicNames } = context.image()
  const wanted = topics === null ? null : new Map<string, Set<number>>()
  for (const { topic, partitions } of topics ?? []) {
    const known = wanted!.get(topic) ?? new Set()
    for (const partition of partitions) known.add(partition)
    wanted!.set(topic, known)
  }
  const described = new Map<string, Topic>()
  for (const log of logs.logs()) {
    const name = topicNames.get(log.topicId)
    if (name === undefined || (wanted !== null && !wanted.get(name)?.has(log.partition))) continue
    const leader = replicas.leader(log.topicId, log.partition)
    const offsetLag = typeof leader === 'number' ? 0 : Math.max(0, leader.highWatermark - log.endOffset)
    let topic = described.get(name)
    if (topic === undefined) described.set(name, (topic = { name, partitions: [] }))
    topic.partitions.push({
      partitionIndex: log.partition,
      partitionSize: log.sizeBytes,
      offsetLag,
      isFutureKey: false,
    })
  }
  return [...described.values()]
}
