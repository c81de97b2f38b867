// A child process whose output goes line by line to ours, and which tells us over IPC when it is ready.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

export type Child = {
  /** Resolves with the child's ready message; never if it ends before. */
  readonly ready: Promise<unknown>
  /** How it ended: an exit code, or the name of a signal. */
  readonly ended: Promise<number | NodeJS.Signals>
  signal(name: NodeJS.Signals): void
}

export type ChildOptions = {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Put before each line of its log. */
  readonly prefix: string
}

/** Starts this same Node with `args`. */
export function startChild({ args, env, prefix }: ChildOptions): Child {
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A process group of its own: Ctrl-C in the terminal is for us, and we pass it on once.
    detached: true,
  })
  process.stdout.write(`${prefix}runs as process ${child.pid}\n`)
  createInterface({ input: child.stdout! }).on('line', line => process.stdout.write(`${prefix}${line}\n`))
  // Messages for people come here; they are theirs to read as they are.
  child.stderr!.pipe(process.stderr, { end: false })
  return {
    ready: new Promise(resolve => child.once('message', resolve)),
    ended: endOf(child),
    signal: name => void child.kill(name),
  }
}

// 'close' comes after the last line of its output.
function endOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code ?? 1))
  })
}
