// Describes configurations: every key of a topic or broker with the value in force, where it comes from and what it would be otherwise
// (org.apache.kafka's ConfigHelper). Pure. Not here: the wire format (api/describe-configs.ts) and changes (configs.ts).
import { brokerValue, withDynamicConfig, type BrokerConfig } from '../config/broker-config.ts'
import { brokerConfigKey, brokerConfigs } from '../config/broker-keys.ts'
import type { ConfigKey, ConfigType } from '../config/config-key.ts'
import { clientMetricsKeys, groupConfigKeys } from '../config/resource-config.ts'
import { topicConfigs } from '../config/topic-config.ts'
import { brokerSynonyms } from '../config/topic-defaults.ts'
import type { MetadataImage } from './image.ts'

/** DescribeConfigsResponse.ConfigSource on the wire. */
export const ConfigSource = {
  UNKNOWN: 0,
  DYNAMIC_TOPIC_CONFIG: 1,
  DYNAMIC_BROKER_CONFIG: 2,
  DYNAMIC_DEFAULT_BROKER_CONFIG: 3,
  STATIC_BROKER_CONFIG: 4,
  DEFAULT_CONFIG: 5,
  DYNAMIC_CLIENT_METRICS_CONFIG: 7,
  DYNAMIC_GROUP_CONFIG: 8,
} as const

export type Synonym = { readonly name: string; readonly value: string | null; readonly source: number }

export type ConfigEntry = {
  readonly name: string
  /** Null when there is none, or when it is sensitive. */
  readonly value: string | null
  readonly source: number
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  readonly type: ConfigType
  readonly doc: string
  /** In order of precedence; the first one is in force. */
  readonly synonyms: readonly Synonym[]
}

/** What a broker's configuration consists of, in order of precedence. */
type Layers = {
  readonly ofThisBroker: ReadonlyMap<string, string>
  readonly ofAllBrokers: ReadonlyMap<string, string>
  readonly config: BrokerConfig
}

const NOTHING: ReadonlyMap<string, string> = new Map()

/** The broker's configuration as it is in force: what was set while it runs over what it was started with. */
export function effectiveConfig(image: MetadataImage, brokerId: number, config: BrokerConfig): BrokerConfig {
  const { ofThisBroker, ofAllBrokers } = layersOf(image, brokerId, config)
  if (ofThisBroker.size === 0 && ofAllBrokers.size === 0) return config
  return withDynamicConfig(config, ofThisBroker, ofAllBrokers).config
}

function layersOf(image: MetadataImage, brokerId: number, config: BrokerConfig): Layers {
  return {
    ofThisBroker: image.brokerConfigs.get(String(brokerId)) ?? NOTHING,
    ofAllBrokers: image.brokerConfigs.get('') ?? NOTHING,
    config,
  }
}

/** All keys of a topic in the order of their names; `overrides` are its own. Only those in `wanted`, unless that is null. */
export function topicConfigEntries(
  overrides: ReadonlyMap<string, string>,
  image: MetadataImage,
  brokerId: number,
  config: BrokerConfig,
  wanted: ReadonlySet<string> | null = null,
): ConfigEntry[] {
  const layers = layersOf(image, brokerId, config)
  const defaults = effectiveConfig(image, brokerId, config).topicDefaultTexts
  return described(topicConfigs, wanted).map(key => {
    const override = overrides.get(key.name)
    const synonyms = key.brokerKey === undefined ? [] : synonymsOf(key.brokerKey, layers, key.isSensitive === true)
    if (override !== undefined) {
      synonyms.unshift({
        name: key.name,
        value: key.isSensitive ? null : override,
        source: ConfigSource.DYNAMIC_TOPIC_CONFIG,
      })
    }
    return entry(key, override ?? defaults.get(key.name) ?? null, synonyms, false)
  })
}

/** All keys of a group: what was set for it, else what groups get on this broker. */
export function groupConfigEntries(
  group: string,
  image: MetadataImage,
  brokerId: number,
  config: BrokerConfig,
  wanted: ReadonlySet<string> | null = null,
): ConfigEntry[] {
  const layers = layersOf(image, brokerId, config)
  const overrides = image.groupConfigs.get(group) ?? NOTHING
  return described(groupConfigKeys, wanted).map(key => {
    const override = overrides.get(key.name)
    const synonyms = key.brokerKey === undefined ? [] : synonymsOf(key.brokerKey, layers, false)
    const inherited = synonyms[0]?.value ?? key.default
    if (override !== undefined) {
      synonyms.unshift({ name: key.name, value: override, source: ConfigSource.DYNAMIC_GROUP_CONFIG })
    }
    return entry(key, override ?? inherited, synonyms, false)
  })
}

/** All keys of a subscription to clients' metrics. */
export function clientMetricsConfigEntries(
  subscription: string,
  image: MetadataImage,
  wanted: ReadonlySet<string> | null = null,
): ConfigEntry[] {
  const overrides = image.clientMetricsConfigs.get(subscription) ?? NOTHING
  return described(clientMetricsKeys, wanted).map(key => {
    const value = overrides.get(key.name)
    const source = ConfigSource.DYNAMIC_CLIENT_METRICS_CONFIG
    const synonyms = value === undefined ? [] : [{ name: key.name, value, source }]
    return entry(key, value ?? key.default, synonyms, false)
  })
}

/** All keys of a broker: the catalogue, and what was set beyond it (keys of single listeners). */
export function brokerConfigEntries(
  image: MetadataImage,
  brokerId: number,
  config: BrokerConfig,
  wanted: ReadonlySet<string> | null = null,
): ConfigEntry[] {
  const layers = layersOf(image, brokerId, config)
  const names = new Set([...layers.ofThisBroker.keys(), ...layers.ofAllBrokers.keys(), ...config.explicit.keys()])
  for (const key of brokerConfigs) names.delete(key.name)
  const beyond = [...names].map(brokerConfigKey).filter(key => key !== undefined)
  return described([...brokerConfigs, ...beyond], wanted).map(key => {
    const synonyms = synonymsOf(key.name, layers, key.isSensitive === true)
    const { ofThisBroker, ofAllBrokers } = layers
    const value = ofThisBroker.get(key.name) ?? ofAllBrokers.get(key.name) ?? brokerValue(config, key.name)
    return entry(key, value, synonyms, key.isReadOnly === true)
  })
}

/** What is set for all brokers, and nothing else: the resource with the empty name. */
export function defaultBrokerConfigEntries(
  image: MetadataImage,
  wanted: ReadonlySet<string> | null = null,
): ConfigEntry[] {
  const ofAllBrokers = image.brokerConfigs.get('') ?? NOTHING
  const keys = [...ofAllBrokers.keys()].map(brokerConfigKey).filter(key => key !== undefined)
  return described(keys, wanted).map(key => {
    const value = ofAllBrokers.get(key.name) ?? null
    const shown = key.isSensitive ? null : value
    const synonym = { name: key.name, value: shown, source: ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG }
    return entry(key, value, [synonym], key.isReadOnly === true)
  })
}

function described(keys: readonly ConfigKey[], wanted: ReadonlySet<string> | null): ConfigKey[] {
  return keys
    .filter(key => (wanted === null ? key.isInternal !== true : wanted.has(key.name)))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function entry(key: ConfigKey, value: string | null, synonyms: readonly Synonym[], isReadOnly: boolean): ConfigEntry {
  const isSensitive = key.isSensitive === true
  return {
    name: key.name,
    value: isSensitive ? null : value,
    source: synonyms[0]?.source ?? ConfigSource.DEFAULT_CONFIG,
    isReadOnly,
    isSensitive,
    type: key.type,
    doc: key.doc,
    synonyms,
  }
}

// Layer by layer, and within a layer the key and what stands in for it (log.retention.ms, .minutes, .hours). As in Kafka the list
// starts with the key itself, so retention.ms has no synonyms, and a default for its source, where only log.retention.hours is set.
function synonymsOf(name: string, layers: Layers, isSensitive: boolean): Synonym[] {
  const names = brokerSynonyms(name).map(synonym => synonym.name)
  const all: Synonym[] = []
  const add = (source: number, valueOf: (name: string) => string | null | undefined): void => {
    for (const synonym of names) {
      const value = valueOf(synonym) ?? null
      if (value !== null) all.push({ name: synonym, value: isSensitive ? null : value, source })
    }
  }
  add(ConfigSource.DYNAMIC_BROKER_CONFIG, synonym => layers.ofThisBroker.get(synonym))
  add(ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG, synonym => layers.ofAllBrokers.get(synonym))
  add(ConfigSource.STATIC_BROKER_CONFIG, synonym => layers.config.explicit.get(synonym))
  add(ConfigSource.DEFAULT_CONFIG, synonym => brokerConfigKey(synonym)?.default)
  const own = all.findIndex(synonym => synonym.name === name)
  return own < 0 ? [] : all.slice(own)
}
