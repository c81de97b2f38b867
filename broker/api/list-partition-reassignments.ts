// ListPartitionReassignments (46), v0. The partitions that are being moved (KIP-455): those that add or remove replicas.
// - Topics and partitions that do not exist are left out, as in Kafka.
import type { TopicImage } from '../metadata/image.ts'
import { DONE } from '../metadata/refusal.ts'
import { ListPartitionReassignments } from '../protocol/messages/list-partition-reassignments.ts'
import { handler } from './handler.ts'

export const listPartitionReassignments = handler(ListPartitionReassignments, ({ topics }, context) => {
  const image = context.image()
  const found =
    topics === null
      ? [...image.topics.values()].map(topic => underWay(topic, null))
      : topics.flatMap(({ name, partitionIndexes }) => {
          const topic = image.topics.get(name)
          return topic === undefined ? [] : [underWay(topic, new Set(partitionIndexes))]
        })
  return { ...DONE, topics: found.filter(({ partitions }) => partitions.length > 0) }
})

function underWay({ name, partitions }: TopicImage, wanted: ReadonlySet<number> | null) {
  return {
    name,
    partitions: partitions
      .filter(({ partition, addingReplicas, removingReplicas }) => {
        const isMoving = addingReplicas.length > 0 || removingReplicas.length > 0
        return isMoving && (wanted === null || wanted.has(partition))
      })
      .map(({ partition, replicas, addingReplicas, removingReplicas }) => ({
        partitionIndex: partition,
        replicas,
        addingReplicas,
        removingReplicas,
      })),
  }
}
