// Writes the source of the functions that encode one message in one version; compile.ts makes them callable. There is one
// function per struct and per array. `w` is the Writer, `v` the value; a field that was left out (undefined) is its default.
import { defaultSource, isDefaultSource, methodOf } from './source.ts'
import { exists, isNullable, type AnyField, type Shape, type Type } from './schema.ts'

export function encoderSource(name: string, shape: Shape, version: number, isFlexible: boolean): string {
  const source = new EncoderSource(version, isFlexible)
  const entry = source.struct(shape, name)
  return `${source.functions.join('\n')}\nreturn ${entry}`
}

class EncoderSource {
  readonly functions: string[] = []
  readonly #version: number
  readonly #isFlexible: boolean
  readonly #structs = new Map<Shape, string>()

  constructor(version: number, isFlexible: boolean) {
    this.#version = version
    this.#isFlexible = isFlexible
  }

  /** The name of the function that writes such a struct. `path` names it in errors. */
  struct(shape: Shape, path: string): string {
    const known = this.#structs.get(shape)
    if (known !== undefined) return known
    const name = `struct${this.#structs.size}`
    this.#structs.set(shape, name)
    const lines = [`  if (typeof v !== 'object' || v === null) refuse('${path}', v, 'a struct')`]
    const tagged: [string, AnyField][] = []
    for (const [field, declared] of Object.entries(shape)) {
      const inner = `${path}.${field}`
      if (!exists(declared, this.#version)) lines.push(...this.#absent(field, declared, inner))
      else if (declared.rules.tag !== null) tagged.push([field, declared])
      else lines.push(...this.#plain(field, declared, inner))
    }
    if (this.#isFlexible) lines.push(...this.#tags(tagged, path))
    this.functions.push(`function ${name}(w, v) {\n${lines.join('\n')}\n}`)
    return name
  }

  #plain(field: string, declared: AnyField, path: string): string[] {
    const write = this.#write(`$${field}`, declared.type, isNullable(declared, this.#version), path)
    if (!declared.rules.isOptional) return [`  const $${field} = v.${field}`, `  ${write}`]
    return [
      `  let $${field} = v.${field}`,
      `  if ($${field} === undefined) $${field} = ${defaultSource(declared)}`,
      `  ${write}`,
    ]
  }

  /** A field that this version lacks may be given, but unless it is ignorable only with the value that the peer will assume. */
  #absent(field: string, declared: AnyField, path: string): string[] {
    if (declared.rules.isIgnorable) return []
    const isGiven = `$${field} !== undefined && !(${isDefaultSource(`$${field}`, declared)})`
    return [`  const $${field} = v.${field}`, `  if (${isGiven}) refuseVersion('${path}', ${this.#version})`]
  }

  #tags(tagged: [string, AnyField][], path: string): string[] {
    if (tagged.length === 0) return ['  w.uint8(0)']
    const sorted = tagged.toSorted(([, a], [, b]) => a.rules.tag! - b.rules.tag!)
    const lines = sorted.flatMap(([field, declared]) => [
      `  const $${field} = v.${field}`,
      `  const has_${field} = $${field} !== undefined && !(${isDefaultSource(`$${field}`, declared)})`,
    ])
    lines.push(`  w.unsignedVarint(${sorted.map(([field]) => `(has_${field} ? 1 : 0)`).join(' + ')})`)
    for (const [field, { rules, type }] of sorted) {
      const write = this.#write(`$${field}`, type, rules.nullable !== null, `${path}.${field}`)
      lines.push(`  if (has_${field}) { const start = w.beginTag(${rules.tag}); ${write}; w.endTag(start) }`)
    }
    return lines
  }

  /** A statement that writes the variable `name`. */
  #write(name: string, type: Type, nullable: boolean, path: string): string {
    if (type.kind === 'array') return `${this.#array(type.element, nullable, path)}(w, ${name})`
    if (type.kind !== 'struct') return `w.${methodOf(type.kind, nullable, this.#isFlexible)}(${name}, '${path}')`
    const write = `${this.struct(type.shape, path)}(w, ${name})`
    return nullable ? `if (${name} === null) w.uint8(0xff); else { w.uint8(1); ${write} }` : write
  }

  #array(element: Type, nullable: boolean, path: string): string {
    const write = this.#write('v[i]', element, false, `${path}[]`)
    const name = `array${this.functions.length}`
    this.functions.push(`function ${name}(w, v) {
  w.${methodOf('array', nullable, this.#isFlexible)}Length(v, '${path}')
${nullable ? '  if (v === null) return\n' : ''}  for (let i = 0; i < v.length; i++) ${write}
}`)
    return name
  }
}
