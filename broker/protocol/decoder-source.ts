// Writes the source of the functions that decode one message in one version; compile.ts makes them callable. There is
// one function per struct, which reads in wire order into constants and ends in one object literal in the order of the
// declaration, and one per array. `r` is the Reader.
import { defaultSource, fixedOf, methodOf, runsOf } from './source.ts'
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
    const results: string[] = []
    const plain: [string, AnyField][] = []
    const tagged: [string, AnyField][] = []
    for (const [field, declared] of Object.entries(shape)) {
      const isThere = exists(declared, this.#version)
      results.push(`${field}: ${isThere ? `$${field}` : defaultSource(declared)}`)
      if (isThere) (declared.rules.tag === null ? plain : tagged).push([field, declared])
    }
    const lines = [...this.#plain(plain), ...(this.#isFlexible ? this.#tags(tagged) : [])]
    this.functions.push(`function ${name}(r) {
  const b = r.frame
${lines.join('\n')}
  return { ${results.join(', ')} }
}`)
    return name
  }

  #plain(fields: [string, AnyField][]): string[] {
    const lines: string[] = []
    for (const run of runsOf(fields)) {
      if (run.sizeBytes === 0) {
        const [field, declared] = run.fields[0]!
        lines.push(`  const $${field} = ${this.#read(declared.type, isNullable(declared, this.#version))}`)
        continue
      }
      const at = `at${lines.length}`
      lines.push(`  const ${at} = r.take(${run.sizeBytes})`)
      let plus = 0
      for (const [field, { type }] of run.fields) {
        const fixed = fixedOf(type)!
        lines.push(`  const $${field} = ${fixed.read(at, plus)}`)
        plus += fixed.sizeBytes
      }
    }
    return lines
  }

  /** An expression that reads a value of the type. */
  #read(type: Type, nullable: boolean): string {
    if (type.kind === 'array') return this.#array(type.element, nullable)
    if (type.kind === 'struct') {
      const read = `${this.struct(type.shape)}(r)`
      return nullable ? `r.isPresent() ? ${read} : null` : read
    }
    // Records are bytes to a reader.
    return `r.${methodOf(type.kind === 'records' ? 'bytes' : type.kind, nullable, this.#isFlexible)}()`
  }

  #array(element: Type, nullable: boolean): string {
    const fixed = fixedOf(element)
    const length = `r.${methodOf('array', nullable, this.#isFlexible)}Length(${this.#minBytes(element)})`
    const each =
      fixed === undefined
        ? `for (let i = 0; i < length; i++) values[i] = ${this.#read(element, false)}`
        : `for (let i = 0, at = r.take(length * ${fixed.sizeBytes}); i < length; i++, at += ${fixed.sizeBytes}) values[i] = ${fixed.read('at', 0)}`
    const name = `array${this.functions.length}`
    this.functions.push(`function ${name}(r) {
  const b = r.frame
  const length = ${length}
${nullable ? '  if (length < 0) return null\n' : ''}  const values = length < ${LARGE_ARRAY} ? new Array(length) : []
  ${each}
  return values
}`)
    return `${name}(r)`
  }

  #tags(tagged: [string, AnyField][]): string[] {
    if (tagged.length === 0) return ['  r.skipTags()']
    const cases = tagged.map(([field, { rules, type }]) => {
      const fixed = fixedOf(type)
      const at = fixed === undefined ? '' : `const at = r.take(${fixed.sizeBytes}); `
      const read = fixed === undefined ? this.#read(type, rules.nullable !== null) : fixed.read('at', 0)
      return `      case ${rules.tag}: { ${at}$${field} = ${read}; break }`
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
    if (type.kind !== 'struct')
      return fixedOf(type)?.sizeBytes ?? MIN_BYTES[type.kind as keyof typeof MIN_BYTES][this.#isFlexible ? 1 : 0]
    let sizeBytes = this.#isFlexible ? 1 : 0
    for (const field of Object.values(type.shape)) {
      if (!exists(field, this.#version) || field.rules.tag !== null) continue
      const isMarked = field.type.kind === 'struct' && isNullable(field, this.#version)
      sizeBytes += isMarked ? 1 : this.#minBytes(field.type)
    }
    return sizeBytes
  }
}

// A longer array grows as it is filled: V8 makes a slow dictionary of one that is created with tens of millions of
// places.
const LARGE_ARRAY = 1 << 20

// Of the types that have no fixed number size: in the plain and in the compact form.
const MIN_BYTES = { uuid: [16, 16], string: [2, 1], bytes: [4, 1], records: [4, 1] } as const
