// The words in which the catalogues are written: types with a default, rules for values, and the two kinds of entries. Rules say
// what Kafka's ConfigDef validators say, in their words, because clients and people compare.
import type { ConfigKey, ConfigType } from './config-key.ts'

export type Kind = Pick<ConfigKey, 'type' | 'default' | 'valid' | 'validate'>
export type Rule = { readonly valid: string; readonly validate: (value: string) => string | null }
type More = Partial<
  Pick<ConfigKey, 'brokerKey' | 'kafkaDefault' | 'updateMode' | 'isReadOnly' | 'isSensitive' | 'isInternal'>
>

/** Kafka's Long.MAX_VALUE: "no limit". */
export const MAX_LONG = '9223372036854775807'
export const MAX_INT = '2147483647'

export const boolean = (value: boolean | null): Kind => kind('boolean', value)
export const short = (value: number | null, rule?: Rule): Kind => kind('short', value, rule)
export const int = (value: number | string | null, rule?: Rule): Kind => kind('int', value, rule)
export const long = (value: number | string | null, rule?: Rule): Kind => kind('long', value, rule)
export const double = (value: number | string | null, rule?: Rule): Kind => kind('double', value, rule)
export const string = (value: string | null, rule?: Rule): Kind => kind('string', value, rule)
export const list = (value: string | null, rule?: Rule): Kind => kind('list', value, rule)
export const password = (): Kind => kind('password', null)
export const javaClass = (value: string | null): Kind => kind('class', value)

function kind(type: ConfigType, value: boolean | number | string | null, rule?: Rule): Kind {
  return { type, default: value === null ? null : String(value), ...rule }
}

/** A key that the broker acts on. */
export function honoured(name: string, kind: Kind, doc: string, more: More = {}): ConfigKey {
  return entry(true, name, kind, doc, more)
}

/** A key that Kafka knows: accepted, stored and described, and without any effect here. */
export function known(name: string, kind: Kind, doc: string, more: More = {}): ConfigKey {
  return entry(false, name, kind, doc, more)
}

function entry(isHonoured: boolean, name: string, kind: Kind, doc: string, more: More): ConfigKey {
  return { name, ...kind, doc, honoured: isHonoured, ...more, ...(kind.type === 'password' && { isSensitive: true }) }
}

// Rules see numbers that may exceed 2^53 as the nearest number, which is exact enough for every bound below.

export function atLeast(min: number): Rule {
  return {
    valid: `[${min},...]`,
    validate: value => (Number(value) < min ? `Value must be at least ${min}` : null),
  }
}

export function between(min: number, max: number): Rule {
  return {
    valid: `[${min},...,${max}]`,
    validate: value =>
      Number(value) < min
        ? `Value must be at least ${min}`
        : Number(value) > max
          ? `Value must be no more than ${max}`
          : null,
  }
}

/** Between `min` and `max`, or exactly `other`. */
export function betweenOr(min: number, max: number, other: number): Rule {
  const isFine = (value: number) => value === other || (value >= min && value <= max)
  return {
    valid: `[${min},...,${max}] or ${other}`,
    validate: value => (isFine(Number(value)) ? null : `Value must be between ${min} and ${max} or equal to ${other}`),
  }
}

/** One of these words; in a list, each entry. */
export function oneOf(...words: readonly string[]): Rule {
  return {
    valid: `[${words.join(', ')}]`,
    validate: value => (words.includes(value) ? null : `String must be one of: ${words.join(', ')}`),
  }
}

export function oneOfAnyCase(...words: readonly string[]): Rule {
  return {
    valid: `(case insensitive) [${words.join(', ')}]`,
    validate: value =>
      words.includes(value.toUpperCase()) ? null : `String must be one of (case insensitive): ${words.join(', ')}`,
  }
}

export const nonEmpty: Rule = {
  valid: 'non-empty string',
  validate: value => (value === '' ? 'String must be non-empty' : null),
}

/** `*`, or entries such as `0:1` (partition, broker). */
export const throttledReplicas: Rule = {
  valid: '[partitionId]:[brokerId],[partitionId]:[brokerId],...',
  validate: value =>
    value === '*' || /^\d+:\d+$/.test(value)
      ? null
      : "must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
}
