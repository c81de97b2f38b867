// What a topic may be called (org.apache.kafka.common.internals.Topic). '.' and '_' may not tell two topics apart: metrics systems
// write one for the other.
import type { Uuid } from '../base/uuid.ts'

/** The topic that the cluster's metadata is a log of, under Kafka's reserved id (Uuid.METADATA_TOPIC_ID). */
export const METADATA_TOPIC = '__cluster_metadata'
export const METADATA_TOPIC_ID: Uuid = 'AAAAAAAAAAAAAAAAAAAAAQ'

export const MAX_NAME_LENGTH = 249

/** Null when a topic may have this name, else what is wrong with it, in Kafka's words. */
export function invalidTopicName(name: string): string | null {
  const reason = detectInvalid(name)
  return reason === null ? null : `Topic name is invalid: ${reason}`
}

function detectInvalid(name: string): string | null {
  if (name === '') return 'the empty string is not allowed'
  if (name === '.' || name === '..') return `'${name}' is not allowed`
  if (name.length > MAX_NAME_LENGTH) {
    return `the length of '${name}' is longer than the max allowed length ${MAX_NAME_LENGTH}`
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return null
}

/** The form that no two topics may share; null for a name without '.' and '_', which collides with none. */
export function unifiedName(name: string): string | null {
  return name.includes('.') || name.includes('_') ? name.replaceAll('.', '_') : null
}
