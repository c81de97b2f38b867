// What a topic's keys are when the topic does not set them: the broker's keys, with Kafka's synonyms and units. A key counts
// before the next one of its line (log.retention.ms before log.retention.minutes before log.retention.hours).
import type { TopicConfig } from './topic-config.ts'
import { readTopicConfig, topicConfigs } from './topic-config.ts'

export type Synonym = { readonly name: string; readonly factor: number }

const HOUR_MS = 3_600_000
const SYNONYMS: ReadonlyMap<string, readonly Synonym[]> = new Map([
  ['log.retention.ms', [unit('log.retention.minutes', 60_000), unit('log.retention.hours', HOUR_MS)]],
  ['log.roll.ms', [unit('log.roll.hours', HOUR_MS)]],
  ['log.roll.jitter.ms', [unit('log.roll.jitter.hours', HOUR_MS)]],
  ['log.flush.interval.ms', [unit('log.flush.scheduler.interval.ms', 1)]],
])

function unit(name: string, factor: number): Synonym {
  return { name, factor }
}

/** The broker key itself and what stands in for it, in order of precedence (Kafka's DynamicBrokerConfig.brokerConfigSynonyms). */
export function brokerSynonyms(name: string): readonly Synonym[] {
  for (const [first, rest] of SYNONYMS)
    if (name === first || rest.some(synonym => synonym.name === name)) return [unit(first, 1), ...rest]
  return [unit(name, 1)]
}

/** Every topic key with the text that is in force when a topic does not set it. `textOf` gives a broker key's text, or null. */
export function topicDefaultTexts(textOf: (brokerKey: string) => string | null): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const key of topicConfigs) {
    const text = key.brokerKey === undefined ? key.default : textInUnits(brokerSynonyms(key.brokerKey), textOf)
    if (text !== null) texts.set(key.name, text)
  }
  return texts
}

function textInUnits(synonyms: readonly Synonym[], textOf: (brokerKey: string) => string | null): string | null {
  for (const { name, factor } of synonyms) {
    const text = textOf(name)?.trim() ?? null
    if (text === null) continue
    if (factor === 1) return text
    // Kafka reads every negative time as "no limit".
    return Number(text) < 0 ? '-1' : String(BigInt(text.replace(/^\+/, '')) * BigInt(factor))
  }
  return null
}

/** The typed form of those texts. */
export function topicDefaults(texts: ReadonlyMap<string, string>): TopicConfig {
  return readTopicConfig(name => texts.get(name))
}
