// `flotilla` as a user starts it: real processes, their output and their exit codes.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, test } from 'vitest'
import { answersMetadata } from '../clients/wire.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cli = join(root, 'cli.ts')
let folder = ''

beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'flotilla-cli-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

type Run = {
  readonly child: ChildProcess
  /** What it has written so far. */
  readonly output: { out: string; err: string }
  readonly ended: Promise<number | string>
  /** Resolves when its output matches; rejects when it ends first. */
  seen(pattern: RegExp): Promise<RegExpMatchArray>
}

function run(args: readonly string[], options: { env?: Record<string, string>; cwd?: string } = {}): Run {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('FLOTILLA_')))
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...env, ...options.env },
    cwd: options.cwd ?? folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.err += text))
  const ended = new Promise<number | string>(resolve => child.once('close', (code, signal) => resolve(code ?? signal!)))
  return {
    child,
    output,
    ended,
    seen: pattern =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = output.out.match(pattern)
          if (found) resolve(found)
        }
        child.stdout.on('data', look)
        look()
        void ended.then(end => reject(new Error(`ended with ${end} before ${pattern}:\n${output.out}${output.err}`)))
      }),
  }
}

async function outcome(args: readonly string[], options?: Parameters<typeof run>[1]) {
  const { ended, output } = run(args, options)
  return { end: await ended, ...output }
}

const upArgs = (name: string): string[] => ['up', '--port', '0', '--data', join(folder, name)]
const brokerArgs = (name: string): string[] => ['broker', '--port', '0', '--data', join(folder, name), '--set', 'flotilla.http.port=-1'] // prettier-ignore
const SERVES = /"listeners":\[\{"name":"PLAINTEXT","host":"[^"]+","port":(\d+)/
const BANNER = /bootstrap servers {2}localhost:(\d+)\n/

test('help goes to standard output and is a success', async () => {
  const { end, out, err } = await outcome(['--help'])
  equal(end, 0)
  match(out, /Usage[^]*flotilla up/)
  equal(err, '')
  match((await outcome(['broker', '--help'])).out, /--config FILE/)
  match((await outcome(['--version'])).out, /^flotilla \d+\.\d+\.\d+ /)
})

test('a wrong command line is two lines on standard error and exit code 2', async () => {
  for (const args of [['borker'], ['broker', '--prot', '1'], ['up', '--brokers', '3']]) {
    const { end, out, err } = await outcome(args)
    equal(end, 2)
    equal(out, '')
    match(err, /^flotilla: .+\n {2}.+\n$/)
  }
})

test('a wrong configuration names every mistake with its place, without a stack, and exit code 1', async () => {
  const path = join(folder, 'wrong.properties')
  await writeFile(path, 'num.partitions=3\nlog.retention.hour=1\n')
  for (const command of ['broker', 'up']) {
    const { end, err } = await outcome([command, '--config', path, '--set', 'fetch.max.bytes=x'], {
      env: { FLOTILLA_NUM_PARTITION: '3' },
    })
    equal(end, 1)
    ok(
      err.includes(`${path} line 2: Unknown broker config name: log.retention.hour. Did you mean log.retention.hours?`),
      err,
    )
    ok(err.includes('--set fetch.max.bytes: Invalid value x'), err)
    ok(err.includes('did you mean FLOTILLA_NUM_PARTITIONS?'), err)
    ok(!/\n {4}at /.test(err), err)
  }
})

test('a configuration file that is missing, a folder or binary is one message', async () => {
  const binary = join(folder, 'binary.properties')
  await writeFile(binary, Buffer.from([0, 1, 2, 255]))
  for (const [path, expected] of [
    [join(folder, 'none'), 'there is no such file'],
    [folder, 'it is a directory'],
    [binary, 'not text in UTF-8'],
    ['/dev/zero', 'larger than'],
  ] as const) {
    const { end, err } = await outcome(['broker', '--config', path])
    equal(end, 1)
    ok(err.includes(expected), err)
  }
})

test('--port beside advertised.listeners with another port is a warning that names both', async () => {
  const file = join(folder, 'advertised.properties')
  await writeFile(file, 'listeners=PLAINTEXT://:9092\nadvertised.listeners=PLAINTEXT://broker-1:9092\n')
  const broker = run([...brokerArgs('sent-elsewhere'), '--config', file])
  await broker.seen(SERVES)
  match(broker.output.out, /clients are sent to broker-1:9092: .*advertised\.properties line 2 says so/)
  broker.child.kill('SIGTERM')
  equal(await broker.ended, 0)
})

test('a taken port and a foreign data directory are one message each and change nothing', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const foreign = await mkdtemp(join(folder, 'foreign-'))
  await writeFile(join(foreign, 'photo.jpg'), 'not ours')
  try {
    const taken = await outcome(['up', '--port', String(port), '--data', join(folder, 'unused')])
    equal(taken.end, 1)
    match(taken.err, new RegExp(`^flotilla: .*${port}.*taken\\.\n {2}.+\n$`))
    const refused = await outcome(['up', '--port', '0', '--data', foreign])
    equal(refused.end, 1)
    match(refused.err, /^flotilla: .*foreign-.*\n {2}.+\n$/)
    deepEqual(await readdir(foreign), ['photo.jpg'])
    ok(!(await readdir(folder)).includes('unused'))
  } finally {
    server.close()
  }
})

test('a broker stops cleanly at SIGTERM, and starts again on its data', async () => {
  for (let round = 0; round < 2; round++) {
    const broker = run(brokerArgs('own'))
    const [, port] = await broker.seen(SERVES)
    ok(await answersMetadata({ host: '127.0.0.1', port: Number(port) }))
    broker.child.kill('SIGTERM')
    equal(await broker.ended, 0)
    ok(broker.output.out.includes('the broker has stopped'), broker.output.out)
  }
})

test('one signal that arrives twice, as from a terminal and npm, is one', async () => {
  const broker = run(brokerArgs('twice'))
  await broker.seen(SERVES)
  broker.child.kill('SIGINT')
  broker.child.kill('SIGINT')
  equal(await broker.ended, 0)
})

test('a second broker on the same data says who has it', async () => {
  const first = run(brokerArgs('shared'))
  await first.seen(SERVES)
  const second = await outcome(brokerArgs('shared'))
  equal(second.end, 1)
  ok(second.err.includes(`process ${first.child.pid}`), second.err)
  first.child.kill('SIGTERM')
  equal(await first.ended, 0)
})

test('`up` says where to connect, serves there, and stops its broker at SIGINT', async () => {
  const up = run(upArgs('up'))
  const [, port] = await up.seen(BANNER)
  match(up.output.out, /kcat -b localhost:\d+ -t greetings -P/)
  match(up.output.out, /^broker 1 \| /m)
  ok(await answersMetadata({ host: '127.0.0.1', port: Number(port) }))
  up.child.kill('SIGINT')
  equal(await up.ended, 0)
  equal(await answersMetadata({ host: '127.0.0.1', port: Number(port) }), false)
})

test('`up` reports the death of its broker and fails', async () => {
  const up = run(upArgs('dies'))
  const [, pid] = await up.seen(/broker 1 \| runs as process (\d+)/)
  await up.seen(BANNER)
  process.kill(Number(pid), 'SIGKILL')
  equal(await up.ended, 137)
  ok(up.output.err.includes('broker 1 was ended by SIGKILL'), up.output.err)
})

test('the broker of `up` stops when `up` is killed', async () => {
  const up = run(upArgs('orphan'))
  const [, port] = await up.seen(BANNER)
  up.child.kill('SIGKILL')
  await up.ended
  while (await answersMetadata({ host: '127.0.0.1', port: Number(port) }))
    await new Promise(done => setTimeout(done, 20))
})

test('configuration comes from flags, environment and file, in this order', async () => {
  const path = join(folder, 'broker.yaml')
  await writeFile(path, `node.id: 3\nflotilla.log.level: error\nlog:\n  dirs: ${join(folder, 'from-file')}\n`)
  const broker = run(['broker', '--set', 'listeners=PLAINTEXT://127.0.0.1:0', '--set', 'flotilla.http.port=-1'], {
    env: { FLOTILLA_CONFIG: path, FLOTILLA_LOG_LEVEL: 'info', FLOTILLA_NUM_IO_THREADS: '2' },
  })
  await broker.seen(SERVES)
  match(broker.output.out, /accepted, but without effect here: num.io.threads/)
  match(broker.output.out, /"nodeId":3/)
  ok((await readdir(folder)).includes('from-file'))
  broker.child.kill('SIGTERM')
  equal(await broker.ended, 0)
})
