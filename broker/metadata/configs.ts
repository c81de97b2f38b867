// Changes configurations: IncrementalAlterConfigs (KIP-339) and AlterConfigs as decisions on the metadata image. All changes of one
// resource are made or none. The texts are Kafka's where it has one (ConfigAdminManager, ConfigurationControlManager). Not here: what
// the keys mean (config/), and how they are described (config-entries.ts).
import { problemWhileRunning, type BrokerConfig } from '../config/broker-config.ts'
import { brokerConfigKey, unknownBrokerKey } from '../config/broker-keys.ts'
import { checkValue, listOf, numberOf, type ConfigKey } from '../config/config-key.ts'
import { nearest } from '../config/nearest.ts'
import { clientMetricsKey, groupConfigKey, groupConfigProblem, illegalMatch } from '../config/resource-config.ts'
import { checkTopicConfigs, topicConfigKey, topicConfigs } from '../config/topic-config.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { MetadataImage } from './image.ts'
import type { MetadataRecord } from './records.ts'
import { DONE, duplicatesOf, refuse, type Outcome } from './refusal.ts'
import { invalidTopicName } from './topic-names.ts'

/** ConfigResource.Type on the wire. */
export const ResourceType = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, CLIENT_METRICS: 16, GROUP: 32 } as const

/** AlterConfigOp.OpType on the wire. */
export const ConfigOperation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const

export type ConfigResource = { readonly resourceType: number; readonly resourceName: string }

export type ConfigOperations = ConfigResource & {
  readonly configs: readonly {
    readonly name: string
    readonly configOperation: number
    readonly value: string | null
  }[]
}

export type ConfigReplacement = ConfigResource & {
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export type AlteredResource = Outcome & ConfigResource

export type AlterConfigsOptions = {
  readonly validateOnly: boolean
  /** What brokers were started with: it bounds what groups may have. */
  readonly config?: Pick<BrokerConfig, 'explicit'>
}

type Emit = (record: MetadataRecord) => void

/** Null when a topic may have these configs, else what is wrong with them. */
export function topicConfigProblem(configs: ReadonlyMap<string, string>): string | null {
  for (const name of configs.keys()) {
    if (topicConfigKey(name) !== undefined) continue
    const meant = nearest(
      name,
      topicConfigs.map(key => key.name),
    )
    const shown = name.length > 120 ? `${name.slice(0, 120)}...` : name
    return `Unknown topic config name: ${shown}${meant === null ? '' : `. Did you mean ${meant}?`}`
  }
  return checkTopicConfigs(configs)
}

/** One result for each resource, in the order of the request. */
export function incrementalAlterConfigs(
  image: MetadataImage,
  resources: readonly ConfigOperations[],
  options: AlterConfigsOptions,
  emit: Emit,
): AlteredResource[] {
  return alterEach(image, resources, options, emit, (resource, current) => {
    const keyOf = KEY_OF[resource.resourceType]!
    const after = new Map(current)
    for (const { name, configOperation, value } of resource.configs) {
      const problem = operate(after, keyOf(name), name, configOperation, value)
      if (problem !== null) return problem
    }
    return after
  })
}

/** As above, but `configs` are the resource's whole configuration: what is not in them goes back to its default. */
export function alterConfigs(
  image: MetadataImage,
  resources: readonly ConfigReplacement[],
  options: AlterConfigsOptions,
  emit: Emit,
): AlteredResource[] {
  return alterEach(image, resources, options, emit, resource => {
    if (resource.resourceType === ResourceType.BROKER && resource.resourceName === '') {
      return refuse(
        ErrorCode.INVALID_REQUEST,
        'Node id must be an integer, but it is empty: use IncrementalAlterConfigs for the defaults of all brokers.',
      )
    }
    const nulls = resource.configs.filter(config => config.value === null).map(config => config.name)
    if (nulls.length > 0) {
      return refuse(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${nulls.join(', ')}`)
    }
    return new Map(resource.configs.map(config => [config.name, config.value!]))
  })
}

function alterEach<Change extends ConfigReplacement>(
  image: MetadataImage,
  resources: readonly Change[],
  options: AlterConfigsOptions,
  emit: Emit,
  change: (resource: Change, current: ReadonlyMap<string, string>) => ReadonlyMap<string, string> | Outcome,
): AlteredResource[] {
  const duplicates = duplicatesOf(resources.map(nameOf))
  return resources.map(resource => {
    const outcome = duplicates.has(nameOf(resource))
      ? refuse(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
      : alter(image, resource, options, emit, change)
    return { ...outcome, resourceType: resource.resourceType, resourceName: resource.resourceName }
  })
}

function nameOf(resource: ConfigResource): string {
  return `${resource.resourceType} ${resource.resourceName}`
}

function alter<Change extends ConfigReplacement>(
  image: MetadataImage,
  resource: Change,
  options: AlterConfigsOptions,
  emit: Emit,
  change: (resource: Change, current: ReadonlyMap<string, string>) => ReadonlyMap<string, string> | Outcome,
): Outcome {
  const found = findAlterable(image, resource)
  if (found !== null) return found
  const repeated = duplicatesOf(resource.configs.map(config => config.name))
  if (repeated.size > 0) {
    const problem = `Error due to duplicate config keys: ${[...repeated].join(', ')}`
    return refuse(ErrorCode.INVALID_REQUEST, problem)
  }
  const name = resource.resourceName
  const type = RECORD_TYPES[resource.resourceType]!
  const current = configsOf(image, type, name) ?? new Map<string, string>()
  const after = change(resource, current)
  if ('errorCode' in after) return after
  const refusal = refusalOf(type, name, current, after, options)
  if (refusal !== null) return refusal
  if (!options.validateOnly) emitDifference(type, name, current, after, emit)
  return DONE
}

type RecordType = Extract<MetadataRecord, { kind: 'config-changed' }>['type']

const RECORD_TYPES: Readonly<Record<number, RecordType>> = {
  [ResourceType.TOPIC]: 'topic',
  [ResourceType.BROKER]: 'broker',
  [ResourceType.GROUP]: 'group',
  [ResourceType.CLIENT_METRICS]: 'client-metrics',
}

const KEY_OF: Readonly<Record<number, (name: string) => ConfigKey | undefined>> = {
  [ResourceType.TOPIC]: topicConfigKey,
  [ResourceType.BROKER]: brokerConfigKey,
  [ResourceType.GROUP]: groupConfigKey,
  [ResourceType.CLIENT_METRICS]: clientMetricsKey,
}

function configsOf(image: MetadataImage, type: RecordType, name: string): ReadonlyMap<string, string> | undefined {
  switch (type) {
    case 'topic':
      return image.topics.get(name)?.configs
    case 'broker':
      return image.brokerConfigs.get(name)
    case 'group':
      return image.groupConfigs.get(name)
    case 'client-metrics':
      return image.clientMetricsConfigs.get(name)
  }
}

function refusalOf(
  type: RecordType,
  name: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  { config = { explicit: new Map() } }: AlterConfigsOptions,
): Outcome | null {
  switch (type) {
    case 'topic':
      return topicRefusal(after)
    case 'broker':
      return brokerRefusal(name, before, after)
    case 'group': {
      const problem = groupConfigProblem(after, config)
      return problem === null ? null : refuse(ErrorCode.INVALID_CONFIG, problem)
    }
    case 'client-metrics':
      return clientMetricsRefusal(after)
  }
}

function clientMetricsRefusal(after: ReadonlyMap<string, string>): Outcome | null {
  for (const [name, value] of after) {
    const key = clientMetricsKey(name)
    if (key === undefined) {
      return refuse(ErrorCode.INVALID_REQUEST, `Unknown client metrics configuration: ${name}`)
    }
    const problem = checkValue(key, value) ?? (name === 'match' ? illegalMatch(value) : null)
    if (problem !== null) return refuse(ErrorCode.INVALID_CONFIG, problem)
    const interval = name === 'interval.ms' ? numberOf(value) : MIN_INTERVAL_MS
    if (interval < MIN_INTERVAL_MS || interval > MAX_INTERVAL_MS) {
      const range = `interval must be between ${MIN_INTERVAL_MS} and ${MAX_INTERVAL_MS} (1 hour)`
      return refuse(ErrorCode.INVALID_REQUEST, `Invalid value ${value} for interval.ms, ${range}`)
    }
  }
  return null
}

const MIN_INTERVAL_MS = 100
const MAX_INTERVAL_MS = 3_600_000

function emitDifference(
  type: RecordType,
  resource: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  emit: Emit,
): void {
  for (const [key, value] of after) {
    if (before.get(key) !== value) emit({ kind: 'config-changed', type, resource, key, value })
  }
  for (const key of before.keys()) {
    if (!after.has(key)) emit({ kind: 'config-changed', type, resource, key, value: null })
  }
}

/** Null when the resource exists and may be altered. */
function findAlterable(image: MetadataImage, { resourceType, resourceName }: ConfigResource): Outcome | null {
  switch (resourceType) {
    case ResourceType.TOPIC: {
      if (resourceName === '') {
        return refuse(ErrorCode.INVALID_REQUEST, 'Default topic resources are not allowed.')
      }
      const invalid = invalidTopicName(resourceName)
      if (invalid !== null) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, invalid)
      if (image.topics.has(resourceName)) return null
      return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${resourceName}' does not exist.`)
    }
    case ResourceType.BROKER: {
      if (resourceName === '') return null
      if (!/^\d{1,10}$/.test(resourceName)) {
        return refuse(ErrorCode.INVALID_REQUEST, `Node id must be an integer, but it is: ${resourceName}`)
      }
      if (image.brokers.has(Number(resourceName)) && String(Number(resourceName)) === resourceName) return null
      const known = [...image.brokers.keys()].sort((a, b) => a - b).join(', ')
      return refuse(
        ErrorCode.INVALID_REQUEST,
        `Unexpected broker id, expected one of the registered brokers (${known}), but received ${resourceName}`,
      )
    }
    case ResourceType.BROKER_LOGGER:
      return refuse(
        ErrorCode.INVALID_REQUEST,
        'This broker has no loggers whose level can be altered: set flotilla.log.level and restart it.',
      )
    case ResourceType.CLIENT_METRICS:
      return resourceName === '' ? refuse(ErrorCode.INVALID_REQUEST, "Subscription name can't be empty") : null
    case ResourceType.GROUP:
      return resourceName === '' ? refuse(ErrorCode.INVALID_REQUEST, 'Default group resources are not allowed.') : null
    default:
      return refuse(ErrorCode.INVALID_REQUEST, `Unknown resource type ${resourceType}`)
  }
}

/** Applies one operation to `configs`; returns why it cannot. */
function operate(
  configs: Map<string, string>,
  key: ConfigKey | undefined,
  name: string,
  operation: number,
  value: string | null,
): Outcome | null {
  if (operation === ConfigOperation.DELETE) {
    configs.delete(name)
    return null
  }
  if (value === null) return refuse(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${name}`)
  if (operation === ConfigOperation.SET) {
    configs.set(name, value)
    return null
  }
  const isAppend = operation === ConfigOperation.APPEND
  if (!isAppend && operation !== ConfigOperation.SUBTRACT) {
    return refuse(ErrorCode.INVALID_REQUEST, `Unknown operations type ${operation}`)
  }
  // An unknown key is refused with what is close to it, like any other.
  if (key === undefined) {
    configs.set(name, value)
    return null
  }
  if (key.type !== 'list') {
    const verb = isAppend ? 'APPEND' : 'SUBTRACT'
    return refuse(ErrorCode.INVALID_CONFIG, `Can't ${verb} to key ${name} because its type is not LIST.`)
  }
  const before = listOf(configs.get(name) ?? key.default ?? '')
  const items = listOf(value)
  const after = isAppend ? [...new Set([...before, ...items])] : before.filter(item => !items.includes(item))
  configs.set(name, after.join(','))
  return null
}

function topicRefusal(after: ReadonlyMap<string, string>): Outcome | null {
  const problem = topicConfigProblem(after)
  return problem === null ? null : refuse(ErrorCode.INVALID_CONFIG, problem)
}

function brokerRefusal(
  brokerId: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Outcome | null {
  const readOnly: string[] = []
  const perBroker: string[] = []
  for (const [name, value] of after) {
    if (before.get(name) === value) continue
    const key = brokerConfigKey(name)
    if (key === undefined) return refuse(ErrorCode.INVALID_CONFIG, unknownBrokerKey(name))
    if (key.isReadOnly) readOnly.push(name)
    else if (key.updateMode === 'per-broker' && brokerId === '') perBroker.push(name)
    const problem = checkValue(key, value) ?? problemWhileRunning(name, value)
    // Of a topic this is INVALID_CONFIG; Kafka has it so.
    if (problem !== null) return refuse(ErrorCode.INVALID_REQUEST, problem)
  }
  if (readOnly.length > 0) {
    const problem = `Cannot update these configs dynamically: [${readOnly.join(', ')}]. Set them at the start of the broker.`
    return refuse(ErrorCode.INVALID_REQUEST, problem)
  }
  if (perBroker.length > 0) {
    const problem = `Cannot update these configs at default cluster level: [${perBroker.join(', ')}]. Name a broker.`
    return refuse(ErrorCode.INVALID_REQUEST, problem)
  }
  return null
}
