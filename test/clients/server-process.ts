// A server as a child process: its output goes to a file, it counts as started when a condition holds, and it is ended by
// its own id. Knows nothing of Kafka or Flotilla; those are apache-kafka.ts and flotilla.ts.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type ServerProcess = {
  readonly pid: number
  /** Everything the process has written to its standard output and error. */
  readonly logPath: string
  /** Ends the process with SIGTERM and waits; with SIGKILL when it is still there after 60 s. */
  stop(): Promise<void>
  /** Ends the process with SIGKILL and waits until it is gone. */
  kill(): Promise<void>
}

export type ServerCommand = {
  command: string
  args: readonly string[]
  env?: NodeJS.ProcessEnv
  cwd?: string
  logPath: string
  /** True once the server serves. Asked again and again until the process ends or `startTimeoutMs` is over (default 120 s). */
  isReady: () => Promise<boolean>
  startTimeoutMs?: number
}

/** Starts a server and waits until it is ready. Rejects with the end of its output when it exits first or takes too long. */
export async function startServer(options: ServerCommand): Promise<ServerProcess> {
  const output = openSync(options.logPath, 'a')
  const [command, ...args] = endingWithThisProcess([options.command, ...options.args])
  const child = spawn(command!, args, {
    stdio: ['ignore', output, output],
    env: options.env ?? process.env,
    cwd: options.cwd,
  })
  closeSync(output)
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()).once('error', () => resolve()))
  const hasExited = () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null
  const end = async (signal: NodeJS.Signals) => {
    if (!hasExited()) child.kill(signal)
    const tooLate = setTimeout(() => child.kill('SIGKILL'), 60_000)
    await exited
    clearTimeout(tooLate)
    process.removeListener('exit', killNow)
  }
  // A test run that ends without its hooks must not leave a server behind.
  const killNow = () => child.kill('SIGKILL')
  process.once('exit', killNow)

  const deadline = performance.now() + (options.startTimeoutMs ?? 120_000)
  // One that has exited is not ready, whoever answers in its place.
  while (hasExited() || !(await options.isReady())) {
    const gaveUp = hasExited()
      ? 'exited before it was ready'
      : performance.now() > deadline
        ? 'was not ready in time'
        : null
    if (gaveUp !== null) {
      await end('SIGKILL')
      throw new Error(`${options.command} ${gaveUp}:\n${await tail(options.logPath)}`)
    }
    await Promise.race([sleep(50), exited])
  }
  return { pid: child.pid!, logPath: options.logPath, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') }
}

// Where the kernel can do it, a server ends when the process that started it does, however that ends: a benchmark that is
// interrupted, a test worker that is killed. setpriv becomes the command, so the process id is the server's own.
const SETPRIV = '/usr/bin/setpriv'

function endingWithThisProcess(argv: readonly string[]): readonly string[] {
  return existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', ...argv] : argv
}

/**
 * A TCP port of the loopback interface that nobody listens on at this moment. It is below the range from which the kernel
 * takes ports for outgoing connections: while a server is down, a client that tries to reconnect could otherwise be given
 * the server's own port, connect to itself, and keep the server from starting again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const server = createServer()
    const isFree = await new Promise<boolean>(resolve =>
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)),
    )
    await new Promise(resolve => server.close(resolve))
    if (isFree) return port
  }
}

/**
 * Starts something on ports from `freePort`, which may be somebody else's by the time it listens there: suites run side by side. Then
 * `start`, which must choose the ports, is called again.
 */
export async function onFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attemptsLeft = 5; ; attemptsLeft--) {
    try {
      return await start()
    } catch (error) {
      if (attemptsLeft === 0 || !/the port is taken|Address already in use/.test(String(error))) throw error
    }
  }
}

async function tail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.split('\n').slice(-40).join('\n')
}
