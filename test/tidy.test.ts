// The house rules, checked: who may import whom, how long files and functions get, which calls are reserved, nothing left to do.
import { deepEqual } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], { cwd: root })
  .toString()
  .split('\n')
  .filter(name => name !== '' && !name.endsWith('.d.ts'))
const source = new Map(files.flatMap(name => readIfThere(name)))
const production = files.filter(name => source.has(name) && !/^(test|bench|scripts)\/|\.config\.ts$/.test(name))

function readIfThere(name: string): [string, string][] {
  try {
    return [[name, readFileSync(posix.join(root, name), 'utf8')]]
  } catch {
    return []
  }
}

// A file imports its own folder and folders with a lower number.
const LAYERS: Readonly<Record<string, number>> = {
  base: 0,
  'metrics.ts': 0,
  config: 1,
  machine: 1,
  protocol: 1,
  records: 2,
  client: 2,
  kube: 2,
  storage: 3,
  metadata: 4,
  replication: 5,
  coordinator: 6,
  api: 7,
  http: 8,
  server: 8,
  'broker.ts': 9,
  'main.ts': 10,
}
const OPERATOR_MAY_IMPORT = ['base', 'protocol', 'client', 'kube']

function importsOf(name: string): string[] {
  const found = [...source.get(name)!.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)]
  return found.map(match => posix.join(dirname(name), match[1]!))
}

const layerOf = (path: string): number => {
  const room = path.split('/')[1]!
  const layer = LAYERS[room]
  if (layer === undefined)
    throw new Error(`${path}: broker/${room} has no layer; add it to test/tidy.test.ts and docs/architecture.md`)
  return layer
}

function mayImport(from: string, to: string): boolean {
  const [fromTop, fromRoom] = from.split('/')
  const [toTop, toRoom] = to.split('/')
  if (toTop === 'test' || toTop === 'bench') return false
  if (fromTop === 'broker') return toTop === 'broker' && (fromRoom === toRoom || layerOf(to) < layerOf(from))
  if (fromTop === 'operator')
    return toTop === 'operator' || (toTop === 'broker' && OPERATOR_MAY_IMPORT.includes(toRoom!))
  return true
}

test('a file imports only its own folder and folders of a lower layer', () => {
  const wrong = production.flatMap(from =>
    importsOf(from)
      .filter(to => !mayImport(from, to))
      .map(to => `${from} -> ${to}`),
  )
  deepEqual(wrong, [])
})

test('only rocks-store.ts imports rocksdb', () => {
  const users = production.filter(name =>
    /from 'rocksdb'|import\('rocksdb'\)|require\('rocksdb'\)/.test(source.get(name)!),
  )
  deepEqual(users, ['broker/storage/rocks-store.ts'])
})

const MAX_FILE_LINES = 400
const MAX_FUNCTION_LINES = 70
// Why a file may be longer: it is one table, one list or one declaration, and cutting it would hide that.
const LONG_FILES: Readonly<Record<string, string>> = {}

test('no file is longer than 400 lines without a reason', () => {
  const long = production.filter(
    name => source.get(name)!.split('\n').length - 1 > MAX_FILE_LINES && !(name in LONG_FILES),
  )
  deepEqual(long, [])
})

test('no function is longer than 70 lines', () => {
  deepEqual(production.flatMap(longFunctions), [])
})

function longFunctions(name: string): string[] {
  const file = ts.createSourceFile(name, source.get(name)!, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const lineOf = (at: number) => file.getLineAndCharacterOfPosition(at).line + 1
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const lines = lineOf(node.end) - lineOf(node.getStart()) + 1
      if (lines > MAX_FUNCTION_LINES) found.push(`${name}:${lineOf(node.getStart())} has ${lines} lines`)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

// Time, chance, sockets, the environment and the command line belong to base/ and to the entry points.
const BANNED =
  /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|randomUUID|process\.env|process\.argv)\b|from 'node:(net|tls|dgram)'/
const ENTRY_POINTS = ['cli.ts', 'broker/main.ts', 'operator/main.ts']

test('clock, chance, sockets, environment and arguments are used only in base and entry points', () => {
  const wrong = production
    .filter(name => !name.startsWith('broker/base/') && !name.startsWith('local/') && !ENTRY_POINTS.includes(name))
    .filter(name => BANNED.test(withoutComments(name)))
  deepEqual(wrong, [])
})

function withoutComments(name: string): string {
  return source.get(name)!.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}

test('nothing is left to do, and no test is switched off without a reason', () => {
  const left = /\b(TODO|FIXME|XXX|HACK)\b|\.(only|todo)\(/ // tidy: the pattern itself
  const wrong = files.filter(name => source.has(name) && name !== 'test/tidy.test.ts' && left.test(source.get(name)!))
  deepEqual(wrong, [])
})

test('a production file begins by saying what it is', () => {
  const silent = production.filter(name => !/^(#!.*\n)?(\/\/|\/\*)/.test(source.get(name)!))
  deepEqual(silent, [])
})
