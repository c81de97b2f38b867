// Writes the source of the functions that decode one message in one version; compile.ts makes them callable. There is one
// function per struct, which reads in wire order into constants and ends in one object literal in the order of the declaration,
// and one per array. `r` is the Reader.
import { defaultSource, methodOf } from './source.ts'
import { exists, isNullable, type AnyField, type Shape, type Type } from './schema.ts'

export function decoderSource(shape: Shape, version: number, isFlexible: boolean): string {
  const source = new DecoderSource(version, isFlexible)
  const entry = source.struct(shape)
  return `${source.functions.join('\n')}\nreturn ${entry}`
}

class DecoderSource {
  readonly functions: string[] = []
  readonly #version: number
  readonly #isFlexible: boolean
  readonly #structs = new Map<Shape, string>()

  constructor(version: number, isFlexible: boolean) {
    this.#version = version
    this.#isFlexible = isFlexible
  }

  /** The name of the function that reads such a struct. */
  struct(shape: Shape): string {
    const known = this.#structs.get(shape)
    if (known !== undefined) return known
    const name = `struct${this.#structs.size}`
    this.#structs.set(shape, name)
    const reads: string[] = []
    const results: string[] = []
    const tagged: [string, AnyField][] = []
    for (const [field, declared] of Object.entries(shape)) {
      if (!exists(declared, this.#version)) {
        results.push(`${field}: ${defaultSource(declared)}`)
        continue
      }
      results.push(`${field}: $${field}`)
      if (declared.rules.tag !== null) tagged.push([field, declared])
      else reads.push(`  const $${field} = ${this.#read(declared.type, isNullable(declared, this.#version))}`)
    }
    if (this.#isFlexible) reads.push(...this.#tags(tagged))
    this.functions.push(`function ${name}(r) {\n${reads.join('\n')}\n  return { ${results.join(', ')} }\n}`)
    return name
  }

  /** An expression that reads a value of the type. */
  #read(type: Type, nullable: boolean): string {
    if (type.kind === 'array') return this.#array(type.element, nullable)
    if (type.kind !== 'struct') {
      const kind = type.kind === 'records' ? 'bytes' : type.kind
      return `r.${methodOf(kind, nullable, this.#isFlexible)}()`
    }
    const read = `${this.struct(type.shape)}(r)`
    return nullable ? `r.isPresent() ? ${read} : null` : read
  }

  #array(element: Type, nullable: boolean): string {
    const read = this.#read(element, false)
    const length = `r.${methodOf('array', nullable, this.#isFlexible)}Length(${this.#minBytes(element)})`
    const name = `array${this.functions.length}`
    this.functions.push(`function ${name}(r) {
  const length = ${length}
${nullable ? '  if (length < 0) return null\n' : ''}  const values = length < ${LARGE_ARRAY} ? new Array(length) : []
  for (let i = 0; i < length; i++) values[i] = ${read}
  return values
}`)
    return `${name}(r)`
  }

  #tags(tagged: [string, AnyField][]): string[] {
    if (tagged.length === 0) return ['  r.skipTags()']
    const cases = tagged.map(([field, { rules, type }]) => {
      return `      case ${rules.tag}: $${field} = ${this.#read(type, rules.nullable !== null)}; break`
    })
    return [
      ...tagged.map(([field, declared]) => `  let $${field} = ${defaultSource(declared)}`),
      '  for (let left = r.unsignedVarint(); left > 0; left--) {',
      '    const tag = r.unsignedVarint(), end = r.tagEnd(r.unsignedVarint())',
      '    switch (tag) {',
      ...cases,
      '      default: r.at = end',
      '    }',
      '    r.endTag(end)',
      '  }',
    ]
  }

  /** The fewest bytes in which a value of the type fits: what an array length is checked against. */
  #minBytes(type: Type): number {
    if (type.kind === 'array') return this.#isFlexible ? 1 : 4
    if (type.kind !== 'struct') return this.#isFlexible ? MIN_BYTES[type.kind][1] : MIN_BYTES[type.kind][0]
    let sizeBytes = this.#isFlexible ? 1 : 0
    for (const field of Object.values(type.shape)) {
      if (!exists(field, this.#version) || field.rules.tag !== null) continue
      const isMarked = field.type.kind === 'struct' && isNullable(field, this.#version)
      sizeBytes += isMarked ? 1 : this.#minBytes(field.type)
    }
    return sizeBytes
  }
}

// A longer array grows as it is filled: V8 makes a slow dictionary of one that is created with tens of millions of places.
const LARGE_ARRAY = 1 << 20

const MIN_BYTES = {
  bool: [1, 1],
  int8: [1, 1],
  int16: [2, 2],
  uint16: [2, 2],
  int32: [4, 4],
  int64: [8, 8],
  float64: [8, 8],
  uuid: [16, 16],
  string: [2, 1],
  bytes: [4, 1],
  records: [4, 1],
} as const
