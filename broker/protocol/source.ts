// What the writers of decoder and encoder source share: the names of the Reader's and Writer's methods, and defaults as source.
import { defaultOf, type AnyField, type Primitive, type Type } from './schema.ts'

/** The Reader's and Writer's method for a type: compactNullableString and so on; fixed-size types have one form only. */
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
