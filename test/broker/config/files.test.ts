import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { parseProperties, type ParsedFile } from '../../../broker/config/properties.ts'
import { fileSource, MAX_FILE_BYTES } from '../../../broker/config/sources.ts'
import { parseYamlFile } from '../../../broker/config/yaml-file.ts'
import { seededNumbers } from '../../seeded.ts'

const pairs = ({ settings, problems }: ParsedFile): [string, string][] => {
  deepEqual(problems, [])
  return settings.map(({ name, value }) => [name, value])
}

test('properties: comments, separators and blanks', () => {
  deepEqual(pairs(parseProperties('# a=1\n  ! b=2\n\nc = 3\nd:4\ne 5\nf\n')), [['c', '3'], ['d', '4'], ['e', '5'], ['f', '']]) // prettier-ignore
})

test('properties: a backslash at the end continues the line, and indentation does not count', () => {
  deepEqual(pairs(parseProperties('listeners=A://:1,\\\n    B://:2\r\nx=1\\\\\ny=2')), [['listeners', 'A://:1,B://:2'], ['x', '1\\'], ['y', '2']]) // prettier-ignore
})

test('properties: escapes', () => {
  deepEqual(pairs(parseProperties('a\\=b=\\u0041\\t\\z')), [['a=b', 'A\tz']])
  deepEqual(parseProperties('ok=1\nbad=\\u00g1').problems, ['line 2: \\u needs four hexadecimal digits'])
})

test('properties: a setting knows its line, counted from the first of a continued one', () => {
  deepEqual(
    parseProperties('\n# x\na=1\\\n\\\n2\nb=3').settings.map(({ line }) => line),
    [3, 6],
  )
  deepEqual(parseProperties('=1').problems, ["line 1: there is no key before the '='"])
})

test('properties: a byte order mark is no part of the first key', () => {
  deepEqual(pairs(parseProperties('\uFEFFa=1')), [['a', '1']])
})

test('yaml: nested and flat keys, lists, and numbers as they are written', () => {
  const text =
    'log:\n  retention:\n    ms: 9223372036854775807\n  dirs: [a, b]\nnum.partitions: 3\nlog.cleaner: {enable: true}\n'
  deepEqual(pairs(parseYamlFile(text)), [['log.retention.ms', '9223372036854775807'], ['log.dirs', 'a,b'], ['num.partitions', '3'], ['log.cleaner.enable', 'true']]) // prettier-ignore
})

test('yaml: an empty file or one of comments is no configuration and no mistake', () => {
  for (const text of ['', '# nothing\n', '---\n']) deepEqual(pairs(parseYamlFile(text)), [])
})

for (const [text, problem] of [
  ['a: 1\nb: 2\na: 3\n', 'line 3: a is there twice'],
  ['a:\n  b: 1\na.b: 2\n', 'line 3: a.b is there twice'],
  ['a:\nb: 1\n', 'line 1: a has no value'],
  ['a: null\n', 'line 1: a has no value'],
  ['a: &x 1\nb: *x\n', 'line 2: b is an alias'],
  ['a: [1, [2]]\n', 'line 1: a is a list of more than plain texts'],
  ['a: "open\n', 'Missing closing'],
  ['a:\n\tb: 1\n', 'line 2: Tabs'],
  ['- a\n', 'no map of keys'],
  ['a: 1\n---\nb: 1\n', 'several YAML documents'],
  ['? [a]\n: 1\n', 'a key must be plain text'],
] as const)
  test(`yaml: ${JSON.stringify(text)} is refused: ${problem}`, () => {
    const { problems } = parseYamlFile(text)
    ok(problems.length > 0 && problems[0]!.includes(problem), problems.join('\n'))
  })

test('a file that is no text, or too large to be configuration, is refused as a whole', () => {
  const problemOf = (content: Uint8Array): string => fileSource('x.properties', content, parseProperties).problems[0]!
  ok(problemOf(Buffer.from('a=1\0')).includes('not text in UTF-8'))
  ok(problemOf(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff, 0xfe])).includes('not text in UTF-8'))
  ok(problemOf(Buffer.alloc(MAX_FILE_BYTES + 1, 'a')).includes('larger than'))
})

test('a key that is in a properties file twice counts the last time, with a warning', () => {
  const { values, warnings } = fileSource('x.properties', Buffer.from('a=1\nb=2\na=3'), parseProperties)
  equal(values.get('a')?.text, '3')
  equal(values.get('a')?.origin, 'x.properties line 3')
  deepEqual(warnings, ['x.properties: a is in line 1 and again in line 3, which counts'])
})

const HOSTILE: Readonly<Record<string, string>> = {
  brackets: '['.repeat(MAX_FILE_BYTES),
  dashes: '- '.repeat(MAX_FILE_BYTES / 2),
  'nested maps': Array.from({ length: 700 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
  documents: '---\n'.repeat(MAX_FILE_BYTES / 4),
  'many keys': Array.from({ length: 25_000 }, (_, index) => `k${index}: 1`).join('\n'),
  backslashes: '\\'.repeat(MAX_FILE_BYTES),
  continuations: 'a\\\n'.repeat(MAX_FILE_BYTES / 3),
}

for (const [what, text] of Object.entries(HOSTILE))
  test(`a file full of ${what} ends in an answer`, () => {
    ok(parseYamlFile(text))
    ok(parseProperties(text))
  })

test('no file makes the parsers throw', () => {
  const next = seededNumbers(815)
  const pieces = ['a', ': ', '\n', '  ', '- ', '[', ']', '{', '}', '"', "'", '&x ', '*x', '|', '>', '#', '%', '!!t ', '\t', '? ', '\\', '=', ',', '---\n'] // prettier-ignore
  for (let round = 0; round < 3_000; round++) {
    const length = Math.floor(next() * 40)
    const text = Array.from({ length }, () => pieces[Math.floor(next() * pieces.length)]!).join('')
    for (const parse of [parseYamlFile, parseProperties]) {
      const { settings, problems } = parse(text)
      ok(Array.isArray(settings) && Array.isArray(problems), JSON.stringify(text))
    }
  }
})
