// `flotilla` as a process of its own, as somebody starts it by hand: what it writes, how it ends, how much memory it takes, what its
// metrics say. test/clients/flotilla.ts is the same for those who only want a broker that serves.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from '../../bench/peers/admin.ts'
import { nodeBinary } from '../clients/flotilla.ts'
import { freePort, onFreePorts } from '../clients/server-process.ts'
import { answersMetadata, type Address } from '../clients/wire.ts'

const cli = fileURLToPath(new URL('../../cli.ts', import.meta.url))

const SERVES = 'the broker serves'

/** How a process ended: its exit code, or the signal that killed it. */
export type End = number | NodeJS.Signals

export type CommandProcess = {
  readonly pid: number
  readonly ended: Promise<End>
  readonly hasEnded: boolean
  /** Everything written so far. */
  out(): string
  err(): string
  signal(name: NodeJS.Signals): void
}

export type BrokerProcess = CommandProcess &
  Address & {
    readonly httpPort: number
    /** Ends it with SIGTERM and says how it ended; SIGKILL when it takes longer than a minute. */
    stop(): Promise<End>
    kill(): Promise<void>
    /** What the process holds in memory right now, in bytes. */
    residentBytes(): number
    /** The value of a metric without labels. */
    metric(name: string): Promise<number>
    /** The lines of its log, parsed. */
    log(): Record<string, unknown>[]
  }

export type BrokerSettings = Readonly<Record<string, string>>

const folders: string[] = []
/** Those of the test that runs. */
const runs: CommandProcess[] = []
const TOLD_RUNS = 3
const TOLD_LINES = 40

/** A new folder for one test; `removeFolders` removes all of them. The name says whose it is: what a killed run left can be told from what is in use. */
export async function newFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `flotilla-${name}-${process.pid}-`))
  folders.push(folder)
  return folder
}

export async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
}

/** For `afterEach`: of a test that failed, what the last processes wrote last. */
export function tellOnFailure({ task }: { task: { result?: { state: string } | undefined } }): void {
  const told = runs.splice(0).slice(-TOLD_RUNS)
  if (task.result?.state !== 'fail') return
  for (const run of told) {
    const lines = `${run.out()}${run.err()}`.trimEnd().split('\n')
    console.error(`process ${run.pid} wrote last:\n${lines.slice(-TOLD_LINES).join('\n')}`)
  }
}

/** Starts `flotilla` with these arguments, and with so many files to open if given. Its output goes to files in a folder of its own, so that it never waits for a reader. */
export async function command(args: readonly string[], maxOpenFiles?: number): Promise<CommandProcess> {
  const folder = await newFolder('output')
  const outPath = join(folder, 'out')
  const errPath = join(folder, 'err')
  const out = openSync(outPath, 'a')
  const err = openSync(errPath, 'a')
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('FLOTILLA_')))
  const line = [nodeBinary(), cli, ...args]
  const limited = ['sh', '-c', `ulimit -n ${maxOpenFiles} && exec "$@"`, 'sh', ...line]
  const [program, ...rest] = maxOpenFiles === undefined ? line : limited
  const child = spawn(program!, rest, { stdio: ['ignore', out, err], env })
  closeSync(out)
  closeSync(err)
  // A test run that ends early must not leave a process behind.
  const killNow = (): void => void child.kill('SIGKILL')
  process.once('exit', killNow)
  let hasEnded = false
  const ended = new Promise<End>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      hasEnded = true
      process.removeListener('exit', killNow)
      resolve(signal ?? code!)
    })
  })
  const run: CommandProcess = {
    pid: child.pid!,
    ended,
    get hasEnded() {
      return hasEnded
    },
    out: () => readFileSync(outPath, 'utf8'),
    err: () => readFileSync(errPath, 'utf8'),
    signal: name => void child.kill(name),
  }
  runs.push(run)
  return run
}

/** Runs `flotilla` to its end. A broker that serves instead of ending is killed: `end` is then SIGKILL. */
export async function outcome(args: readonly string[]): Promise<{ end: End; out: string; err: string }> {
  const run = await command(args)
  await until('it has ended', async () => run.hasEnded || run.out().includes(SERVES))
  if (!run.hasEnded) run.signal('SIGKILL')
  const end = await run.ended
  return { end, out: run.out(), err: run.err() }
}

/** Starts a broker on `dataDir` and waits until it serves. Rejects with its output when it ends before. */
export function startBroker(
  dataDir: string,
  settings: BrokerSettings = {},
  maxOpenFiles?: number,
): Promise<BrokerProcess> {
  return onFreePorts(() => startOnFreePorts(dataDir, settings, maxOpenFiles))
}

async function startOnFreePorts(
  dataDir: string,
  settings: BrokerSettings,
  maxOpenFiles: number | undefined,
): Promise<BrokerProcess> {
  const host = '127.0.0.1'
  const port = await freePort()
  const httpPort = await freePort()
  const all = {
    listeners: `PLAINTEXT://${host}:${port}`,
    'flotilla.http.host': host,
    'flotilla.http.port': String(httpPort),
    ...settings,
  }
  const flags = Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  const run = await command(['broker', '--data', dataDir, ...flags], maxOpenFiles)
  const broker = asBroker(run, { host, port }, httpPort)
  // Its own word for it: on that port somebody else may answer.
  const serves = async (): Promise<boolean> => run.out().includes(SERVES) && (await answersMetadata(broker))
  await until('the broker serves', async () => run.hasEnded || (await serves()))
  if (run.hasEnded) throw new Error(`the broker ended with ${await run.ended}:\n${run.out()}${run.err()}`)
  return broker
}

function asBroker(run: CommandProcess, { host, port }: Address, httpPort: number): BrokerProcess {
  const end = async (name: NodeJS.Signals): Promise<End> => {
    const tooLate = setTimeout(() => run.signal('SIGKILL'), 60_000)
    run.signal(name)
    const ended = await run.ended
    clearTimeout(tooLate)
    return ended
  }
  return Object.assign(Object.create(run) as CommandProcess, {
    host,
    port,
    httpPort,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    residentBytes: () => residentBytes(run.pid),
    metric: (name: string) => readMetric(host, httpPort, name),
    log: () => parseLog(run.out()),
  })
}

function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kib) * 1024
}

async function readMetric(host: string, port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://${host}:${port}/metrics`)).text()
  const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)
  if (found === null) throw new Error(`no metric ${name}`)
  return Number(found[1])
}

function parseLog(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Record<string, unknown>)
}

/** A folder with a copy of what `from` holds. */
export async function copyOf(from: string): Promise<string> {
  const { cp } = await import('node:fs/promises')
  const to = join(await newFolder('copy'), 'data')
  await mkdir(to, { recursive: true })
  await cp(from, to, { recursive: true })
  return to
}

/** Every file below `folder` with its content, for "nothing was changed". */
export async function contentOf(folder: string): Promise<Map<string, string>> {
  const { readdir } = await import('node:fs/promises')
  const content = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    content.set(path, (await readFile(path)).toString('latin1'))
  }
  return content
}
