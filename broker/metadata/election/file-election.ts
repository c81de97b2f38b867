// The election record of a cluster on one machine: a file in which every accepted record is one more line, the last one in force. The
// file is only ever appended to, so the kernel orders writers for us and there is no lock that a killed process could leave behind:
//
//     crc32 (8 hex digits), space, record as JSON, space, writer's nonce, line feed
//
// A line is accepted when its CRC is right and its version is one above the accepted line before it; of two lines with the same version
// the first one wins. Whoever appended learns by reading the file back. A torn line (power loss) fails its CRC and is skipped;
// a version that is missing means damage and is an error. A start adds some 250 bytes, and people can read the history.
import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { decodeElectionRecord, ElectionRecordError, encodeElectionRecord, isSameRecord } from './election.ts'
import type { Election, ElectionRecord } from './election.ts'

export type FileElection = Election & {
  /** Writes the first record, unless there is one. True when this call wrote it. */
  create(record: ElectionRecord): Promise<boolean>
}

export type FileElectionOptions = {
  readonly clock: Clock
  readonly random: Random
  /** How often a watcher looks at the file. */
  readonly watchIntervalMs?: number
}

const DEFAULT_WATCH_INTERVAL_MS = 200

type Accepted = { readonly record: ElectionRecord; readonly nonce: string }

export function fileElection(path: string, options: FileElectionOptions): FileElection {
  const { clock, random, watchIntervalMs = DEFAULT_WATCH_INTERVAL_MS } = options

  async function read(): Promise<ElectionRecord | null> {
    return (await readLines(path)).at(-1)?.record ?? null
  }

  return {
    read,

    async create(record) {
      if ((await read()) !== null) return false
      assert(record.version === 1, 'the first record has version 1')
      const isOurs = await appendLine(path, record, random)
      await syncFolder(dirname(path))
      return isOurs
    },

    async compareAndSwap(expected, next) {
      assert(next.version === expected.version + 1, 'every write adds one to the version')
      const current = await read()
      if (current === null || !isSameRecord(current, expected)) return false
      return appendLine(path, next, random)
    },

    watch(onRecord, signal) {
      let seenVersion = -1
      const look = async (): Promise<void> => {
        // A file that cannot be read now may be readable at the next look.
        const record = await read().catch(() => null)
        if (signal.aborted) return
        if (record !== null && record.version > seenVersion) {
          seenVersion = record.version
          onRecord(record)
        }
        const timer = clock.after(watchIntervalMs, () => {
          signal.removeEventListener('abort', timer.cancel)
          void look()
        })
        signal.addEventListener('abort', timer.cancel, { once: true })
      }
      void look()
    },
  }
}

async function readLines(path: string): Promise<Accepted[]> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return []
    throw new Error(`cannot open the election record ${path}`, { cause: error })
  }
  try {
    // What was read must not be undone by a power loss, whoever wrote it: a view only moves forward.
    await file.datasync()
    return acceptedLines(await file.readFile('utf8'), path)
  } finally {
    await file.close()
  }
}

/** True when the line is the first one of its version. */
async function appendLine(path: string, record: ElectionRecord, random: Random): Promise<boolean> {
  const nonce = random.bytes(8).toString('hex')
  const body = `${encodeElectionRecord(record)} ${nonce}`
  // The line feed in front ends a line that a crash has torn.
  const line = Buffer.from(`\n${crcOf(body)} ${body}\n`)
  const file = await open(path, 'a')
  try {
    const { bytesWritten } = await file.write(line)
    if (bytesWritten !== line.length) throw new Error(`cannot write the election record ${path} in one piece`)
    await file.datasync()
  } finally {
    await file.close()
  }
  // Others may have gone on from our record already, so it need not be the last one.
  return (await readLines(path)).some(accepted => accepted.nonce === nonce)
}

function acceptedLines(text: string, path: string): Accepted[] {
  const accepted: Accepted[] = []
  for (const line of text.split('\n')) {
    const parsed = parseLine(line)
    if (parsed === null) continue
    const lastVersion = accepted.at(-1)?.record.version ?? 0
    if (parsed.record.version > lastVersion + 1) {
      throw new ElectionRecordError(
        `the election record ${path} is damaged: version ${lastVersion + 1} is missing before ${parsed.record.version}`,
      )
    }
    if (parsed.record.version === lastVersion + 1) accepted.push(parsed)
  }
  return accepted
}

function parseLine(line: string): Accepted | null {
  const crc = line.slice(0, 8)
  const body = line.slice(9)
  if (line[8] !== ' ' || crc !== crcOf(body)) return null
  const nonceAt = body.lastIndexOf(' ')
  return { record: decodeElectionRecord(body.slice(0, nonceAt)), nonce: body.slice(nonceAt + 1) }
}

function crcOf(body: string): string {
  return crc32(body).toString(16).padStart(8, '0')
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
