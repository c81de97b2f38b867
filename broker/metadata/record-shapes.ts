// Checks what a record must look like: before it is written and after it is read. A small vocabulary of checks, each of which returns
// where a value is wrong, and the table of all kinds. The types themselves are in records.ts; the compiler keeps both in step.
import type { MetadataRecord } from './records.ts'

/** Null when the value is right, else what is wrong, beginning with the path to it; built only when something is. */
type Check = (value: unknown) => string | null

const text: Check = value => (typeof value === 'string' ? null : ' must be a text')
const flag: Check = value => (typeof value === 'boolean' ? null : ' must be true or false')
const number: Check = value => (Number.isFinite(value) ? null : ' must be a number')
const integer: Check = value => (Number.isSafeInteger(value) ? null : ' must be an integer')

function nullable(check: Check): Check {
  return value => (value === null ? null : check(value))
}

function optional(check: Check): Check {
  return value => (value === undefined ? null : check(value))
}

function oneOf(...allowed: readonly string[]): Check {
  return value => (allowed.includes(value as string) ? null : ` must be one of ${allowed.join(', ')}`)
}

function list(element: Check): Check {
  return value => {
    if (!Array.isArray(value)) return ' must be a list'
    for (let index = 0; index < value.length; index++) {
      const problem = element(value[index])
      if (problem !== null) return `[${index}]${problem}`
    }
    return null
  }
}

function mapOf(element: Check): Check {
  return value => {
    if (!isObject(value)) return ' must be an object'
    for (const [key, entry] of Object.entries(value)) {
      const problem = element(entry)
      if (problem !== null) return `.${key}${problem}`
    }
    return null
  }
}

function object(fields: Readonly<Record<string, Check>>): Check {
  const checks = Object.entries(fields)
  const names = new Set(Object.keys(fields))
  return value => {
    if (!isObject(value)) return ' must be an object'
    for (const [name, check] of checks) {
      const problem = check(value[name])
      if (problem !== null) return `.${name}${problem}`
    }
    for (const name in value) if (!names.has(name)) return `.${name} is not a field of it`
    return null
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

const scramMechanism = oneOf('SCRAM-SHA-256', 'SCRAM-SHA-512')

const quotaName = optional(nullable(text))
const quotaEntity = object({ user: quotaName, 'client-id': quotaName, ip: quotaName })

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
    version: 1,
    fields: {
      type: oneOf('topic', 'broker', 'group', 'client-metrics'),
      resource: text,
      key: text,
      value: nullable(text),
    },
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
  'broker-stopping': { version: 0, fields: { brokerId: integer, brokerEpoch: integer } },
  'broker-unregistered': { version: 0, fields: { brokerId: integer, brokerEpoch: integer } },
  'feature-level-set': { version: 0, fields: { name: text, level: integer } },
  'producer-ids-allocated': {
    version: 0,
    fields: { brokerId: integer, brokerEpoch: integer, nextProducerId: integer },
  },
  'scram-credential-set': {
    version: 0,
    fields: {
      user: text,
      mechanism: scramMechanism,
      salt: text,
      storedKey: text,
      serverKey: text,
      iterations: integer,
    },
  },
  'scram-credential-removed': { version: 0, fields: { user: text, mechanism: scramMechanism } },
  'client-quota-changed': {
    version: 0,
    fields: { entity: quotaEntity, key: text, value: nullable(number) },
  },
  'snapshot-started': { version: 0, fields: {} },
  'snapshot-ended': { version: 0, fields: { imageVersion: integer } },
}

const checks: ReadonlyMap<string, Check> = new Map(
  Object.entries(recordShapes).map(([kind, { fields }]) => [kind, object(fields)]),
)

/** Null when `value` (without `kind` and `version`) has exactly the fields of `kind`. */
export function checkFields(kind: MetadataRecord['kind'], value: Readonly<Record<string, unknown>>): string | null {
  const problem = checks.get(kind)!(value)
  return problem === null ? null : kind + problem
}
