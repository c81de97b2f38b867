// Our declarations against Kafka's own definitions, field by field and version by version. The definitions are not part
// of this repository: KAFKA_DEFINITIONS names a JSON file (message name -> definition, comments removed), or it lies
// beside the checkout.
import { deepEqual, equal } from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'vitest'
import { messages } from '../../broker/protocol/messages/index.ts'
import { recordKeys, recordValues } from '../../broker/protocol/records/index.ts'
import {
  defaultOf,
  exists,
  isNullable,
  type AnyField,
  type Api,
  type Shape,
  type Type,
} from '../../broker/protocol/schema.ts'

type KafkaField = {
  readonly name: string
  readonly type: string
  readonly versions?: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly tag?: number
  readonly default?: string | number | boolean
  readonly ignorable?: boolean | string
  readonly fields?: readonly KafkaField[]
}

type KafkaMessage = {
  readonly name: string
  readonly type: string
  readonly apiKey?: number
  readonly listeners?: readonly string[]
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly fields: readonly KafkaField[]
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly KafkaField[] }[]
}

// Served by a broker listener of Kafka and deliberately not declared: changing the voters of a Raft quorum (KIP-853)
// has no meaning where the metadata leader is elected otherwise, and the other two are not offered.
const NOT_DECLARED = [
  'AddRaftVoter',
  'RemoveRaftVoter',
  'StreamsGroupTopologyDescriptionUpdate',
  'UnregisterController',
]

const path =
  process.env['KAFKA_DEFINITIONS'] ??
  fileURLToPath(new URL('../../../shared/kafka-protocol/messages.json', import.meta.url))
const isThere = existsSync(path)
const reason = isThere ? '' : ` (skipped: no definitions at ${path}; set KAFKA_DEFINITIONS)`
const definitions: KafkaMessage[] = isThere ? Object.values(JSON.parse(readFileSync(path, 'utf8'))) : []

describe.skipIf(!isThere)(`the declarations are Kafka's${reason}`, () => {
  test('everything that a broker listener serves is declared, and what brokers ask the controller', () => {
    const served = definitions.filter(message => message.type === 'request' && message.listeners?.includes('broker'))
    const names = served
      .map(message => message.name.replace(/Request$/, ''))
      .filter(name => !NOT_DECLARED.includes(name))
    // What brokers and controllers say to each other is declared where it is needed.
    const declared = new Set([...messages.values()].map(api => api.name))
    deepEqual(
      names.filter(name => !declared.has(name)),
      [],
    )
  })

  for (const api of messages.values()) {
    test(`${api.name} (${api.key})`, () => {
      for (const direction of ['request', 'response'] as const) {
        const kafka = definitions.find(message => message.apiKey === api.key && message.type === direction)!
        deepEqual(ours(api, direction), theirs(kafka))
      }
    })
  }
})

const recordsPath =
  process.env['KAFKA_RECORD_DEFINITIONS'] ??
  fileURLToPath(new URL('../../../shared/kafka-protocol/records.json', import.meta.url))
const recordsAreThere = existsSync(recordsPath)
const recordsReason = recordsAreThere
  ? ''
  : ` (skipped: no definitions at ${recordsPath}; set KAFKA_RECORD_DEFINITIONS)`
const recordDefinitions: Record<string, KafkaMessage> = recordsAreThere
  ? JSON.parse(readFileSync(recordsPath, 'utf8'))
  : {}

describe.skipIf(!recordsAreThere)(`the records of internal topics are Kafka's${recordsReason}`, () => {
  for (const { name, type, declaration } of recordKeys) {
    test(name, () => {
      equal(recordDefinitions[name]!.apiKey, type)
      deepEqual({ ...ours(declaration, 'response'), name }, theirs(recordDefinitions[name]!))
    })
  }

  for (const { name, declaration } of recordValues) {
    test(name, () => deepEqual({ ...ours(declaration, 'response'), name }, theirs(recordDefinitions[name]!)))
  }
})

/** What a message is in one version, in words that both sides can be put in. */
type Described = { readonly [field: string]: string | Described }
type Message = {
  readonly name: string
  readonly versions: string
  readonly flexible: string
  readonly byVersion: Record<number, Described>
}

function ours(api: Api, direction: 'request' | 'response'): Message {
  const [oldest, latest] = api.versions
  return {
    name: `${api.name}${direction === 'request' ? 'Request' : 'Response'}`,
    versions: oldest === latest ? `${oldest}` : `${oldest}-${latest}`,
    flexible: api.flexible === null ? 'none' : `${api.flexible}+`,
    byVersion: eachVersion(oldest, latest, version => describeShape(api[direction], version)),
  }
}

function theirs(kafka: KafkaMessage): Message {
  const { since, until } = range(kafka.validVersions)
  return {
    name: kafka.name,
    versions: kafka.validVersions,
    flexible: kafka.flexibleVersions,
    byVersion: eachVersion(since, until, version => describeFields(kafka, kafka.fields, version)),
  }
}

function eachVersion(
  oldest: number,
  latest: number,
  describeVersion: (version: number) => Described,
): Record<number, Described> {
  const versions: Record<number, Described> = {}
  for (let version = oldest; version <= latest; version++) versions[version] = describeVersion(version)
  return versions
}

// A field that a version lacks is described too: its default and whether it may be dropped decide what is sent and
// read.
const summary = (type: string, where: string, byDefault: string): string => `${type} ${where} default ${byDefault}`

function describeShape(shape: Shape, version: number): Described {
  const described: Record<string, string | Described> = {}
  Object.entries(shape).forEach(([name, field], at) => {
    const where = !exists(field, version)
      ? `absent${field.rules.isIgnorable ? ', ignorable' : ''}`
      : `${field.rules.tag === null ? 'plain' : `tag ${field.rules.tag}`}${isNullable(field, version) ? ', nullable' : ''}`
    described[`${at} ${name}`] = summary(typeName(field.type), where, defaultName(field))
    const inner = innermost(field.type)
    if (inner.kind === 'struct' && exists(field, version))
      described[`${at} ${name}.`] = describeShape(inner.shape, version)
  })
  return described
}

function innermost(type: Type): Type {
  return type.kind === 'array' ? innermost(type.element) : type
}

function typeName(type: Type): string {
  return type.kind === 'array' ? `[]${typeName(type.element)}` : type.kind
}

function defaultName(field: AnyField): string {
  const value = defaultOf(field)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return field.type.kind === 'struct' ? 'its defaults' : 'empty'
}

function describeFields(kafka: KafkaMessage, fields: readonly KafkaField[], version: number): Described {
  const described: Record<string, string | Described> = {}
  const { since, until } = range(kafka.validVersions)
  // A field that no valid version has is a memory of Kafka's, and cannot be sent.
  const possible = fields.filter(field => {
    const versions = range(versionsOf(field))
    return versions.since <= until && versions.until >= since
  })
  possible.forEach((field, at) => {
    const isThere = isIn(versionsOf(field), version)
    const isTagged = isIn(field.taggedVersions, version)
    const where = !isThere
      ? `absent${String(field.ignorable) === 'true' ? ', ignorable' : ''}`
      : `${isTagged ? `tag ${field.tag}` : 'plain'}${isIn(field.nullableVersions, version) ? ', nullable' : ''}`
    const name = field.name[0]!.toLowerCase() + field.name.slice(1)
    const typeOf = field.type.replace('[]', '')
    const inner = field.fields ?? structNamed(kafka, typeOf)
    const type = field.type.startsWith('[]')
      ? `[]${inner === undefined ? typeOf : 'struct'}`
      : inner === undefined
        ? typeOf
        : 'struct'
    described[`${at} ${name}`] = summary(type, where, kafkaDefault(field, type))
    if (inner !== undefined && isThere) described[`${at} ${name}.`] = describeFields(kafka, inner, version)
  })
  return described
}

/** A tagged field may leave its versions out: it exists where it is tagged. */
function versionsOf(field: KafkaField): string | undefined {
  return field.versions ?? field.taggedVersions
}

function structNamed(kafka: KafkaMessage, name: string): readonly KafkaField[] | undefined {
  const common = kafka.commonStructs?.find(candidate => candidate.name === name)
  return common?.fields ?? findStruct(kafka.fields, name)
}

/** A struct that is declared where it is first used may be named elsewhere. */
function findStruct(fields: readonly KafkaField[], name: string): readonly KafkaField[] | undefined {
  for (const field of fields) {
    if (field.fields !== undefined && field.type.replace('[]', '') === name) return field.fields
    const inner = findStruct(field.fields ?? [], name)
    if (inner !== undefined) return inner
  }
  return undefined
}

function kafkaDefault(field: KafkaField, type: string): string {
  const value = field.default === undefined ? undefined : String(field.default)
  if (value === 'null') return 'null'
  if (type.startsWith('[]') || type === 'bytes') return 'empty'
  switch (type) {
    case 'struct':
      return 'its defaults'
    case 'string':
      return JSON.stringify(value ?? '')
    case 'bool':
      return value ?? 'false'
    case 'uuid':
      return '"AAAAAAAAAAAAAAAAAAAAAA"'
    case 'records':
      return field.nullableVersions === '0+' ? 'null' : 'empty'
    default:
      return JSON.stringify(Number(value ?? 0))
  }
}

function range(versions: string | undefined): { since: number; until: number } {
  if (versions === undefined || versions === 'none') return { since: Infinity, until: -Infinity }
  if (versions.endsWith('+')) return { since: Number(versions.slice(0, -1)), until: Infinity }
  const [since, until] = versions.split('-')
  return { since: Number(since), until: Number(until ?? since) }
}

function isIn(versions: string | undefined, version: number): boolean {
  const { since, until } = range(versions)
  return version >= since && version <= until
}
