// Which partition of an internal topic keeps a group or a transactional id: Kafka's Utils.abs of Java's hash of the string, so that tools
// and other brokers look in the same place. Pure.

/** The partition of `key` among `partitionCount`. */
export function partitionOfKey(key: string, partitionCount: number): number {
  const hash = javaHash(key)
  // Utils.abs: the smallest int has no positive counterpart.
  return hash === MIN_INT ? 0 : Math.abs(hash) % partitionCount
}

const MIN_INT = -(2 ** 31)

/** String.hashCode over UTF-16 code units. */
function javaHash(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(31, hash) + text.charCodeAt(at)) | 0
  return hash
}
