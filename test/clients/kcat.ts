// kcat as a client of the checks: every command runs kcat once (produce: once per run of records that one call can send).
// kcat has no administration, no timestamps of its own when producing, and one set of headers for all records of a call.
import { spawn } from 'node:child_process'
import { KcatMember } from './kcat-member.ts'
import { ClientError } from './program.ts'
import type { ClientRecord, Command, Commands, ConsumedRecord, Program } from './program.ts'

type Run = { stdout: Buffer; stderr: string }
type Handlers = { [C in Command]?: (fields: Commands[C]['in']) => Promise<Commands[C]['out']> }

// What librdkafka prints for an error code of the protocol; kcat passes on nothing but these texts.
const CODES: Readonly<Record<string, number>> = {
  'Broker: Offset out of range': 1,
  'Broker: Unknown topic or partition': 3,
  'Broker: Message size too large': 10,
  'Broker: Invalid timestamp': 32,
  'Broker: Broker failed to validate record': 87,
}

// Bytes that the records of the checks do not contain: kcat separates records, and keys from values, by them.
const RECORD_END = '\x1e<end of record>\x1e'
const KEY_END = '\x1f<end of key>\x1f'

// How long librdkafka waits for a topic that it has been told about but cannot see; its default is 30 s.
const PROPAGATION_MS = 1_000

/** kcat at `path` against `bootstrap`. */
export function startKcat(path: string, bootstrap: string): Program {
  const kcat = (args: readonly string[], input?: Buffer) =>
    run(path, ['-b', bootstrap, '-X', `topic.metadata.propagation.max.ms=${PROPAGATION_MS}`, ...args], input)
  const member = new KcatMember(path, bootstrap)
  const handlers: Handlers = {
    async joinGroup(membership) {
      member.join(membership)
      return {}
    },
    commitOffsets: async () => ({}),
    async leaveGroup() {
      member.leave()
      return {}
    },
    async hello() {
      const { stdout } = await run(path, ['-V'])
      return {
        client: `kcat ${/Version (\S+)/.exec(String(stdout))![1]} (${/librdkafka \S+/.exec(String(stdout))![0]})`,
      }
    },
    async describeCluster() {
      const metadata = await list(kcat, [])
      const brokers = metadata.brokers.map(({ id, name }) => ({ id, ...address(name) }))
      return { clusterId: null, controllerId: metadata.controllerid, brokers }
    },
    async describeTopic({ topic }) {
      const [found] = (await list(kcat, ['-t', topic])).topics
      if (found!.error !== undefined) throw new ClientError(CODES[found!.error] ?? null, 'kcat', found!.error)
      const ids = (nodes: readonly { id: number }[]) => nodes.map(node => node.id)
      return {
        partitions: found!.partitions.map(({ partition, leader, replicas, isrs }) => ({
          partition,
          leader,
          replicas: ids(replicas),
          isr: ids(isrs),
        })),
      }
    },
    async listOffsets({ topic, partition, at }) {
      if (at === 'max-timestamp') throw new ClientError(null, 'kcat', 'kcat cannot ask for it')
      const timestamp = at === 'latest' ? -1 : at === 'earliest' ? -2 : at
      const { stdout } = await kcat(['-Q', '-t', `${topic}:${partition}:${timestamp}`])
      return { offset: Number(/offset (-?\d+)/.exec(String(stdout))![1]) }
    },
    async produce({ records, ...fields }) {
      const offsets: (number | null)[] = []
      for (const part of inOneCall(records)) offsets.push(...(await produce(kcat, fields, part)))
      return { offsets }
    },
    async consume({ topic, partition, from, count }) {
      const start = typeof from === 'object' ? `s@${from.timestamp}` : from === 'earliest' ? 'beginning' : String(from)
      const where = ['-C', '-t', topic, '-p', String(partition), '-o', start, '-c', String(count)]
      const { stdout } = await kcat([...where, '-J', '-q', '-X', 'topic.auto.offset.reset=error'])
      return { records: stdout.toString('latin1').trimEnd().split('\n').map(fromJson) }
    },
  }
  return {
    name: 'kcat',
    async run(command, fields) {
      const handle = handlers[command]
      if (!handle) throw new ClientError(null, 'kcat', `kcat has no ${command}`)
      return handle(fields)
    },
    stop: async () => member.leave(),
    onEvent: listen => member.onEvent(listen),
    signal: name => member.signal(name),
    // The next member is another process.
    isRunning: () => true,
    kill: () => member.kill(),
  }
}

type Kcat = (args: readonly string[], input?: Buffer) => Promise<Run>
type Metadata = {
  controllerid: number
  brokers: { id: number; name: string }[]
  topics: {
    error?: string
    partitions: { partition: number; leader: number; replicas: { id: number }[]; isrs: { id: number }[] }[]
  }[]
}

async function list(kcat: Kcat, args: readonly string[]): Promise<Metadata> {
  const { stdout } = await kcat(['-L', '-J', ...args])
  return JSON.parse(String(stdout)) as Metadata
}

/** Cuts records into runs with the same headers that agree on what "empty" means: -Z makes every empty key and value null. */
function inOneCall(records: readonly ClientRecord[]): (readonly ClientRecord[])[] {
  const kindOf = (record: ClientRecord) => JSON.stringify([record.headers, record.value === null])
  const runs: ClientRecord[][] = []
  for (const record of records) {
    if (runs.length > 0 && kindOf(runs.at(-1)![0]!) === kindOf(record)) runs.at(-1)!.push(record)
    else runs.push([record])
  }
  return runs
}

async function produce(
  kcat: Kcat,
  {
    topic,
    partition,
    compression,
    acks,
    idempotent,
    timeoutMs,
    autoCreate,
  }: Omit<Commands['produce']['in'], 'records'>,
  records: readonly ClientRecord[],
): Promise<(number | null)[]> {
  const { headers, value } = records[0]!
  const input = Buffer.concat(
    records.flatMap(record => [
      record.key ?? Buffer.alloc(0),
      Buffer.from(record.key === null ? '' : KEY_END),
      record.value ?? Buffer.alloc(0),
      Buffer.from(RECORD_END),
    ]),
  )
  const { stderr } = await kcat(
    [
      ...['-P', '-t', topic, '-p', String(partition), '-z', compression, '-D', RECORD_END, '-K', KEY_END],
      ...['-X', `acks=${acks}`, '-X', `enable.idempotence=${idempotent}`, '-X', `message.timeout.ms=${timeoutMs}`],
      // The broker shall judge the size, not the client. -v three times prints the offsets.
      ...['-X', 'message.max.bytes=100000000', '-X', 'batch.size=2000000', '-v', '-v', '-v'],
      ...headers.flatMap(([name, each]) => ['-H', each === null ? name : `${name}=${String(each)}`]),
      ...(value === null ? ['-Z'] : []),
      ...(autoCreate ? ['-X', 'topic.metadata.propagation.max.ms=30000'] : []),
    ],
    input,
  )
  const delivered = [...stderr.matchAll(/delivered to partition \d+ \(offset (-?\d+)\)/g)].map(match =>
    Number(match[1]),
  )
  if (delivered.length !== records.length)
    throw new Error(`kcat delivered ${delivered.length} of ${records.length} records`)
  return delivered.map(offset => (offset < 0 ? null : offset))
}

type KcatJson = {
  offset: number
  ts: number
  key: string | null
  payload: string | null
  headers?: (string | null)[]
}

/** kcat puts bytes into JSON strings as they are; read as Latin-1, every byte is one character. */
function fromJson(line: string): ConsumedRecord {
  const json = JSON.parse(line) as KcatJson
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text, 'latin1'))
  const headers: [string, Buffer | null][] = []
  for (let i = 0; i < (json.headers ?? []).length; i += 2) {
    headers.push([String(bytes(json.headers![i]!)), bytes(json.headers![i + 1]!)])
  }
  return { offset: json.offset, timestamp: json.ts, key: bytes(json.key), value: bytes(json.payload), headers }
}

function address(name: string): { host: string; port: number } {
  const at = name.lastIndexOf(':')
  return { host: name.slice(0, at), port: Number(name.slice(at + 1)) }
}

const TIMEOUT_MS = 60_000

async function run(path: string, args: readonly string[], input?: Buffer): Promise<Run> {
  const child = spawn(path, args, { stdio: 'pipe', timeout: TIMEOUT_MS, killSignal: 'SIGKILL' })
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.on('error', () => {}) // kcat may fail before it has read all of its input
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) {
    const text = Object.keys(CODES).find(each => stderr.includes(each))
    throw new ClientError(
      text === undefined ? null : CODES[text]!,
      'kcat',
      stderr.trim() || `ended by ${child.signalCode}`,
    )
  }
  return { stdout: Buffer.concat(stdout), stderr }
}
