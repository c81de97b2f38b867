// What the writers of decoder and encoder source share: fixed-size numbers as expressions, the names of the Reader's
// and Writer's methods for everything else, and defaults as source.
import { defaultOf, type AnyField, type Primitive, type Type } from './schema.ts'

/**
 * A number of fixed size, as source. Several in a row are read or written after one check of the room, in place: calls and
 * checks per field are what small messages spend their time on. `b` is the Buffer; `at` is an expression, `plus` is added to it.
 */
export type Fixed = {
  readonly sizeBytes: number
  /** An expression for the value. */
  read(at: string, plus: number): string
  /** A condition that holds when `value` can be sent, and what is expected of it in words. */
  check(value: string): string
  readonly expected: string
  /** A statement that puts `value` there. */
  write(at: string, plus: number, value: string): string
}

/** The bits of `sizeBytes` bytes, as far as an int32 holds them. */
function bits(at: string, plus: number, sizeBytes: number): string {
  return shifts(sizeBytes)
    .map((shift, i) => (shift === 0 ? byte(at, plus + i) : `${byte(at, plus + i)} << ${shift}`))
    .join(' | ')
}

/** Storing into a Buffer and shifting both take a number modulo the bits there are, which also makes two's complement. */
function putBits(at: string, plus: number, sizeBytes: number, value: string): string {
  return shifts(sizeBytes)
    .map((shift, i) => `${byte(at, plus + i)} = ${shift === 0 ? value : `${value} >>> ${shift}`}`)
    .join('; ')
}

const shifts = (sizeBytes: number): number[] => Array.from({ length: sizeBytes }, (_, i) => 8 * (sizeBytes - 1 - i))

const byte = (at: string, plus: number): string => (plus === 0 ? `b[${at}]` : `b[${at} + ${plus}]`)

const fixed: { readonly [K in Primitive]?: Fixed } = {
  bool: {
    sizeBytes: 1,
    read: (at, plus) => `${byte(at, plus)} !== 0`,
    check: value => `typeof ${value} === 'boolean'`,
    expected: 'a boolean',
    write: (at, plus, value) => `${byte(at, plus)} = ${value} ? 1 : 0`,
  },
  int8: {
    sizeBytes: 1,
    read: (at, plus) => `${byte(at, plus)} << 24 >> 24`,
    check: value => `${value} << 24 >> 24 === ${value}`,
    expected: 'an int8',
    write: (at, plus, value) => putBits(at, plus, 1, value),
  },
  int16: {
    sizeBytes: 2,
    read: (at, plus) => `(${bits(at, plus, 2)}) << 16 >> 16`,
    check: value => `${value} << 16 >> 16 === ${value}`,
    expected: 'an int16',
    write: (at, plus, value) => putBits(at, plus, 2, value),
  },
  uint16: {
    sizeBytes: 2,
    read: (at, plus) => bits(at, plus, 2),
    check: value => `(${value} & 0xffff) === ${value}`,
    expected: 'a uint16',
    write: (at, plus, value) => putBits(at, plus, 2, value),
  },
  int32: {
    sizeBytes: 4,
    read: (at, plus) => bits(at, plus, 4),
    check: value => `(${value} | 0) === ${value}`,
    expected: 'an int32',
    write: (at, plus, value) => putBits(at, plus, 4, value),
  },
  // Decoded, a number above 2^53 is the nearest double.
  int64: {
    sizeBytes: 8,
    read: (at, plus) => `(${bits(at, plus, 4)}) * 4294967296 + ((${bits(at, plus + 4, 4)}) >>> 0)`,
    check: value => `Number.isSafeInteger(${value})`,
    expected: 'a safe integer',
    write: (at, plus, value) =>
      `{ const high = Math.floor(${value} / 4294967296); ${putBits(at, plus, 4, 'high')}; ${putBits(at, plus + 4, 4, value)} }`,
  },
  float64: {
    sizeBytes: 8,
    read: (at, plus) => `b.readDoubleBE(${at} + ${plus})`,
    check: value => `typeof ${value} === 'number'`,
    expected: 'a number',
    write: (at, plus, value) => `b.writeDoubleBE(${value}, ${at} + ${plus})`,
  },
}

export function fixedOf(type: Type): Fixed | undefined {
  return type.kind === 'array' || type.kind === 'struct' ? undefined : fixed[type.kind]
}

export type Run = { readonly fields: [string, AnyField][]; sizeBytes: number }

/** The fields in order, numbers of fixed size that follow each other together; any other field alone, with no size. */
export function runsOf(fields: readonly [string, AnyField][]): Run[] {
  const runs: Run[] = []
  for (const field of fields) {
    const sizeBytes = fixedOf(field[1].type)?.sizeBytes ?? 0
    const last = runs.at(-1)
    if (last === undefined || last.sizeBytes === 0 || sizeBytes === 0) runs.push({ fields: [field], sizeBytes })
    else {
      last.fields.push(field)
      last.sizeBytes += sizeBytes
    }
  }
  return runs
}

/** The Reader's and Writer's method for a type: uuid, compactNullableString, nullableArray(Length) and so on. */
export function methodOf(kind: Primitive | 'array', isNullable: boolean, isCompact: boolean): string {
  if (kind !== 'string' && kind !== 'bytes' && kind !== 'records' && kind !== 'array') return kind
  const words = [...(isCompact ? ['compact'] : []), ...(isNullable ? ['nullable'] : []), kind]
  return words.map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('')
}

/** An expression for a field's default: a fresh value each time, so that nobody can change another's. */
export function defaultSource(field: AnyField): string {
  return valueSource(defaultOf(field), field.type)
}

function valueSource(value: unknown, type: Type): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (type.kind === 'array') return '[]'
  if (type.kind !== 'struct') return 'EMPTY'
  return `{ ${Object.entries(type.shape)
    .map(([name, inner]) => `${name}: ${defaultSource(inner)}`)
    .join(', ')} }`
}

/** A condition: `name`, which is not undefined, is the default of the field. */
export function isDefaultSource(name: string, field: AnyField): string {
  const { type } = field
  const value = defaultOf(field)
  if (value === null || typeof value !== 'object') return `${name} === ${JSON.stringify(value)}`
  if (type.kind !== 'struct') return `${name} !== null && ${name}.length === 0`
  const inner = Object.entries(type.shape).map(([innerName, innerField]) => {
    const path = `${name}.${innerName}`
    return `(${path} === undefined || ${isDefaultSource(path, innerField)})`
  })
  return [`${name} !== null`, ...inner].join(' && ')
}
