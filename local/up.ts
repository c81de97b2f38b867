// `flotilla up`: a fleet on this machine (one broker so far), each broker a child process. It passes signals on, shows the
// brokers' logs, says how to use them, and ends when they end.
import { constants } from 'node:os'
import type { BrokerFlags, ReadyMessage } from '../broker/main.ts'
import { fail, loadConfig, readSources } from '../broker/main.ts'
import { localListener } from './arguments.ts'
import { startChild, type Child } from './processes.ts'

const DEFAULT_PORT = '9092'
// One Ctrl-C may arrive twice: from the terminal, and from npm, which passes it on.
const SAME_SIGNAL_MS = 500

/** Runs one broker until it ends or a signal stops it; sets the exit code. */
export async function up(flags: BrokerFlags): Promise<void> {
  const startedAt = performance.now()
  const complete = await withLocalDefaults(flags).catch(fail)
  const child = startChild({
    args: [process.argv[1]!, 'broker', ...argumentsOf(complete)],
    env: environmentOfChild(),
    prefix: 'broker 1 | ',
  })
  const stopping = passSignalsOn(child)
  let isReady = false
  const announced = child.ready.then(message => {
    isReady = true
    process.stdout.write(banner(message as ReadyMessage, performance.now() - startedAt))
  })
  const end = await Promise.race([child.ended, announced.then(() => child.ended)])
  process.exitCode = exitCodeFor(end, stopping.isStopping(), isReady)
}

/** What nobody has set is set so that only this machine reaches the broker. */
async function withLocalDefaults(flags: BrokerFlags): Promise<BrokerFlags> {
  const { merged } = await readSources(flags)
  const defaults: (readonly [string, string])[] = []
  if (!merged.values.has('listeners')) defaults.push(...localListener(DEFAULT_PORT))
  if (!merged.values.has('flotilla.http.host')) defaults.push(['flotilla.http.host', '127.0.0.1'])
  if (!merged.values.has('flotilla.http.port')) defaults.push(['flotilla.http.port', '0'])
  // As in the configuration that Kafka brings for a first try: who tries a consumer wants to see it start.
  defaults.push(['group.initial.rebalance.delay.ms', '0'])
  const missing = defaults.filter(([name]) => !merged.values.has(name))
  const settings = [...flags.settings, ...missing.map(([name, text]) => ({ name, text, flag: 'flotilla up' }))]
  const complete = { ...flags, settings }
  // A mistake is better told here, once, than by a child.
  await loadConfig(complete)
  return complete
}

function argumentsOf({ configFile, settings }: BrokerFlags): string[] {
  const config = configFile === null ? [] : ['--config', configFile]
  return [...config, ...settings.flatMap(({ name, text }) => ['--set', `${name}=${text}`])]
}

// The child writes to a pipe, yet people read it.
function environmentOfChild(): NodeJS.ProcessEnv {
  const isColored = process.stdout.isTTY && !process.env['NO_COLOR']
  return { FLOTILLA_LOG_FORMAT: 'pretty', ...(isColored && { FORCE_COLOR: '1' }), ...process.env }
}

function passSignalsOn(child: Child): { isStopping(): boolean } {
  let firstAt: number | null = null
  const stop = (): void => {
    if (firstAt === null) {
      firstAt = performance.now()
      child.signal('SIGTERM')
    } else if (performance.now() - firstAt >= SAME_SIGNAL_MS) {
      child.signal('SIGKILL')
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  // Nobody reads any more (`flotilla up | head`).
  process.stdout.on('error', () => firstAt === null && stop())
  return { isStopping: () => firstAt !== null }
}

function exitCodeFor(end: number | NodeJS.Signals, isStopping: boolean, wasReady: boolean): number {
  if (end === 0 && isStopping) return 0
  // Before it was ready it has said on stderr why.
  if (wasReady || typeof end === 'string') process.stderr.write(`flotilla: broker 1 ${deathOf(end)}\n`)
  return typeof end === 'string' ? 128 + constants.signals[end] : end || 1
}

function deathOf(end: number | NodeJS.Signals): string {
  if (typeof end === 'string') return `was ended by ${end}. What it acknowledged is in its data directory.`
  return `ended by itself with exit code ${end}; its last lines say why. What it acknowledged is in its data directory.`
}

function banner({ bootstrap, dataDirectory, httpPort }: ReadyMessage, startMs: number): string {
  const metrics = httpPort < 0 ? '' : `  metrics, health    http://localhost:${httpPort}/metrics\n`
  return `
Flotilla is ready after ${Math.round(startMs)} ms: one broker.

  bootstrap servers  ${bootstrap}
  data directory     ${dataDirectory}
${metrics}
  echo hello | kcat -b ${bootstrap} -t greetings -P     write a record
  kcat -b ${bootstrap} -t greetings -C -e               read from the start
  kcat -b ${bootstrap} -L                               list brokers and topics

Ctrl-C stops it.

`
}
