// A configuration file in YAML: the keys of server.properties, nested at their dots or flat, in any mixture; lists for Kafka's
// lists. Scalars are read as the texts they are written as, so that large numbers stay exact and `on` is not a boolean.
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml'
import type { Pair, YAMLMap } from 'yaml'
import type { ParsedFile, Setting } from './properties.ts'

const MAX_DEPTH = 32

/** Reads every setting of a YAML file; `problems` name their line. */
export function parseYamlFile(text: string): ParsedFile {
  const lines = new LineCounter()
  const lineOf = (at: number | undefined): number => lines.linePos(at ?? 0).line
  const fail = (problem: string): ParsedFile => ({ settings: [], problems: [problem] })
  // The check for unique keys is made below: the library's own takes quadratic time.
  const options = { schema: 'failsafe', lineCounter: lines, uniqueKeys: false, prettyErrors: false } as const
  const documents = parseAllDocuments(text, options)
  if (!Array.isArray(documents) || documents.length === 0) return { settings: [], problems: [] }
  if (documents.length > 1) return fail('the file holds several YAML documents; keep one')
  const { contents, errors } = documents[0]!
  if (errors.length > 0)
    return { settings: [], problems: errors.map(error => `line ${lineOf(error.pos[0])}: ${error.message}`) }
  if (contents === null || (isScalar(contents) && contents.value === '')) return { settings: [], problems: [] }
  if (!isMap(contents)) return fail("the file is no map of keys, such as 'num.partitions: 3'")
  const reader = new Reader(lineOf)
  reader.read(contents, '', 1)
  return reader
}

class Reader {
  readonly settings: Setting[] = []
  readonly problems: string[] = []
  readonly #lineOf: (at: number | undefined) => number
  readonly #names = new Set<string>()

  constructor(lineOf: (at: number | undefined) => number) {
    this.#lineOf = lineOf
  }

  read(map: YAMLMap, prefix: string, depth: number): void {
    for (const { key, value } of map.items as Pair[]) {
      const line = this.#lineOf(isScalar(key) ? key.range?.[0] : map.range?.[0])
      const say = (problem: string): void => void this.problems.push(`line ${line}: ${problem}`)
      if (!isScalar(key)) {
        say('a key must be plain text')
        continue
      }
      const name = prefix + String(key.value)
      if (isMap(value)) {
        if (depth >= MAX_DEPTH) say(`maps are nested deeper than ${MAX_DEPTH}`)
        else this.read(value, `${name}.`, depth + 1)
        continue
      }
      const text = textOf(value)
      if (text === null) say(problemOf(name, value))
      else if (this.#names.has(name)) say(`${name} is there twice; delete one of the two`)
      else this.settings.push({ name, value: text, line })
      this.#names.add(name)
    }
  }
}

function textOf(value: unknown): string | null {
  if (isScalar(value)) {
    const text = String(value.value)
    return value.type === 'PLAIN' && /^(|~|null)$/i.test(text) ? null : text
  }
  if (!isSeq(value)) return null
  const texts = value.items.map(item => (isScalar(item) ? String(item.value) : null))
  return texts.includes(null) ? null : texts.join(',')
}

function problemOf(name: string, value: unknown): string {
  if (isAlias(value)) return `${name} is an alias; write its value out`
  if (isSeq(value)) return `${name} is a list of more than plain texts`
  return `${name} has no value; give it one (an empty text is '') or delete the line`
}
