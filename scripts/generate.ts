// Writes the tables of the documentation from the lists in the code, between markers in files whose prose is written by hand:
// configuration keys in docs/configuration.md, served APIs in docs/protocol.md. `npm run generate`; test/generated.test.ts fails
// when a table is out of date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { apis } from '../broker/api/index.ts'
import { brokerKeysByTheme } from '../broker/config/broker-keys.ts'
import type { ConfigKey } from '../broker/config/config-key.ts'
import { topicConfigs } from '../broker/config/topic-config.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What stands between the markers, by file and name of the marker. */
const tables: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  'docs/configuration.md': {
    'topic keys': topicTables,
    'changeable keys': changeableKeys,
    'broker keys': brokerTables,
    differences,
  },
  'docs/protocol.md': { apis: apiTable },
}

/** Every file with generated parts: its path, and its content as it should be. */
export function generatedFiles(): { path: string; content: string }[] {
  return Object.entries(tables).map(([path, parts]) => ({
    path,
    content: Object.entries(parts).reduce((text, [name, render]) => fill(path, text, name, render()), read(path)),
  }))
}

function read(path: string): string {
  return readFileSync(root + path, 'utf8')
}

function fill(path: string, text: string, name: string, content: string): string {
  const [start, end] = [`<!-- generated: ${name} -->\n`, `<!-- end: ${name} -->`]
  const from = text.indexOf(start)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${path} has no lines '${start.trim()}' and '${end}'`)
  return `${text.slice(0, from + start.length)}${content}${text.slice(to)}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('')
}

const code = (text: string): string => (text === '' ? '' : `\`${text.replaceAll('|', '\\|')}\``)

function defaultOf({ default: value, kafkaDefault }: ConfigKey): string {
  const shown = value === null ? 'none' : value === '' ? 'empty' : code(value)
  if (kafkaDefault === undefined) return shown
  return `**${shown}** (Kafka: ${kafkaDefault === null ? 'none' : code(kafkaDefault)})`
}

function typeOf({ type, valid }: ConfigKey): string {
  return valid === undefined ? type : `${type}, ${code(valid)}`
}

const byName = (a: ConfigKey, b: ConfigKey): number => (a.name < b.name ? -1 : 1)
const isShown = ({ isInternal }: ConfigKey): boolean => !isInternal

// Keys with an effect first; those without are there to be found, not to be read.
function keyTables(keys: readonly ConfigKey[], more: (key: ConfigKey) => string, moreHead: string): string {
  const shown = keys.filter(isShown).toSorted(byName)
  const row = (key: ConfigKey): string[] => [code(key.name), defaultOf(key), typeOf(key), more(key), key.doc]
  const head = ['Key', 'Default', 'Values', moreHead, 'What it does']
  const honoured = shown.filter(key => key.honoured)
  const others = shown.filter(key => !key.honoured)
  const parts: string[] = []
  if (honoured.length > 0) parts.push(table(head, honoured.map(row)))
  if (others.length > 0) {
    const summary = `Accepted and stored, without effect here: ${others.length} ${others.length === 1 ? 'key' : 'keys'}`
    parts.push(`<details><summary>${summary}</summary>\n\n${table(head, others.map(row))}\n</details>\n`)
  }
  return `\n${parts.join('\n')}\n`
}

function topicTables(): string {
  return keyTables(topicConfigs, key => code(key.brokerKey ?? ''), "The broker's key")
}

function brokerTables(): string {
  return brokerKeysByTheme
    .map(({ theme, keys }) => `\n### ${theme}\n${keyTables(keys, key => key.updateMode ?? '', 'Change while it runs')}`)
    .join('')
}

// Those that act; what is only stored may be altered too, and shows nowhere but in its description.
function changeableKeys(): string {
  const keys = brokerKeysByTheme
    .flatMap(({ keys }) => keys)
    .filter(key => isShown(key) && key.honoured && !key.isReadOnly)
    .toSorted(byName)
  const ofTopics = new Map(topicConfigs.map(key => [key.brokerKey, key.name]))
  const effect = ({ name }: ConfigKey): string => {
    const ofTopic = ofTopics.get(name)
    return ofTopic === undefined
      ? 'at the next connection'
      : `at once, in topics without a ${code(ofTopic)} of their own`
  }
  return `\n${table(
    ['Key', 'Acts'],
    keys.map(key => [code(key.name), effect(key)]),
  )}\n`
}

function differences(): string {
  const keys = [...brokerKeysByTheme.flatMap(({ keys }) => keys), ...topicConfigs]
  const differing = keys.filter(key => key.kafkaDefault !== undefined && key.name !== 'flush.messages').toSorted(byName)
  const cell = (value: string | null | undefined): string => (value === null ? 'none' : code(value!))
  const rows = differing.map(key => [code(key.name), cell(key.default), cell(key.kafkaDefault)])
  return `\n${table(['Key', 'Flotilla', 'Kafka'], rows)}\n`
}

function apiTable(): string {
  const served = [...apis.values()].toSorted((a, b) => a.api.key - b.api.key)
  const rows = served.map(({ api, versions: [oldest, newest] }) => [
    String(api.key),
    api.name,
    oldest === newest ? String(oldest) : `${oldest}-${newest}`,
    gapsOf(api.name),
  ])
  return `\n${table(['Key', 'API', 'Versions', 'Deliberate gaps'], rows)}\n`
}

// A handler's header comment lists them: "// - Gap: ...", which may go on in indented lines.
function gapsOf(name: string): string {
  const path = `${root}broker/api/${name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.ts`
  if (!existsSync(path)) return ''
  const header = /^(?:\/\/.*\n)+/.exec(readFileSync(path, 'utf8'))?.[0] ?? ''
  const items = header.replace(/\n\/\/ {2,}/g, ' ').split('\n')
  return items
    .flatMap(item => /^\/\/ - Gaps?: (.*)$/.exec(item)?.[1] ?? [])
    .join(' ')
    .replaceAll('|', '\\|')
}

if (import.meta.main) {
  for (const { path, content } of generatedFiles())
    if (read(path) !== content) {
      writeFileSync(root + path, content)
      process.stdout.write(`${path} is written\n`)
    }
}
