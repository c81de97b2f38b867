// Checks what a record must look like: before it is written and after it is read. A small vocabulary of checks, each of which returns
// where a value is wrong, and the table of all kinds. The types themselves are in records.ts; the compiler keeps both in step.
import type { MetadataRecord } from './records.ts'

/** Null when the value is right, else the path to what is not and what was expected. */
type Check = (value: unknown, at: string) => string | null

const text: Check = (value, at) => (typeof value === 'string' ? null : `${at} must be a text`)
const flag: Check = (value, at) => (typeof value === 'boolean' ? null : `${at} must be true or false`)
const integer: Check = (value, at) => (Number.isSafeInteger(value) ? null : `${at} must be an integer`)

function nullable(check: Check): Check {
  return (value, at) => (value === null ? null : check(value, at))
}

function optional(check: Check): Check {
  return (value, at) => (value === undefined ? null : check(value, at))
}

function oneOf(...allowed: readonly string[]): Check {
  return (value, at) => (allowed.includes(value as string) ? null : `${at} must be one of ${allowed.join(', ')}`)
}

function list(element: Check): Check {
  return (value, at) => {
    if (!Array.isArray(value)) return `${at} must be a list`
    for (let index = 0; index < value.length; index++) {
      const problem = element(value[index], `${at}[${index}]`)
      if (problem !== null) return problem
    }
    return null
  }
}

function mapOf(element: Check): Check {
  return (value, at) => {
    if (!isObject(value)) return `${at} must be an object`
    for (const [key, entry] of Object.entries(value)) {
      const problem = element(entry, `${at}.${key}`)
      if (problem !== null) return problem
    }
    return null
  }
}

function object(fields: Readonly<Record<string, Check>>): Check {
  return (value, at) => {
    if (!isObject(value)) return `${at} must be an object`
    for (const [name, check] of Object.entries(fields)) {
      const problem = check(value[name], `${at}.${name}`)
      if (problem !== null) return problem
    }
    const unknown = Object.keys(value).find(name => !Object.hasOwn(fields, name))
    return unknown === undefined ? null : `${at}.${unknown} is not a field of it`
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const integers = list(integer)

const newPartition = object({
  replicas: integers,
  isr: optional(integers),
  leader: optional(integer),
  leaderEpoch: optional(integer),
  partitionEpoch: optional(integer),
  addingReplicas: optional(integers),
  removingReplicas: optional(integers),
})

const partitionChange = object({
  partition: integer,
  partitionEpoch: integer,
  leaderEpoch: optional(integer),
  leader: optional(integer),
  isr: optional(integers),
  replicas: optional(integers),
  addingReplicas: optional(integers),
  removingReplicas: optional(integers),
})

const listener = object({ name: text, host: text, port: integer, securityProtocol: text })

type Fields<R> = { readonly [Name in Exclude<keyof R, 'kind'>]: Check }

/** The version of a kind grows with each change of its fields, and with it what older brokers refuse to read. */
export const recordShapes: {
  readonly [Kind in MetadataRecord['kind']]: {
    readonly version: number
    readonly fields: Fields<Extract<MetadataRecord, { kind: Kind }>>
  }
} = {
  'cluster-created': { version: 0, fields: { clusterId: text } },
  'controller-started': { version: 0, fields: { brokerId: integer, epoch: integer } },
  'topic-created': {
    version: 0,
    fields: { topicId: text, name: text, partitions: list(newPartition), configs: mapOf(text) },
  },
  'topic-deleted': { version: 0, fields: { topicId: text } },
  'partitions-created': {
    version: 0,
    fields: { topicId: text, firstPartition: integer, partitions: list(newPartition) },
  },
  'partitions-changed': { version: 0, fields: { topicId: text, changes: list(partitionChange) } },
  'config-changed': {
    version: 0,
    fields: { type: oneOf('topic', 'broker'), resource: text, key: text, value: nullable(text) },
  },
  'broker-registered': {
    version: 0,
    fields: {
      brokerId: integer,
      brokerEpoch: integer,
      incarnation: text,
      directoryId: text,
      rack: nullable(text),
      isFenced: flag,
      listeners: list(listener),
    },
  },
  'broker-fencing-changed': { version: 0, fields: { brokerId: integer, brokerEpoch: integer, isFenced: flag } },
  'broker-unregistered': { version: 0, fields: { brokerId: integer, brokerEpoch: integer } },
  'feature-level-set': { version: 0, fields: { name: text, level: integer } },
  'producer-ids-allocated': {
    version: 0,
    fields: { brokerId: integer, brokerEpoch: integer, nextProducerId: integer },
  },
  'snapshot-started': { version: 0, fields: {} },
  'snapshot-ended': { version: 0, fields: { imageVersion: integer } },
}

/** Null when `value` (without `kind` and `version`) has exactly the fields of `kind`. */
export function checkFields(kind: MetadataRecord['kind'], value: Readonly<Record<string, unknown>>): string | null {
  return object(recordShapes[kind].fields)(value, kind)
}
