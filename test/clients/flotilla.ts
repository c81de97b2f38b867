// The real broker process, as a user starts it: the `flotilla broker` command with a configuration file in Kafka's keys.
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, onFreePorts, startServer } from './server-process.ts'
import type { ServerProcess } from './server-process.ts'
import { answersMetadata } from './wire.ts'

export type FlotillaOptions = {
  /** Where clients connect; a free port when left out. */
  port?: number
  /** Holds the data, the configuration and the log of this broker. Created when missing, used as it is otherwise. */
  dataDir: string
  /** Broker configuration in Kafka's keys, and our own. */
  properties?: Readonly<Record<string, string>>
}

export type Flotilla = ServerProcess & { readonly host: string; readonly port: number; readonly bootstrap: string }

/** Starts a broker and waits until it serves. Rejects with the end of its log when it does not. */
export function startFlotilla(options: FlotillaOptions): Promise<Flotilla> {
  const { port } = options
  return port === undefined ? onFreePorts(async () => startOn(await freePort(), options)) : startOn(port, options)
}

async function startOn(port: number, options: FlotillaOptions): Promise<Flotilla> {
  const host = '127.0.0.1'
  await mkdir(options.dataDir, { recursive: true })
  const configPath = join(options.dataDir, 'server.properties')
  const properties = {
    listeners: `PLAINTEXT://${host}:${port}`,
    // Several brokers run on one machine in these tests; their HTTP ports would collide.
    'flotilla.http.port': '0',
    ...options.properties,
  }
  await writeFile(
    configPath,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const cli = fileURLToPath(new URL('../../cli.ts', import.meta.url))
  const logPath = join(options.dataDir, 'flotilla.log')
  // Of this start, not of one before it on the same data.
  const logStart = await stat(logPath).then(
    ({ size }) => size,
    () => 0,
  )
  const says = async (text: string) => (await readFile(logPath)).subarray(logStart).includes(text)
  const process = await startServer({
    command: nodeBinary(),
    // As the command's first line has it.
    args: ['--single-threaded-gc', cli, 'broker', '--config', configPath, '--data', join(options.dataDir, 'data')],
    env: environment(),
    logPath,
    // Its own word for it: on that port somebody else may answer.
    isReady: async () => (await says('the broker serves')) && (await answersMetadata({ host, port })),
  })
  return { ...process, host, port, bootstrap: `${host}:${port}` }
}

/** The Node that npm installed: the one in PATH may be too old. */
export function nodeBinary(): string {
  return fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))
}

// FLOTILLA_* variables are configuration of a broker; those that steer a test run are not meant for it.
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('FLOTILLA_')))
}
