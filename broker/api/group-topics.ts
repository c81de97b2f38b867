// Topics in requests about a group's offsets: by name, or by id in the newest versions (KIP-848).
import type { Uuid } from '../base/uuid.ts'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import { topicById } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'

/** The topic that a request names, or the error of its partitions. */
export function findTopic(
  { name, topicId }: { readonly name: string; readonly topicId: Uuid },
  image: MetadataImage,
  hasIds: boolean,
): TopicImage | ErrorCode {
  if (hasIds) return topicById(image, topicId) ?? ErrorCode.UNKNOWN_TOPIC_ID
  return image.topics.get(name) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
}
