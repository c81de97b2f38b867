// The language in which Kafka's messages are declared (style of messages/*.ts): a field is a type plus refinements that
// say in which versions it exists, may be null, is tagged, and what it is when it is absent. The declarations are
// values; compile.ts turns them into code and test/protocol/interpreter.ts walks them. Semantics follow Kafka's message
// generator (KIP-482 for flexible versions). Nothing here touches bytes.
import { ZERO_UUID, type Uuid } from '../base/uuid.ts'

export type Primitive =
  'bool' | 'int8' | 'int16' | 'uint16' | 'int32' | 'int64' | 'float64' | 'string' | 'uuid' | 'bytes' | 'records'

export type Type =
  | { readonly kind: Primitive }
  | { readonly kind: 'array'; readonly element: Type }
  | { readonly kind: 'struct'; readonly shape: Shape }

/** When a field exists and what it is otherwise. Version ranges are inclusive. */
export type Rules = {
  readonly since: number
  readonly until: number
  /** Versions in which null may be sent; null when there are none. */
  readonly nullable: { readonly since: number; readonly until: number } | null
  /** The number of a tagged field (KIP-482); null for a plain one. */
  readonly tag: number | null
  /** undefined stands for the zero of the type: 0, false, '', no bytes, no elements, a struct of defaults. */
  readonly default: unknown
  /** Whether a value that the version cannot carry is dropped silently instead of being an error. */
  readonly isIgnorable: boolean
  /** Whether an encoder may be given nothing: every refinement that implies a default says so. */
  readonly isOptional: boolean
}

const PLAIN: Rules = {
  since: 0,
  until: Infinity,
  nullable: null,
  tag: null,
  default: undefined,
  isIgnorable: false,
  isOptional: false,
}

/**
 * A field: `Out` is what a decoder returns, `In` what an encoder accepts, `Optional` whether an encoder may be given nothing.
 * Immutable; every refinement returns another field.
 */
export class Field<Out, In = Out, Optional extends boolean = false> {
  declare readonly out: Out
  declare readonly in: In
  declare readonly optional: Optional
  readonly type: Type
  readonly rules: Rules

  constructor(type: Type, rules: Rules = PLAIN) {
    this.type = type
    this.rules = rules
  }

  /** Exists from `version` on; before, it reads as its default. */
  since(version: number): Field<Out, In, true> {
    return this.#with({ since: version, isOptional: true })
  }

  /** Exists up to and including `version`; after, it reads as its default. */
  until(version: number): Field<Out, In, true> {
    return this.#with({ until: version, isOptional: true })
  }

  nullable(since = 0, until = Infinity): Field<Out | null, In | null, Optional> {
    return this.#with({ nullable: { since, until } })
  }

  /** What an absent field reads as. Only structs and arrays that may be null take one other than their zero. */
  default(value: Out extends readonly unknown[] | object ? Extract<Out, null | Buffer> : Out): Field<Out, In, true> {
    return this.#with({ default: value, isOptional: true })
  }

  /** Sent in the tag buffer, and only when it differs from its default. */
  tagged(tag: number): Field<Out, In, true> {
    return this.#with({ tag, isOptional: true })
  }

  ignorable(): Field<Out, In, Optional> {
    return this.#with({ isIgnorable: true })
  }

  // The type parameters exist for the compiler only, so any field stands for any other at run time.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  #with(rules: Partial<Rules>): Field<any, any, any> {
    return new Field(this.type, { ...this.rules, ...rules })
  }
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyField = Field<any, any, boolean>

/** The fields of a struct in the order in which they are sent. */
export type Shape = { readonly [name: string]: AnyField }

type Skippable<S extends Shape> = { [K in keyof S]: S[K]['optional'] extends true ? K : never }[keyof S]

/** What a decoder returns: every field of every version. */
export type Value<S extends Shape> = { [K in keyof S]: S[K]['out'] }

/** What an encoder accepts: fields with a default may be left out. */
export type Init<S extends Shape> = { readonly [K in Exclude<keyof S, Skippable<S>>]: S[K]['in'] } & {
  readonly [K in Skippable<S>]?: S[K]['in'] | undefined
}

export const bool = new Field<boolean>({ kind: 'bool' })
export const int8 = new Field<number>({ kind: 'int8' })
export const int16 = new Field<number>({ kind: 'int16' })
export const uint16 = new Field<number>({ kind: 'uint16' })
export const int32 = new Field<number>({ kind: 'int32' })
/** Above 2^53 a decoded value is the nearest double; an encoder takes safe integers only. */
export const int64 = new Field<number>({ kind: 'int64' })
export const float64 = new Field<number>({ kind: 'float64' })
/** At most 32767 bytes of UTF-8; malformed bytes read as U+FFFD, as in Kafka. */
export const string = new Field<string>({ kind: 'string' })
export const uuid = new Field<Uuid>({ kind: 'uuid' })
/** Decoded as a slice of the frame: copy what must outlive it. */
export const bytes = new Field<Buffer, Uint8Array>({ kind: 'bytes' })
/** Record batches: decoded as a slice of the frame, encoded without a copy; pieces are sent one after the other. */
export const records = new Field<Buffer, Buffer | readonly Buffer[]>({ kind: 'records' })

export function struct<S extends Shape>(shape: S): Field<Value<S>, Init<S>> {
  return new Field({ kind: 'struct', shape })
}

export function array<Out, In>(element: Field<Out, In>): Field<readonly Out[], readonly In[]>
export function array<S extends Shape>(shape: S): Field<readonly Value<S>[], readonly Init<S>[]>
export function array(element: AnyField | Shape): AnyField {
  return new Field({ kind: 'array', element: element instanceof Field ? element.type : struct(element).type })
}

/** One Kafka API: its request and response in all versions that are declared, `versions` inclusive. */
export type Api<Request extends Shape = Shape, Response extends Shape = Shape> = {
  readonly key: number
  readonly name: string
  readonly versions: readonly [oldest: number, latest: number]
  /** The first version with compact encodings and tag buffers (KIP-482); null when there is none. */
  readonly flexible: number | null
  readonly request: Request
  readonly response: Response
}

export function api<Request extends Shape, Response extends Shape>(
  declaration: Api<Request, Response>,
): Api<Request, Response> {
  return declaration
}

export type RequestOf<A extends Api> = Value<A['request']>
export type ResponseOf<A extends Api> = Value<A['response']>
export type RequestInit<A extends Api> = Init<A['request']>
export type ResponseInit<A extends Api> = Init<A['response']>

export function isFlexible(api: Api, version: number): boolean {
  return api.flexible !== null && version >= api.flexible
}

export function exists(field: AnyField, version: number): boolean {
  return version >= field.rules.since && version <= field.rules.until
}

export function isNullable(field: AnyField, version: number): boolean {
  const { nullable } = field.rules
  return nullable !== null && version >= nullable.since && version <= nullable.until
}

/** What a field is when nothing was sent or given. */
export function defaultOf(field: AnyField): unknown {
  return field.rules.default === undefined ? zeroOf(field) : field.rules.default
}

function zeroOf(field: AnyField): unknown {
  const { type, rules } = field
  switch (type.kind) {
    case 'bool':
      return false
    case 'string':
      return ''
    case 'uuid':
      return ZERO_UUID
    case 'bytes':
      return Buffer.alloc(0)
    case 'records':
      return rules.nullable === null ? Buffer.alloc(0) : null
    case 'array':
      return []
    case 'struct':
      return Object.fromEntries(Object.entries(type.shape).map(([name, inner]) => [name, defaultOf(inner)]))
    default:
      return 0
  }
}
