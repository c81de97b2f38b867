// One catalogue entry per configuration key, and what can be done with any key: check a value as Kafka's ConfigDef does, read it
// as a typed value, and find the key that somebody probably meant. The catalogues themselves are topic-keys.ts and broker-keys/.

export type ConfigType = 'boolean' | 'int' | 'short' | 'long' | 'double' | 'string' | 'list' | 'password' | 'class'

/** How a broker key may change while the broker runs (KIP-226). */
export type UpdateMode = 'read-only' | 'per-broker' | 'cluster-wide'

export type ConfigKey = {
  readonly name: string
  readonly type: ConfigType
  /** As it is written in a file; null when there is none. A key of ours that differs from Kafka says so in `kafkaDefault`. */
  readonly default: string | null
  /** One plain sentence or two. */
  readonly doc: string
  /** False: Kafka knows the key, we accept and store it, and it changes nothing. */
  readonly honoured: boolean
  /** What values are fine beyond the type, as text for the docs table: `[0,...]`, `[delete, compact]`. */
  readonly valid?: string
  /** Null when `value` (already of the right type) is fine, else what is wrong with it. */
  readonly validate?: (value: string) => string | null
  /** Topic keys: the broker key that supplies the default. */
  readonly brokerKey?: string
  /** Kafka's own default where ours deliberately differs. */
  readonly kafkaDefault?: string | null
  readonly isReadOnly?: boolean
  readonly isSensitive?: boolean
  readonly updateMode?: UpdateMode
}
