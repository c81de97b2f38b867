// Kafka's Uuid: 16 bytes, written as 22 characters of URL-safe base64 without padding (org.apache.kafka.common.Uuid).
// We keep it as that text: it is a ready map key and is what clients and tools show.
import type { Random } from './random.ts'

export type Uuid = string

/** The id that stands for "none" on the wire. */
export const ZERO_UUID: Uuid = 'AAAAAAAAAAAAAAAAAAAAAA'

/** A fresh version-4 id; like Kafka's, never one that starts with a dash (it would read as a flag on a command line). */
export function randomUuid(random: Random): Uuid {
  for (;;) {
    const bytes = random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const text = uuidFromBytes(bytes, 0)
    if (!text.startsWith('-')) return text
  }
}

export function uuidFromBytes(buffer: Buffer, at: number): Uuid {
  return buffer.toString('base64url', at, at + 16)
}

/** The 16 bytes of an id; throws when the text is no id. */
export function uuidBytes(uuid: Uuid): Buffer {
  const bytes = Buffer.from(uuid, 'base64url')
  if (bytes.length !== 16) throw new Error(`'${uuid}' is not a Uuid (22 characters of URL-safe base64)`)
  return bytes
}

/** A fresh version-4 id in the form of Java's UUID.toString, for ids that people read as part of a text. */
export function randomUuidText(random: Random): string {
  const hex = uuidBytes(randomUuid(random)).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
