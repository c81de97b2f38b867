// Real text, and a broker that dies: every line of the sources in node_modules and of the documentation of the system's packages,
// with its file name as the key. The broker is killed in the middle of producing and once more afterwards; then every file must
// come back byte for byte, its lines in order, none twice. FLOTILLA_REAL_DATA_MB: how much text at most (default 120).
import { equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { glob, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, test } from 'vitest'
import { startBroker } from './broker.ts'
import type { TestBroker } from './broker.ts'
import { newTopic } from './checks/check.ts'
import { helperKind } from './client-kinds.ts'
import { installed, pathOf } from './installation.ts'
import type { Client } from './program.ts'

const timeout = 900_000
const MAX_BYTES = Number(process.env.FLOTILLA_REAL_DATA_MB ?? 120) * 1_000_000
const PARTITIONS = 4
// Neither is in a file name, so the first one in a record ends the key; the lines may contain what they like.
const KEY_END = '\x1f'

let broker: TestBroker
let helper: Client
let kcat: string

beforeAll(async () => {
  const installation = await installed('kcat', 'go', 'kafka')
  kcat = pathOf(installation, 'kcat')
  // The directories of npm packages and of the system have files that are years old, but their records are of today.
  broker = await startBroker({ 'auto.create.topics.enable': 'false' })
  helper = helperKind.start(installation, broker.bootstrap)
}, 600_000)
afterAll(async () => {
  await helper?.stop()
  await broker?.remove()
}, timeout)

/** A text file: its name, and its content without the line feed at its very end. */
type Text = { name: string; content: Buffer }

test('every line of real text survives two kills of the broker, byte for byte and in order', { timeout }, async () => {
  const texts = await realTexts()
  const bytes = texts.reduce((sum, { content }) => sum + content.length, 0)
  ok(bytes > 20_000_000, `only ${bytes} bytes of text on this machine`)

  // Minified sources have lines of more than a megabyte.
  const init = { partitions: PARTITIONS, configs: { 'max.message.bytes': '100000000' } }
  const topic = await newTopic({ broker, client: helper, helper }, 'real-data', init)
  await produceLines(topic, texts, bytes)
  await broker.killAndRestart()

  const lines = await readBack(topic, texts)
  equal(
    lines,
    texts.reduce((sum, { content }) => sum + lineCount(content), 0),
  )
})

/** Sources of npm packages, then changelogs and other documentation of system packages, until there is enough. */
async function realTexts(): Promise<Text[]> {
  const texts: Text[] = []
  let total = 0
  const places = [
    { root: fileURLToPath(new URL('../../node_modules', import.meta.url)), pattern: '**/*.{js,cjs,mjs,ts,md,json}' },
    { root: '/usr/share/doc', pattern: '**/*.gz' },
    { root: '/usr/share/doc', pattern: '**/copyright' },
  ]
  for (const { root, pattern } of places) {
    for await (const name of glob(pattern, { cwd: root })) {
      if (total >= MAX_BYTES) return texts
      const text = await readText(join(root, name))
      if (text === null) continue
      texts.push({ name, content: text })
      total += text.length
    }
  }
  return texts
}

async function readText(path: string): Promise<Buffer | null> {
  try {
    if (!(await stat(path)).isFile()) return null
    const content = await readFile(path)
    const text = path.endsWith('.gz') ? gunzipSync(content) : content
    return text.at(-1) === 0x0a ? text.subarray(0, -1) : text
  } catch {
    return null // a dangling link, or a .gz that is none
  }
}

function lineCount(content: Buffer): number {
  let count = 1
  for (let at = content.indexOf(0x0a); at >= 0; at = content.indexOf(0x0a, at + 1)) count++
  return count
}

/** Produces every line with an idempotent kcat, and kills the broker when half of the bytes have left. */
async function produceLines(topic: string, texts: readonly Text[], bytes: number): Promise<void> {
  const properties = [
    'enable.idempotence=true',
    'acks=all',
    'message.timeout.ms=600000',
    'message.max.bytes=100000000',
    'linger.ms=20',
  ]
  // -E: a broker that cannot be reached is no reason to give up.
  const args = ['-E', '-b', broker.bootstrap, '-P', '-t', topic, '-z', 'lz4', '-D', '\n', '-K', KEY_END]
  const child = spawn(kcat, [...args, ...properties.flatMap(each => ['-X', each])], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-4_000)))
  child.stdin.on('error', () => {}) // the exit code tells
  const exited = new Promise<number | null>(resolve => child.once('close', resolve))
  let killed: Promise<void> | undefined
  let sent = 0
  for (const { name, content } of texts) {
    if (!child.stdin.write(withKeys(name, content)))
      await Promise.race([once(child.stdin, 'drain').catch(() => {}), exited])
    sent += content.length
    if (sent > bytes / 2) killed ??= broker.killAndRestart()
  }
  child.stdin.end()
  await killed
  equal(await exited, 0, complaints)
}

/** The lines of a file as kcat reads them: key, KEY_END, line. */
function withKeys(name: string, content: Buffer): Buffer {
  const key = Buffer.from(name + KEY_END)
  const parts: Buffer[] = []
  for (let at = 0; at <= content.length;) {
    const end = content.indexOf(0x0a, at)
    const next = end < 0 ? content.length : end
    parts.push(key, content.subarray(at, next), NEWLINE)
    at = next + 1
  }
  return Buffer.concat(parts)
}
const NEWLINE = Buffer.from('\n')

/** Reads all partitions to their ends and compares each record with the next line of its file. Returns the number of lines. */
async function readBack(topic: string, texts: readonly Text[]): Promise<number> {
  const expected = new Map(texts.map(({ name, content }) => [name, { content, at: 0 }]))
  // "<key length> <value length> <key><value>": lines may contain anything, so lengths tell them apart.
  const args = ['-b', broker.bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%K %S %k%s']
  const child = spawn(kcat, [...args, '-X', 'queued.max.messages.kbytes=65536'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<number | null>(resolve => child.once('close', resolve))
  let lines = 0
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    let at = 0
    for (let record = recordAt(bytes, at); record !== null; record = recordAt(bytes, at)) {
      compare(expected, record)
      at = record.end
      lines++
    }
    rest = bytes.subarray(at)
  }
  equal(await exited, 0)
  equal(rest.length, 0)
  for (const [name, { content, at }] of expected) equal(at, content.length + 1, `${name} ends early`)
  return lines
}

type Consumed = { key: string; value: Buffer; end: number }

function recordAt(bytes: Buffer, at: number): Consumed | null {
  const keyLengthEnd = bytes.indexOf(0x20, at)
  const valueLengthEnd = keyLengthEnd < 0 ? -1 : bytes.indexOf(0x20, keyLengthEnd + 1)
  if (valueLengthEnd < 0) return null
  const keyEnd = valueLengthEnd + 1 + Number(bytes.toString('latin1', at, keyLengthEnd))
  const end = keyEnd + Number(bytes.toString('latin1', keyLengthEnd + 1, valueLengthEnd))
  if (end > bytes.length) return null
  return { key: bytes.toString('utf8', valueLengthEnd + 1, keyEnd), value: bytes.subarray(keyEnd, end), end }
}

function compare(expected: Map<string, { content: Buffer; at: number }>, { key, value }: Consumed): void {
  const file = expected.get(key)
  ok(file, `nobody has produced the key '${key}'`)
  const lineEnd = file.content.indexOf(0x0a, file.at)
  const end = lineEnd < 0 ? file.content.length : lineEnd
  // Not through `equal`: this runs for every line.
  if (file.at + value.length !== end || value.compare(file.content, file.at, end) !== 0) {
    throw new Error(
      `${key} at byte ${file.at}: expected '${file.content.toString('utf8', file.at, end)}', read '${value.toString()}'`,
    )
  }
  file.at = end + 1
}
