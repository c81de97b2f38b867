// What a consumer says when it joins, in the consumer protocol (ConsumerProtocolSubscription): only the topics, which are the same in all
// versions. Clients made by others send what they like, so nothing here throws.
//
//   version int16 | topics: count int32, { length int16 | UTF-8 }* | more, by version

/** The topics that the metadata subscribes to; null when it is no subscription. */
export function subscribedTopics(metadata: Buffer): readonly string[] | null {
  if (metadata.length < COUNT_AT + 4 || metadata.readInt16BE(0) < 0) return null
  const count = metadata.readInt32BE(COUNT_AT)
  let at = COUNT_AT + 4
  if (count < 0 || count > (metadata.length - at) / 2) return null
  const topics: string[] = []
  for (let index = 0; index < count; index++) {
    if (at + 2 > metadata.length) return null
    const length = metadata.readInt16BE(at)
    at += 2
    if (length < 0 || at + length > metadata.length) return null
    topics.push(metadata.toString('utf8', at, at + length))
    at += length
  }
  return topics
}

const COUNT_AT = 2
