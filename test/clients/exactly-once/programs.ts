// Programs with transactions that run until they are killed, and what a read_committed reader sees of what they do.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** Runs `argv` again and again: each life is ended with SIGKILL after a while. */
export class MortalProgram {
  readonly name: string
  readonly #argv: readonly string[]
  #child: ChildProcess | null = null
  #isOver = false
  #output = ''
  deaths = 0

  constructor(name: string, argv: readonly string[]) {
    this.name = name
    this.#argv = argv
  }

  /** What the program said last, for a failure's message. */
  get lastLines(): string {
    return this.#output.split('\n').slice(-15).join('\n')
  }

  get output(): string {
    return this.#output
  }

  /**
   * Lives of `lifeMs` each, `kills` of them, then one until `end`. A life that ends by itself is followed by the next one, as a
   * supervisor would have it.
   */
  async live(kills: number, lifeMs: () => number): Promise<void> {
    const [command, ...args] = this.#argv
    while (!this.#isOver) {
      const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      this.#child = child
      const killOnExit = (): void => void child.kill('SIGKILL')
      process.once('exit', killOnExit)
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', chunk => (this.#output = (this.#output + String(chunk)).slice(-100_000)))
      }
      const exit = once(child, 'exit')
      const abort = new AbortController()
      const isMortal = this.deaths < kills
      const life = sleep(lifeMs(), undefined, { signal: abort.signal }).catch(() => {})
      await (isMortal ? Promise.race([exit, life]) : exit)
      abort.abort()
      child.kill('SIGKILL')
      await exit
      process.removeListener('exit', killOnExit)
      this.deaths++
    }
  }

  async end(): Promise<void> {
    this.#isOver = true
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

export type Read = { readonly key: string; readonly value: string }

/** A partition as a read_committed reader sees it, up to its last stable offset. */
export async function readCommitted(
  kcat: string,
  bootstrap: string,
  topic: string,
  partition: number,
): Promise<Read[]> {
  const args = [
    '-q',
    '-b',
    bootstrap,
    '-X',
    'isolation.level=read_committed',
    '-C',
    '-t',
    topic,
    '-p',
    String(partition),
  ]
  const child = spawn(kcat, [...args, '-o', 'beginning', '-e', '-f', '%k\x1f%s\x1e'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: Buffer[] = []
  let complaint = ''
  child.stdout.on('data', chunk => chunks.push(chunk as Buffer))
  child.stderr.on('data', chunk => (complaint += String(chunk)))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`kcat ended with ${code}: ${complaint}`)
  return Buffer.concat(chunks)
    .toString()
    .split('\x1e')
    .slice(0, -1)
    .map(record => {
      const at = record.indexOf('\x1f')
      return { key: record.slice(0, at), value: record.slice(at + 1) }
    })
}
