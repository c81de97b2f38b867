// Quotas of clients (KIP-546): AlterClientQuotas as a decision on the metadata image, and what DescribeClientQuotas finds. The texts
// are Kafka's (ClientQuotaControlManager, ClientQuotasImage). Not here: what a quota does (api/quotas.ts).
import { canonicalIp } from '../base/ip.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { quotaKey, type ClientQuota, type MetadataImage, type QuotaEntity } from './image.ts'
import type { MetadataRecord } from './records.ts'
import { DONE, refuse, tooManyAlterations, type Outcome } from './refusal.ts'

type EntityPart = { readonly entityType: string; readonly entityName: string | null }

export type QuotaAlteration = {
  readonly entity: readonly EntityPart[]
  readonly ops: readonly { readonly key: string; readonly value: number; readonly remove: boolean }[]
}

export type AlteredQuota = Outcome & { readonly entity: readonly EntityPart[] }

export type QuotaFilter = {
  readonly components: readonly {
    readonly entityType: string
    readonly matchType: number
    readonly match: string | null
  }[]
  /** Whether entities with more parts than the filter names are left out. */
  readonly strict: boolean
}

/** DescribeClientQuotasRequest's match types on the wire. */
export const MatchType = { EXACT: 0, DEFAULT: 1, SPECIFIED: 2 } as const

type QuotaType = 'double' | 'long' | 'int'

const USER_AND_CLIENT_QUOTAS: ReadonlyMap<string, QuotaType> = new Map([
  ['producer_byte_rate', 'long'],
  ['consumer_byte_rate', 'long'],
  ['request_percentage', 'double'],
  ['controller_mutation_rate', 'double'],
])
const IP_QUOTAS: ReadonlyMap<string, QuotaType> = new Map([['connection_creation_rate', 'int']])

const LARGEST: Readonly<Record<QuotaType, number>> = { double: Infinity, long: 2 ** 63, int: 2 ** 31 - 1 }
/** A user and a client id. */
const MAX_PARTS = 2
/** What of a fraction Kafka takes for rounding. */
const EPSILON = 1e-6

/**
 * One result for each entity, in the order of the request; all changes of one entity are made or none. An entity that appears
 * twice is not altered at all (Kafka makes the first change and answers with the error).
 */
export function alterClientQuotas(
  image: MetadataImage,
  alterations: readonly QuotaAlteration[],
  { validateOnly }: { readonly validateOnly: boolean },
  emit: (record: MetadataRecord) => void,
): AlteredQuota[] {
  const excess = tooManyAlterations(alterations.reduce((sum, { entity, ops }) => sum + sizeOf(entity, ops), 0))
  // Before anything is compared: a request may hold a million of them.
  if (excess !== null) return alterations.map(({ entity }) => ({ ...excess, entity }))
  const ofEntity = new Map<string, { parts: EntityPart[]; alterations: QuotaAlteration[] }>()
  for (const alteration of alterations) {
    const parts = lastOfEachType(alteration.entity)
    const key = JSON.stringify(parts.map(({ entityType, entityName }) => [entityType, entityName]))
    const known = ofEntity.get(key)
    if (known === undefined) ofEntity.set(key, { parts, alterations: [alteration] })
    else known.alterations.push(alteration)
  }
  return [...ofEntity.values()].map(({ parts, alterations: ofThis }) => {
    const outcome =
      ofThis.length > 1
        ? refuse(ErrorCode.INVALID_REQUEST, `Ignoring duplicate entity ${shown(parts)}`)
        : alter(image, parts, ofThis[0]!.ops, validateOnly, emit)
    return { ...outcome, entity: parts }
  })
}

/** What an entity asks for, counted in records; one that asks for nothing is work, too. */
function sizeOf(entity: readonly EntityPart[], ops: QuotaAlteration['ops']): number {
  return Math.max(1, entity.length - MAX_PARTS, ops.length)
}

/** A type that is named twice counts as it was named last, as in Kafka, whose entity is a map. */
function lastOfEachType(entity: readonly EntityPart[]): EntityPart[] {
  const names = new Map<string, string | null>()
  for (const { entityType, entityName } of entity) names.set(entityType, entityName)
  return [...names]
    .map(([entityType, entityName]) => ({ entityType, entityName }))
    .sort((a, b) => (a.entityType < b.entityType ? -1 : 1))
}

function shown(parts: readonly EntityPart[]): string {
  const pairs = parts.map(({ entityType, entityName }) => `${entityType}=${entityName ?? '<default>'}`)
  return `ClientQuotaEntity(entries={${pairs.join(', ')}})`
}

function alter(
  image: MetadataImage,
  parts: readonly EntityPart[],
  ops: QuotaAlteration['ops'],
  validateOnly: boolean,
  emit: (record: MetadataRecord) => void,
): Outcome {
  const known = quotasOf(parts)
  if ('errorCode' in known) return known
  const values = new Map<string, number | null>()
  for (const { key, value, remove } of ops) {
    if (values.has(key)) return refuse(ErrorCode.INVALID_REQUEST, `Duplicate quota key ${key}`)
    const refusal = remove ? null : refusedValue(known, key, value)
    if (refusal !== null) return refusal
    values.set(key, remove ? null : value)
  }
  if (validateOnly) return DONE
  const entity: QuotaEntity = Object.fromEntries(parts.map(part => [part.entityType, part.entityName]))
  const before = image.clientQuotas.get(quotaKey(entity))?.values
  for (const [key, value] of values) {
    if ((before?.get(key) ?? null) !== value) emit({ kind: 'client-quota-changed', entity, key, value })
  }
  return DONE
}

/** The quotas that an entity can have, or why there is no such entity. */
function quotasOf(parts: readonly EntityPart[]): ReadonlyMap<string, QuotaType> | Outcome {
  const empty = refuse(ErrorCode.INVALID_REQUEST, 'Invalid empty client quota entity')
  if (parts.length === 0) return empty
  for (const { entityType, entityName } of parts) {
    if (!isEntityType(entityType)) {
      return refuse(ErrorCode.INVALID_REQUEST, `Unhandled client quota entity type: ${entityType}`)
    }
    if (entityName === '') return refuse(ErrorCode.INVALID_REQUEST, `Empty ${entityType} not supported`)
  }
  const ip = parts.find(({ entityType }) => entityType === 'ip')
  if (ip === undefined) return USER_AND_CLIENT_QUOTAS
  if (parts.length > 1) {
    const problem = 'Invalid quota entity combination, IP entity should not be combined with User or ClientId'
    return refuse(ErrorCode.INVALID_REQUEST, problem)
  }
  if (ip.entityName === null || canonicalIp(ip.entityName) !== null) return IP_QUOTAS
  return refuse(ErrorCode.INVALID_REQUEST, `${ip.entityName} is not a valid IP; host names are not resolved here.`)
}

function isEntityType(type: string): type is keyof QuotaEntity {
  return type === 'user' || type === 'client-id' || type === 'ip'
}

function refusedValue(known: ReadonlyMap<string, QuotaType>, key: string, value: number): Outcome | null {
  const type = known.get(key)
  const invalid = (problem: string): Outcome => refuse(ErrorCode.INVALID_REQUEST, problem)
  if (type === undefined) return invalid(`Invalid configuration key ${key}`)
  if (!Number.isFinite(value)) return invalid(`Quota ${key} must be a finite number`)
  if (value <= 0) return invalid(`Quota ${key} must be greater than 0`)
  if (type === 'double') return null
  if (value > LARGEST[type]) {
    return invalid(`Proposed value for ${key} is too large for ${type === 'int' ? 'an INT' : 'a LONG'}.`)
  }
  return value % 1 <= EPSILON ? null : invalid(`${key} cannot be a fractional value.`)
}

/** What the filter finds, or why it is none. */
export function describeClientQuotas(image: MetadataImage, filter: QuotaFilter): ClientQuota[] | Outcome {
  const { components, strict } = filter
  const refusal = refusedFilter(components)
  if (refusal !== null) return refusal
  const isMatch = ({ entity }: ClientQuota): boolean =>
    components.every(({ entityType, matchType, match }) => {
      const name = entity[entityType as keyof QuotaEntity]
      if (name === undefined) return false
      return matchType === MatchType.SPECIFIED || name === match
    }) &&
    (!strict || Object.keys(entity).length === components.length)
  return [...image.clientQuotas.values()].filter(isMatch)
}

function refusedFilter(components: QuotaFilter['components']): Outcome | null {
  const invalid = (problem: string): Outcome => refuse(ErrorCode.INVALID_REQUEST, problem)
  const types = new Set<string>()
  for (const { entityType, matchType, match } of components) {
    if (entityType === '') return invalid('Invalid empty entity type.')
    if (types.has(entityType)) return invalid(`Entity type ${entityType} cannot appear more than once in the filter.`)
    if (!isEntityType(entityType)) {
      return refuse(ErrorCode.UNSUPPORTED_VERSION, `Unsupported entity type ${entityType}`)
    }
    types.add(entityType)
    const name = Object.entries(MatchType).find(([, type]) => type === matchType)?.[0]
    if (name === undefined) return invalid(`Unknown match type ${matchType}`)
    if (matchType === MatchType.EXACT && match === null) {
      return invalid('Request specified MATCH_TYPE_EXACT, but set match string to null.')
    }
    if (matchType !== MatchType.EXACT && match !== null) {
      return invalid(`Request specified MATCH_TYPE_${name}, but also specified a match string.`)
    }
  }
  if (!types.has('ip') || types.size === 1) return null
  return invalid(
    'Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.',
  )
}
