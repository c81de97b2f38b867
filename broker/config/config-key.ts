// One catalogue entry per configuration key, and what can be done with any key: check a value as Kafka's ConfigDef does and read
// it as a typed value. The catalogues themselves are in keys/; what the values mean together is topic-config.ts and broker-config.ts.

export type ConfigType = 'boolean' | 'int' | 'short' | 'long' | 'double' | 'string' | 'list' | 'password' | 'class'

/** How a broker key may change while the broker runs (KIP-226). */
export type UpdateMode = 'read-only' | 'per-broker' | 'cluster-wide'

export type ConfigKey = {
  readonly name: string
  readonly type: ConfigType
  /** As it is written in a file; null when there is none. */
  readonly default: string | null
  /** One plain sentence or two. */
  readonly doc: string
  /** False: Kafka knows the key, we accept and store it, and it changes nothing. */
  readonly honoured: boolean
  /** What values are fine beyond the type, as Kafka writes it: `[0,...]`, `[delete, compact]`. */
  readonly valid?: string
  /** Null when `value` (trimmed and of the right type) is fine, else what is wrong with it. Lists: called with each entry. */
  readonly validate?: (value: string) => string | null
  /** Topic keys: the broker key that supplies the default. */
  readonly brokerKey?: string
  /** Kafka's own default where ours deliberately differs; null where Kafka has none. */
  readonly kafkaDefault?: string | null
  readonly isReadOnly?: boolean
  readonly isSensitive?: boolean
  /** For tests and Kafka's own developers: not described to clients. */
  readonly isInternal?: boolean
  /** Broker keys only. */
  readonly updateMode?: UpdateMode
}

/** Null when `text` is a value for `key`, else a message in Kafka's words. */
export function checkValue(key: ConfigKey, text: string): string | null {
  const value = text.trim()
  const wrongType = typeProblem(key.type, value)
  if (wrongType) return `Invalid value ${shown(key, value)} for configuration ${key.name}: ${wrongType}`
  for (const entry of key.type === 'list' ? listOf(value) : [value]) {
    const problem = key.validate?.(entry)
    if (problem) return `Invalid value ${shown(key, entry)} for configuration ${key.name}: ${problem}`
  }
  return null
}

/** The entries of a list: split at commas, without the blanks around them; none in an empty text. */
export function listOf(text: string): string[] {
  const value = text.trim()
  return value === '' ? [] : value.split(/\s*,\s*/)
}

/** A number that has passed `checkValue`. What a JavaScript number cannot hold exactly ("no limit" in Kafka) reads as Number.MAX_SAFE_INTEGER. */
export function numberOf(text: string): number {
  return Math.max(
    Math.min(Number(text.trim().replace(/[dDfF]$/, '')), Number.MAX_SAFE_INTEGER),
    Number.MIN_SAFE_INTEGER,
  )
}

/** A boolean that has passed `checkValue`. */
export function booleanOf(text: string): boolean {
  return text.trim().toLowerCase() === 'true'
}

const BOUNDS: Partial<Record<ConfigType, bigint>> = { short: 2n ** 15n, int: 2n ** 31n, long: 2n ** 63n }

function typeProblem(type: ConfigType, value: string): string | null {
  switch (type) {
    case 'boolean':
      return /^(true|false)$/i.test(value) ? null : 'Expected value to be either true or false'
    case 'short':
    case 'int':
    case 'long': {
      const bound = BOUNDS[type]!
      // 20 characters hold every 64-bit number; a longer text is not worth the work of BigInt.
      if (!/^[+-]?\d{1,20}$/.test(value)) return `Not a number of type ${type.toUpperCase()}`
      const number = BigInt(value.replace(/^\+/, ''))
      return number >= -bound && number < bound ? null : `Not a number of type ${type.toUpperCase()}`
    }
    case 'double':
      return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?$/.test(value) ? null : 'Not a number of type DOUBLE'
    case 'string':
    case 'list':
    case 'password':
    case 'class':
      return null
    default:
      return type satisfies never
  }
}

// A password never appears in a message, and a hostile value does not fill the log.
function shown(key: ConfigKey, value: string): string {
  if (key.isSensitive) return '[hidden]'
  return value.length > 200 ? `${value.slice(0, 200)}...` : value
}
