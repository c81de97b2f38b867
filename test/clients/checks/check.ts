// What every check gets: a client under test, the broker, another client for what the one under test cannot do, and names.
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'vitest'
import type { TestBroker } from '../broker.ts'
import type { Ability, ClientKind, Mistake } from '../client-kinds.ts'
import { ClientError } from '../program.ts'
import type { Acks, Client, ClientRecord, Compression, ConsumedRecord } from '../program.ts'

export type Bench = {
  readonly broker: TestBroker
  /** The client under test. */
  readonly client: Client
  /** Another client with all abilities, to prepare and to look at what the one under test has done. */
  readonly helper: Client
}

/** `bench` is a function because the broker starts after the checks have been registered. */
export type Suite = { readonly kind: ClientKind; readonly bench: () => Bench }

// The error codes of the protocol that the checks expect.
export const Code = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  MESSAGE_TOO_LARGE: 10,
  INVALID_TOPIC_EXCEPTION: 17,
  INVALID_TIMESTAMP: 32,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  INVALID_CONFIG: 40,
  INVALID_RECORD: 87,
} as const

/** Registers a check, or a skipped one with the reason when the client lacks an ability that it needs. */
export function check({ kind }: Suite, title: string, needs: readonly Ability[], run: () => Promise<void>): void {
  const missing = needs.find(ability => kind.cannot[ability] !== undefined)
  if (missing === undefined) test(title, run)
  else test.skip(`${title} (${kind.name}: ${kind.cannot[missing]})`, () => {})
}

let topics = 0
/** A topic name that no other check uses. */
export function topicName(about: string): string {
  return `${about}-${process.pid}-${++topics}`
}

export type TopicInit = { partitions?: number; configs?: Record<string, string> }

/** Creates a topic with the helper and returns its name. */
export async function newTopic({ helper }: Bench, about: string, init: TopicInit = {}): Promise<string> {
  const topic = topicName(about)
  const { partitions = 1, configs = {} } = init
  await helper.run('createTopic', { topic, partitions, replicationFactor: 1, configs, validateOnly: false })
  await eventually(() => helper.run('describeTopic', { topic }))
  return topic
}

/**
 * Repeats `attempt` until it succeeds; rejects with its last error after 30 s. For what Kafka answers before it is everywhere:
 * the controller has created, changed or deleted something, and the broker hears of it a moment later.
 */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 30_000
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(20)
    }
  }
}

export type ProduceInit = {
  partition?: number
  compression?: Compression
  acks?: Acks
  idempotent?: boolean
  timeoutMs?: number
  autoCreate?: boolean
}

/** Produces with the given client; by default uncompressed to partition 0 with acks=all. Returns the offsets. */
export async function produce(
  client: Client,
  topic: string,
  records: readonly ClientRecord[],
  init: ProduceInit = {},
): Promise<(number | null)[]> {
  const defaults = {
    partition: 0,
    compression: 'none',
    acks: 'all',
    idempotent: false,
    timeoutMs: 60_000,
    autoCreate: false,
  } as const
  return (await client.run('produce', { topic, records, ...defaults, ...init })).offsets
}

/** Reads `count` records of partition 0 from `from`. */
export async function consume(
  client: Client,
  topic: string,
  from: number | 'earliest' | { timestamp: number },
  count: number,
  partition = 0,
): Promise<ConsumedRecord[]> {
  return (await client.run('consume', { topic, partition, from, count })).records
}

/** A record with a text as key and value. */
export function textRecord(key: string | null, value: string | null, more: Partial<ClientRecord> = {}): ClientRecord {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text))
  return { key: bytes(key), value: bytes(value), headers: [], ...more }
}

/** What a record consists of, in a form that a failed comparison shows readably; big values by size and checksum. */
export function shown({ key, value, headers }: ClientRecord): object {
  return {
    key: bytesShown(key),
    value: bytesShown(value),
    headers: headers.map(([name, each]) => [name, bytesShown(each)]),
  }
}

function bytesShown(bytes: Buffer | null): string | null {
  if (bytes === null) return null
  if (bytes.length <= 256) return bytes.toString('latin1')
  let checksum = 0
  for (const byte of bytes) checksum = (checksum * 31 + byte) | 0
  return `${bytes.length} bytes, checksum ${checksum}`
}

/** Asserts that `consumed` are `produced`, byte for byte, in order, at the offsets from `firstOffset` on. */
export function sameRecords(
  consumed: readonly ConsumedRecord[],
  produced: readonly ClientRecord[],
  firstOffset = 0,
): void {
  deepEqual(consumed.map(shown), produced.map(shown))
  for (const [index, record] of consumed.entries()) equal(record.offset, firstOffset + index)
  for (const [index, { value }] of produced.entries()) {
    // `shown` abbreviates; this does not.
    ok(value === null || value.equals(consumed[index]!.value!), `the value at offset ${firstOffset + index} is another`)
  }
}

/** The code that this client reports for a mistake: Kafka's, unless client-kinds.ts has an exception. */
export function codeFor(kind: ClientKind, mistake: Mistake, code: number): number | null {
  const own = kind.reports[mistake]
  return own ? own.code : code
}

/** Asserts that the client reports this error code of the protocol; null: an error of its own without one. */
export async function refused(promise: Promise<unknown>, code: number | null): Promise<void> {
  await rejects(promise, error => {
    ok(error instanceof ClientError, `not an answer of the client: ${String(error)}`)
    equal(error.code, code, `${error.name}: ${error.message}`)
    return true
  })
}
