// A client as the checks see it. Programs in several languages (python/, java/, go/, node/) speak this protocol over their
// standard input and output: one command as a line of JSON, one answer as a line of JSON, one after the other. kcat.ts makes
// kcat, which is a command and no library, look the same. Members of groups also report events (group-commands.ts).
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { GroupCommands, MemberEvent } from './group-commands.ts'

/** A record; `null` and empty are different. Headers keep their order and may repeat a name. */
export type ClientRecord = {
  key: Buffer | null
  value: Buffer | null
  headers: readonly (readonly [name: string, value: Buffer | null])[]
  /** Milliseconds since the epoch; the client takes its own clock when left out. */
  timestamp?: number
}
export type ConsumedRecord = Required<ClientRecord> & { offset: number }

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export type Acks = '0' | '1' | 'all'
export type Isolation = 'read_committed' | 'read_uncommitted'
type AtPartition = { topic: string; partition: number }

/** The commands and what they answer. A program that lacks one answers an error without a code. */
export type Commands = GroupCommands & {
  hello: { in: object; out: { client: string } }
  describeCluster: {
    in: object
    /** `clusterId` is null where the client does not tell. */
    out: { clusterId: string | null; controllerId: number; brokers: { id: number; host: string; port: number }[] }
  }
  createTopic: {
    /** -1 stands for the broker's default of `partitions` and `replicationFactor`. */
    in: {
      topic: string
      partitions: number
      replicationFactor: number
      configs: Record<string, string>
      validateOnly: boolean
    }
    out: object
  }
  deleteTopic: { in: { topic: string }; out: object }
  describeTopic: {
    in: { topic: string }
    out: { partitions: { partition: number; leader: number; replicas: number[]; isr: number[] }[] }
  }
  createPartitions: { in: { topic: string; count: number }; out: object }
  /** `value` null goes back to the default. */
  alterConfig: { in: { topic: string; key: string; value: string | null }; out: object }
  /** `isSet`: on the topic itself. */
  describeConfigs: { in: { topic: string }; out: { configs: Record<string, { value: string | null; isSet: boolean }> } }
  /** `before` -1 is the high watermark. `lowWatermark` is null where the client does not tell. */
  deleteRecords: { in: AtPartition & { before: number }; out: { lowWatermark: number | null } }
  /** A number asks for the first record that is not older than this timestamp. */
  listOffsets: { in: AtPartition & { at: 'earliest' | 'latest' | 'max-timestamp' | number }; out: { offset: number } }
  produce: {
    /**
     * `timeoutMs`: when a client that goes on trying gives up, where it can be told.
     * `autoCreate`: let the broker create the topic, where a client must ask for that.
     */
    in: AtPartition & {
      compression: Compression
      acks: Acks
      idempotent: boolean
      timeoutMs: number
      autoCreate: boolean
      records: readonly ClientRecord[]
    }
    /** Null where the client does not tell: with acks=0. */
    out: { offsets: (number | null)[] }
  }
  /**
   * Reads `count` records of a partition without a group; an offset that is out of range is an error. `until`: fewer if the one at
   * this offset comes before (franz-go only).
   */
  consume: {
    in: AtPartition & {
      from: number | 'earliest' | { timestamp: number }
      count: number
      until?: number
      isolation?: Isolation
    }
    out: { records: ConsumedRecord[] }
  }
  /** Makes a transactional producer that the commands below name; `timeoutMs` is that of its transactions. */
  openTransactional: { in: { producer: string; transactionalId: string; timeoutMs: number }; out: object }
  /** By then at the latest the client has asked for its producer id, and fenced those who had the transactional id before. */
  beginTransaction: { in: { producer: string }; out: object }
  sendInTransaction: {
    in: AtPartition & { producer: string; records: readonly ClientRecord[] }
    out: { offsets: number[] }
  }
  endTransaction: { in: { producer: string; commit: boolean }; out: object }
  /** An open transaction stays open. */
  closeTransactional: { in: { producer: string }; out: object }
}
export type Command = keyof Commands

/** What a client reported instead of a result. `code` is the error code of Kafka's protocol where the client carries one. */
export class ClientError extends Error {
  readonly code: number | null
  constructor(code: number | null, name: string, message: string) {
    super(message)
    this.code = code
    this.name = name
  }
}

export type Client = {
  readonly name: string
  /** Runs a command. Rejects with ClientError when the client reports an error. */
  run<C extends Command>(command: C, fields: Commands[C]['in']): Promise<Commands[C]['out']>
  stop(): Promise<void>
}

/** A client that may be a member of a group, and can be treated as a process. */
export type Program = Client & {
  /** Hears what happens to the member from now on. */
  onEvent(listen: (event: MemberEvent) => void): void
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  isRunning(): boolean
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
}

/** Starts a program, which connects to `bootstrap` when a command needs it. */
export function startProgram(name: string, argv: readonly string[], bootstrap: string): Program {
  const [command, ...args] = argv
  const child = spawn(command!, args, { stdio: 'pipe' })
  let listen: (event: MemberEvent) => void = () => {}
  const nextAnswer = answersOf(child, event => listen(event))
  const complaints = lastLinesOf(child)
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()).once('error', () => resolve()))
  // Writing to a program that has died fails with EPIPE; the missing answer says it better.
  child.stdin.on('error', () => {})
  // A test run that ends without its hooks must not leave a program behind.
  const killNow = () => child.kill('SIGKILL')
  process.once('exit', killNow)
  void exited.then(() => process.removeListener('exit', killNow))

  let last: Promise<unknown> = Promise.resolve()
  const ask = async (line: string) => {
    const answered = nextAnswer()
    child.stdin.write(`${line}\n`)
    // Programs have their own deadline; one that hangs all the same must not hold up the checks after it.
    const hangs = setTimeout(() => child.kill('SIGKILL'), HANGS_AFTER_MS)
    const answer = await answered
    clearTimeout(hangs)
    if (answer === null) throw new Error(`the program for ${name} ended:\n${complaints()}`)
    return answer
  }
  return {
    name,
    async run(op, fields) {
      const line = JSON.stringify({ op, bootstrap, ...fields }, replaceBytes)
      // One command at a time, also when a check forgets to wait.
      const answer = last.then(() => ask(line))
      last = answer.catch(() => {})
      const { result, error } = await answer
      if (error) throw new ClientError(error.code, error.name, error.message)
      return result as never
    },
    async stop() {
      child.stdin.end()
      const tooLate = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(tooLate)
    },
    onEvent(listener) {
      listen = listener
    },
    signal: signal => void child.kill(signal),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

const HANGS_AFTER_MS = 150_000

/** Gives the next answer among the lines of a program, or null when it has ended; the other lines are events, heard at once. */
function answersOf(
  child: ChildProcessWithoutNullStreams,
  hear: (event: MemberEvent) => void,
): () => Promise<Answer | null> {
  let take: ((answer: Answer | null) => void) | null = null
  let hasEnded = false
  createInterface({ input: child.stdout })
    .on('line', line => {
      const parsed = JSON.parse(line, reviveBytes) as Answer | MemberEvent
      if ('event' in parsed) hear(parsed)
      else take?.(parsed)
    })
    .on('close', () => {
      hasEnded = true
      take?.(null)
    })
  return () => new Promise(resolve => (hasEnded ? resolve(null) : (take = resolve)))
}

type Answer = { result?: unknown; error?: { code: number | null; name: string; message: string } }

function lastLinesOf(child: ChildProcessWithoutNullStreams): () => string {
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-4_000)))
  return () => text
}

// On the wire bytes are base64, but only where bytes belong: a key may look like base64 by chance.
function reviveBytes(this: unknown, key: string, value: unknown): unknown {
  if ((key === 'key' || key === 'value') && isRecord(this))
    return value === null ? null : Buffer.from(value as string, 'base64')
  if (key === 'headers') {
    return (value as [string, string | null][]).map(([name, each]) => [
      name,
      each === null ? null : Buffer.from(each, 'base64'),
    ])
  }
  return value
}

// The `value` of a configuration is text.
function isRecord(holder: unknown): boolean {
  return typeof holder === 'object' && holder !== null && 'offset' in holder
}

function replaceBytes(this: unknown, key: string, value: unknown): unknown {
  // Buffer's own toJSON has run by now, so look at the original.
  const original = (this as Record<string, unknown>)[key]
  return Buffer.isBuffer(original) ? original.toString('base64') : value
}
