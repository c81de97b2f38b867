// Where a broker's configuration comes from, as texts: a file (server.properties or YAML), environment variables and flags, and
// which of them counts: flags before environment before file before default. Pure; main.ts and the command line do the reading.
import { brokerConfigs } from './broker-keys.ts'
import { nearest } from './nearest.ts'
import type { ParsedFile } from './properties.ts'
import { brokerSynonyms } from './topic-defaults.ts'

/** Settings of one source, each with the place it was found at, for messages. */
export type Source = {
  readonly values: ReadonlyMap<string, { readonly text: string; readonly origin: string }>
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** A configuration file larger than this is none. */
export const MAX_FILE_BYTES = 256 * 1024

/** Reads a file's content with the parser for its syntax (properties.ts, yaml-file.ts). Problems name file and line. */
export function fileSource(path: string, content: Uint8Array, parse: (text: string) => ParsedFile): Source {
  const fail = (problem: string): Source => ({ values: new Map(), problems: [`${path}: ${problem}`], warnings: [] })
  if (content.length > MAX_FILE_BYTES)
    return fail(`the file is larger than ${MAX_FILE_BYTES} bytes, so it is probably not a configuration file`)
  const text = decoded(content)
  if (text === null) return fail('the file is not text in UTF-8, so it is probably not a configuration file')
  const { settings, problems } = parse(text)
  const values = new Map<string, { text: string; origin: string; line: number }>()
  const warnings: string[] = []
  for (const { name, value, line } of settings) {
    const before = values.get(name)
    if (before) warnings.push(`${path}: ${name} is in line ${before.line} and again in line ${line}, which counts`)
    values.set(name, { text: value, origin: `${path} line ${line}`, line })
  }
  return { values, problems: problems.map(problem => `${path} ${problem}`), warnings }
}

function decoded(content: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content)
    return text.includes('\0') ? null : text
  } catch {
    return null // not UTF-8: the caller says so
  }
}

const ENV_PREFIX = 'FLOTILLA_'
/** Names in the environment that are not keys: the configuration file. */
const ENV_ELSEWHERE: readonly string[] = ['FLOTILLA_CONFIG']

/** How a key is written in the environment: num.partitions is FLOTILLA_NUM_PARTITIONS, flotilla.log.level is FLOTILLA_LOG_LEVEL. */
export function environmentName(key: string): string {
  return (
    ENV_PREFIX +
    key
      .replace(/^flotilla\./, '')
      .replace(/[.-]/g, '_')
      .toUpperCase()
  )
}

const byEnvironmentName: ReadonlyMap<string, string> = new Map(
  brokerConfigs.map(key => [environmentName(key.name), key.name]),
)

/**
 * Reads every FLOTILLA_* variable. One that looks like a mistyped key is a problem; one that looks like no key at all is only
 * a warning: it may be meant for something else.
 */
export function environmentSource(environment: Readonly<Record<string, string | undefined>>): Source {
  const values = new Map<string, { text: string; origin: string }>()
  const problems: string[] = []
  const warnings: string[] = []
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(ENV_PREFIX) || text === undefined || ENV_ELSEWHERE.includes(variable)) continue
    if (isServiceLink(variable, text)) continue
    const name = byEnvironmentName.get(variable)
    const meant = name === undefined ? nearestVariable(variable) : null
    const origin = `environment variable ${variable}`
    if (name !== undefined) values.set(name, { text, origin })
    else if (meant !== null) problems.push(`${origin}: no configuration key has this name; did you mean ${meant}?`)
    else warnings.push(`${origin} is not read: no configuration key has this name`)
  }
  return { values, problems, warnings }
}

// Kubernetes describes every Service of a namespace in the environment of its pods; one named flotilla-* looks like ours.
function isServiceLink(variable: string, text: string): boolean {
  return (
    /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(variable) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(variable) ||
    (variable.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(text))
  )
}

// The prefix is no part of the comparison: it would make short names alike.
function nearestVariable(variable: string): string | null {
  const names = [...byEnvironmentName.keys(), ...ENV_ELSEWHERE].map(name => name.slice(ENV_PREFIX.length))
  const meant = nearest(variable.slice(ENV_PREFIX.length), names)
  return meant && ENV_PREFIX + meant
}

/** Settings given as flags; `flag` is how each was written. */
export function flagSource(
  settings: readonly { readonly name: string; readonly text: string; readonly flag: string }[],
): Source {
  return {
    values: new Map(settings.map(({ name, text, flag }) => [name, { text, origin: flag }])),
    problems: [],
    warnings: [],
  }
}

export type Merged = {
  readonly values: ReadonlyMap<string, string>
  readonly origin: (name: string) => string | undefined
}

// Ways to say one thing: a source that says it in one way overrules another that says it in a different one.
const SAME_THING: readonly (readonly string[])[] = [
  ['log.dirs', 'log.dir'],
  ['node.id', 'broker.id'],
]

/** What counts when `sources` are asked in this order. */
export function mergeSources(sources: readonly Source[]): Merged {
  const values = new Map<string, string>()
  const origins = new Map<string, string>()
  for (const source of sources) {
    const before = new Set(values.keys())
    for (const [name, { text, origin }] of source.values) {
      if (sameThing(name).some(other => before.has(other))) continue
      values.set(name, text)
      origins.set(name, origin)
    }
  }
  return { values, origin: name => origins.get(name) }
}

function sameThing(name: string): readonly string[] {
  return SAME_THING.find(names => names.includes(name)) ?? brokerSynonyms(name).map(synonym => synonym.name)
}
