// The process around a broker: reads the configuration from file, environment and flags, makes the logger, starts broker.ts, and
// turns signals and failures into exit codes:
//   0  stopped cleanly (SIGTERM, SIGINT, SIGHUP)
//   1  could not start, or broke: one message for people on stderr, or an error in the log
//   128 + n  a second signal ended it at once
// (2, a wrong command line, is the business of local/command-line.ts.)
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants, hostname } from 'node:os'
import { resolve } from 'node:path'
import { inspect } from 'node:util'
import { pino, stdTimeFunctions, type LoggerOptions } from 'pino'
import type PinoPretty from 'pino-pretty'
import { systemClock } from './base/clock.ts'
import type { Logger } from './base/log.ts'
import { systemRandom } from './base/random.ts'
import { UserError, userErrorIn } from './base/user-error.ts'
import type { Broker } from './broker.ts'
import { brokerConfigKey } from './config/broker-keys.ts'
import { parseBrokerConfig, type BrokerConfig } from './config/broker-config.ts'
import { parseProperties, type ParsedFile } from './config/properties.ts'
import {
  environmentSource,
  fileSource,
  flagSource,
  MAX_FILE_BYTES,
  mergeSources,
  type Merged,
} from './config/sources.ts'
import { StorageError } from './storage/storage-error.ts'

/** What the command line says about the configuration. */
export type BrokerFlags = {
  /** A server.properties or YAML file; null: FLOTILLA_CONFIG, or none. */
  readonly configFile: string | null
  readonly settings: readonly { readonly name: string; readonly text: string; readonly flag: string }[]
}

/** What a broker tells the process that started it, once it serves (over the IPC channel, if there is one). */
export type ReadyMessage = {
  readonly kind: 'ready'
  readonly bootstrap: string
  readonly dataDirectory: string
  readonly httpPort: number
}

/** Runs a broker until it is told to stop; then the process exits. */
export async function runBroker(flags: BrokerFlags): Promise<void> {
  try {
    const { config, warnings } = await loadConfig(flags)
    const log = createLogger(config)
    await serve(config, log, warnings)
  } catch (error) {
    fail(error)
  }
}

export type LoadedConfig = { readonly config: BrokerConfig; readonly warnings: readonly string[] }

/** The configuration that counts. Throws a UserError that names everything that is wrong with it. */
export async function loadConfig(flags: BrokerFlags): Promise<LoadedConfig> {
  const { merged, problems, warnings } = await readSources(flags)
  const parsed = parseBrokerConfig(merged.values, { hostname: hostname(), origin: merged.origin })
  if ('errors' in parsed) problems.push(...parsed.errors)
  if (problems.length > 0 || 'errors' in parsed) throw configError(problems)
  const idle = [...parsed.config.explicit.keys()].filter(name => !brokerConfigKey(name)?.honoured)
  if (idle.length > 0) warnings.push(`accepted, but without effect here: ${idle.join(', ')}`)
  if (merged.origin('listeners') === '--port') warnings.push(...sentElsewhere(parsed.config, merged))
  return { config: { ...parsed.config, logDir: resolve(parsed.config.logDir) }, warnings }
}

// A file that names its port twice and a flag that moves the listener only: clients would get no further than their first connection.
function sentElsewhere({ listeners, advertisedListeners }: BrokerConfig, { origin }: Merged): string[] {
  const where = origin('advertised.listeners')
  if (where === undefined || where === '--port') return []
  return advertisedListeners
    .filter(({ name, port }) => listeners.some(listener => listener.name === name && listener.port !== port))
    .map(({ host, port }) => `--port moves the listener, but clients are sent to ${host}:${port}: ${where} says so`)
}

export type Sources = { readonly merged: Merged; readonly problems: string[]; readonly warnings: string[] }

/** Everything that file, environment and flags say, and what cannot be read of it. */
export async function readSources(flags: BrokerFlags): Promise<Sources> {
  const path = flags.configFile ?? process.env['FLOTILLA_CONFIG'] ?? null
  const sources = [flagSource(flags.settings), environmentSource(process.env)]
  if (path !== null) sources.push(fileSource(path, readConfigFile(path), await parserFor(path)))
  return {
    merged: mergeSources(sources),
    problems: sources.flatMap(source => source.problems),
    warnings: sources.flatMap(source => source.warnings),
  }
}

// The YAML parser is loaded only when there is YAML: it takes a good part of the time that a broker needs to start.
async function parserFor(path: string): Promise<(text: string) => ParsedFile> {
  return /\.ya?ml$/i.test(path) ? (await import('./config/yaml-file.ts')).parseYamlFile : parseProperties
}

function readConfigFile(path: string): Buffer {
  try {
    const file = openSync(path, 'r')
    try {
      return readBounded(file)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a directory' : String(code)
    throw new UserError(`The configuration file ${path} cannot be read: ${reason}.`, 'Check --config.', { cause })
  }
}

// It may be a pipe, or a device that never ends: one byte more than a configuration can have is enough to know.
function readBounded(file: number): Buffer {
  const content = Buffer.alloc(MAX_FILE_BYTES + 1)
  let sizeBytes = 0
  for (;;) {
    const read = readSync(file, content, sizeBytes, content.length - sizeBytes, null)
    sizeBytes += read
    if (read === 0 || sizeBytes === content.length) return content.subarray(0, sizeBytes)
  }
}

const MAX_PROBLEMS_SHOWN = 20

function configError(problems: readonly string[]): UserError {
  const shown = problems.slice(0, MAX_PROBLEMS_SHOWN).map(problem => `  - ${problem}`)
  if (problems.length > shown.length) shown.push(`  - and ${problems.length - shown.length} more`)
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  return new UserError(`The configuration has ${count}:\n${shown.join('\n')}`)
}

function createLogger({ logLevel, logFormat }: BrokerConfig): Logger {
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && process.stdout.isTTY)
  const options: LoggerOptions = {
    level: logLevel,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
  }
  if (!isPretty) return pino(options)
  // Loaded only where people read, for the same reason.
  const pretty = createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty
  const colorize = process.stdout.isTTY || process.env['FORCE_COLOR'] !== undefined
  // `error` is a name or a message in a line like any other; stacks come as `err`.
  const oneLine = { singleLine: true, errorLikeObjectKeys: ['err'] }
  return pino(options, pretty({ colorize, translateTime: 'SYS:HH:MM:ss.l', sync: true, ...oneLine }))
}

async function serve(config: BrokerConfig, log: Logger, warnings: readonly string[]): Promise<void> {
  for (const warning of warnings) log.warn(warning)
  process.on('uncaughtException', error => {
    log.error({ err: error }, 'the broker stops at once: an error that nobody expected')
    process.exit(1)
  })
  process.on('unhandledRejection', reason => {
    throw reason
  })
  const stopped = onStopSignal(log)
  // `flotilla up` uses this file without being a broker itself.
  const { startBroker } = await import('./broker.ts')
  const maxOpenFiles = openFilesLimit()
  const broker = await startBroker({ config, clock: systemClock, random: systemRandom, log, maxOpenFiles })
  broker.failed.then(
    error => log.error({ err: error }, 'the data directory has failed: restart the broker when its disk is well again'),
    () => {},
  )
  announce(config, broker)
  await stopped
  await broker.stop()
  log.info('the broker has stopped')
  process.exit(0)
}

/** How many files the system lets this process have open; Infinity where it does not say (only Linux has /proc). */
function openFilesLimit(): number {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return limit === undefined ? Infinity : Number(limit)
  } catch {
    return Infinity
  }
}

function announce(config: BrokerConfig, broker: Broker): void {
  const { host, port } = config.advertisedListeners[0]!
  const message: ReadyMessage = {
    kind: 'ready',
    bootstrap: `${host.includes(':') ? `[${host}]` : host}:${port === 0 ? broker.address.port : port}`,
    dataDirectory: config.logDir,
    httpPort: broker.httpPort,
  }
  process.send?.(message)
}

// One Ctrl-C may arrive twice: from the terminal, and from npm, which passes it on.
const SAME_SIGNAL_MS = 500

/** Resolves at the first signal to stop, or when the process that started us is gone; a second signal ends the process. */
function onStopSignal(log: Logger): Promise<void> {
  return new Promise(done => {
    let firstAt: number | null = null
    const stop = (why: string): void => {
      firstAt = performance.now()
      log.info(`${why}: stopping`)
      done()
    }
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (firstAt === null) return stop(signal)
        if (performance.now() - firstAt < SAME_SIGNAL_MS) return
        log.warn(`${signal} again: ending at once`)
        process.exit(128 + constants.signals[signal])
      })
    // Without a parent nobody reads our log or ends us.
    if (process.connected) process.on('disconnect', () => firstAt === null && stop('the parent process is gone'))
  })
}

/** Ends the process: with a text for people where there is one, else with the whole error. */
export function fail(error: unknown): never {
  const known = userErrorIn(error) ?? damageIn(error)
  const text = known
    ? `flotilla: ${known.message}${known.fix === '' ? '' : `\n  ${known.fix}`}`
    : `flotilla: could not start: ${inspect(error)}`
  process.stderr.write(`${text}\n`)
  process.exit(1)
}

function damageIn(error: unknown): UserError | null {
  if (!(error instanceof StorageError)) return null
  const message = error.message.replace(/\s+/g, ' ')
  return new UserError(
    `The data directory has failed: ${message}`,
    'Nothing was deleted. Check the disk; if what is on it is damaged, restore the data directory from a backup.',
    { cause: error },
  )
}
