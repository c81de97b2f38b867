// What groups and subscriptions to clients' metrics may be configured with. The texts are Kafka's (GroupConfig, ClientMetricsConfigs).
// Not here: the keys (keys/resources.ts), and acting on them.
import { brokerValue, type BrokerConfig } from './broker-config.ts'
import { brokerConfigKey } from './broker-keys.ts'
import { checkValue, listOf, numberOf, type ConfigKey } from './config-key.ts'
import { clientMetricsKeys, groupConfigKeys } from './keys/resources.ts'

export { clientMetricsKeys, groupConfigKeys }

const groupKeys: ReadonlyMap<string, ConfigKey> = new Map(groupConfigKeys.map(key => [key.name, key]))
const metricsKeys: ReadonlyMap<string, ConfigKey> = new Map(clientMetricsKeys.map(key => [key.name, key]))

export function groupConfigKey(name: string): ConfigKey | undefined {
  return groupKeys.get(name)
}

export function clientMetricsKey(name: string): ConfigKey | undefined {
  return metricsKeys.get(name)
}

/** Null when a group may have these configs on a broker with `config`, which sets bounds for many of them. */
export function groupConfigProblem(
  configs: ReadonlyMap<string, string>,
  config: Pick<BrokerConfig, 'explicit'>,
): string | null {
  for (const [name, value] of configs) {
    const key = groupKeys.get(name)
    if (key === undefined) return `Unknown group config name: ${name}`
    const problem = checkValue(key, value) ?? outOfBounds(key, value, config)
    if (problem !== null) return problem
  }
  return null
}

function outOfBounds(key: ConfigKey, value: string, config: Pick<BrokerConfig, 'explicit'>): string | null {
  const { name } = key
  if (name === 'errors.deadletterqueue.topic.name' && value.startsWith('__')) {
    return `${name}: DLQ topic name must not start with '__'`
  }
  if (name === 'streams.assignor.name') {
    const registered = listOf(brokerValue(config, 'group.streams.assignors') ?? '')
    if (registered.includes(value.trim())) return null
    return `${name} '${value}' is not a registered task assignor. Registered assignors are: [${registered.join(', ')}].`
  }
  if (key.type !== 'int') return null
  const [kind, ...rest] = name.split('.')
  const bound = (which: 'min' | 'max'): number | null => {
    const bounding = name === 'streams.num.standby.replicas' ? ['standby', 'replicas'] : rest
    const found = [`group.${kind}`, which, ...bounding].join('.')
    return brokerConfigKey(found) === undefined ? null : numberOf(brokerValue(config, found)!)
  }
  const [min, max] = [bound('min'), bound('max')]
  const number = numberOf(value)
  if (max === null || (number <= max && number >= (min ?? number))) return null
  return min === null
    ? `${name} must be less than or equal to ${max}`
    : `${name} must be in the range ${min} to ${max} inclusive.`
}

// ClientMetricsConfigs: what of a client a selector may name.
const SELECTORS = new Set([
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
])

/** Null when every entry of `match` is a selector and a pattern. */
export function illegalMatch(match: string): string | null {
  for (const entry of listOf(match)) {
    const [selector, pattern, ...more] = entry.split('=').map(part => part.trim())
    const isFine = more.length === 0 && pattern !== undefined && SELECTORS.has(selector!) && isPattern(pattern)
    if (!isFine) return `Illegal client matching pattern: ${entry}`
  }
  return null
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp
  } catch {
    return false
  }
}
