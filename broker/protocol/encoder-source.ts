// Writes the source of the functions that encode one message in one version; compile.ts makes them callable. There is
// one function per struct and per array. `w` is the Writer, `v` the value; a field that was left out (undefined) is its
// default.
import { defaultSource, fixedOf, isDefaultSource, methodOf, runsOf, type Fixed, type Run } from './source.ts'
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
    const plain: [string, AnyField][] = []
    const tagged: [string, AnyField][] = []
    for (const [field, declared] of Object.entries(shape)) {
      if (!exists(declared, this.#version)) lines.push(...this.#absent(field, declared, `${path}.${field}`))
      else (declared.rules.tag === null ? plain : tagged).push([field, declared])
    }
    lines.push(...this.#plain(plain, path))
    if (this.#isFlexible) lines.push(...this.#tags(tagged, path))
    this.functions.push(`function ${name}(w, v) {\n${lines.join('\n')}\n}`)
    return name
  }

  #plain(fields: [string, AnyField][], path: string): string[] {
    const lines: string[] = []
    for (const run of runsOf(fields)) {
      for (const [field, declared] of run.fields) {
        if (!declared.rules.isOptional) lines.push(`  const $${field} = v.${field}`)
        else
          lines.push(
            `  let $${field} = v.${field}`,
            `  if ($${field} === undefined) $${field} = ${defaultSource(declared)}`,
          )
      }
      const [field, declared] = run.fields[0]!
      if (run.sizeBytes > 0) lines.push(...fixedRun(run, path))
      else
        lines.push(
          `  ${this.#write(`$${field}`, declared.type, isNullable(declared, this.#version), `${path}.${field}`)}`,
        )
    }
    return lines
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
    if (type.kind === 'struct') {
      const write = `${this.struct(type.shape, path)}(w, ${name})`
      return nullable ? `if (${name} === null) w.uint8(0xff); else { w.uint8(1); ${write} }` : write
    }
    const fixed = fixedOf(type)
    if (fixed === undefined) return `w.${methodOf(type.kind, nullable, this.#isFlexible)}(${name}, '${path}')`
    const put = fixed.write('at', 0, name)
    return `{ ${checkSource(fixed, name, path)}; const at = w.reserve(${fixed.sizeBytes}), b = w.buffer; ${put} }`
  }

  #array(element: Type, nullable: boolean, path: string): string {
    const fixed = fixedOf(element)
    const step = fixed?.sizeBytes ?? 0
    const each =
      fixed === undefined
        ? this.#write('x', element, false, `${path}[]`)
        : `${checkSource(fixed, 'x', `${path}[]`)}; ${fixed.write('at', 0, 'x')}; at += ${step}`
    const name = `array${this.functions.length}`
    this.functions.push(`function ${name}(w, v) {
  w.${methodOf('array', nullable, this.#isFlexible)}Length(v, '${path}')
${nullable ? '  if (v === null) return\n' : ''}${fixed === undefined ? '' : `  let at = w.reserve(v.length * ${step}), b = w.buffer\n`}  for (let i = 0; i < v.length; i++) { const x = v[i]; ${each} }
}`)
    return name
  }
}

/** Statements that write numbers of fixed size that follow each other. */
function fixedRun({ fields, sizeBytes }: Run, path: string): string[] {
  const puts: string[] = []
  let plus = 0
  for (const [field, { type }] of fields) {
    const fixed = fixedOf(type)!
    puts.push(fixed.write('at', plus, `$${field}`))
    plus += fixed.sizeBytes
  }
  const checks = fields.map(([field, { type }]) => `  ${checkSource(fixedOf(type)!, `$${field}`, `${path}.${field}`)}`)
  return [...checks, `  { const at = w.reserve(${sizeBytes}), b = w.buffer`, ...puts.map(put => `    ${put}`), '  }']
}

function checkSource(fixed: Fixed, value: string, path: string): string {
  return `if (!(${fixed.check(value)})) refuse('${path}', ${value}, '${fixed.expected}')`
}
