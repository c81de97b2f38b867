// Random messages from a seed: what a declaration allows, at the edges more often than chance would have it.
import {
  defaultOf,
  exists,
  isNullable,
  type AnyField,
  type Api,
  type Shape,
  type Type,
} from '../../broker/protocol/schema.ts'

/** Numbers in [0, 1): `seededNumbers` of test/seeded.ts. */
export type Chance = () => number

/** A whole number in [0, bound). */
export function below(chance: Chance, bound: number): number {
  return Math.floor(chance() * bound)
}

export function pick<T>(chance: Chance, values: readonly T[]): T {
  return values[below(chance, values.length)]!
}

/** A message of that version with every field: a field that the version lacks has its default. */
export function randomMessage(
  chance: Chance,
  api: Api,
  direction: 'request' | 'response',
  version: number,
): Record<string, unknown> {
  return randomStruct(chance, api[direction], version, 0)
}

function randomStruct(chance: Chance, shape: Shape, version: number, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(shape).map(([name, field]) => [name, randomField(chance, field, version, depth)]),
  )
}

function randomField(chance: Chance, field: AnyField, version: number, depth: number): unknown {
  if (!exists(field, version) || chance() < 0.1) return presentable(field, version)
  if (isNullable(field, version) && chance() < 0.2) return null
  return randomValue(chance, field.type, version, depth)
}

/** The default, unless it is null where this version cannot send null: then something that it can. */
function presentable(field: AnyField, version: number): unknown {
  const value = defaultOf(field)
  if (value !== null || !exists(field, version) || isNullable(field, version)) return value
  return randomValue(() => 0.5, field.type, version, 9)
}

function randomValue(chance: Chance, type: Type, version: number, depth: number): unknown {
  switch (type.kind) {
    case 'bool':
      return chance() < 0.5
    case 'int8':
      return randomInt(chance, 8)
    case 'int16':
      return randomInt(chance, 16)
    case 'int32':
      return randomInt(chance, 32)
    case 'int64':
      return randomInt(chance, 54)
    case 'uint16':
      return pick(chance, [0, 1, 9092, 0x7fff, 0x8000, 0xffff])
    case 'float64':
      return pick(chance, [0, -0, 1.5, -1e300, Infinity, NaN, chance()])
    case 'uuid':
      return randomBytes(chance, 16).toString('base64url')
    case 'string':
      return randomText(chance)
    case 'bytes':
    case 'records':
      return randomBytes(chance, pick(chance, [0, 1, 17, 126, 127, 128, 200]))
    case 'array': {
      // Wide at the top, narrow below, so that messages stay small.
      const length = pick(chance, depth === 0 ? [0, 1, 2, 3] : depth === 1 ? [0, 1, 1, 2] : [0, 1])
      return Array.from({ length }, () => randomValue(chance, type.element, version, depth + 1))
    }
    case 'struct':
      return randomStruct(chance, type.shape, version, depth)
  }
}

function randomInt(chance: Chance, bits: number): number {
  const half = 2 ** (bits - 1)
  const edges = [0, 1, -1, half - 1, bits === 54 ? -(half - 1) : -half]
  return chance() < 0.5 ? pick(chance, edges) : Math.trunc((chance() * 2 - 1) * (half - 1)) + 0
}

function randomBytes(chance: Chance, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => below(chance, 256)))
}

function randomText(chance: Chance): string {
  const alphabet = pick(chance, [
    'abcdefghijklmnopqrstuvwxyz.-_0123456789',
    'aé',
    '日本語',
    'x😀',
    '\u0000\u007f\u0080',
  ])
  const length = pick(chance, [0, 1, 5, 20, 31, 32, 33, 63, 126, 127, 128])
  return Array.from({ length }, () => pick(chance, [...alphabet])).join('')
}
