// A broker's data directory as a whole: whose it is (`meta.properties`), that nobody else uses it (a lock), and whether the last
// process stopped cleanly. Not what is in it: the store lives in `storePath`, partition logs make their own folders (log-directory.ts).
//
//   meta.properties   cluster.id, node.id, directory.id as Kafka writes them, and flotilla.version, the version of our own layout
//   lock              locked while a process uses the directory
//   broker.pid        that process, for the error message of the next one
//   clean-stop        there only between a clean stop and the next start
//   store/            the database
import { dirname, join } from 'node:path'
import type { Random } from '../base/random.ts'
import { UserError } from '../base/user-error.ts'
import { randomUuid, type Uuid } from '../base/uuid.ts'
import type { Files } from './files.ts'
import { LOCK_FILE, lockFolder, type FolderLock, type LockFolder } from './folder-lock.ts'
import { StorageError } from './storage-error.ts'

export type DataDirectoryOptions = {
  readonly files: Files
  readonly random: Random
  readonly nodeId: number
  /** Without one, a fresh directory gets a random id, and an existing one is taken as it is. */
  readonly clusterId?: Uuid
  /** How the directory is locked; tests without a disk pass their own. */
  readonly lock?: LockFolder
}

export type DataDirectory = {
  readonly path: string
  /** Where the store belongs. */
  readonly storePath: string
  /** Names this directory for as long as it exists: a broker that comes back with another one has lost its disk. */
  readonly directoryId: Uuid
  readonly clusterId: Uuid
  readonly nodeId: number
  /** The directory is fresh, or the last process that used it closed it with `isClean`. */
  readonly isCleanStart: boolean
  /** What this process may still write to the file system. */
  freeBytes(): Promise<number>
  /** Lets go of the directory. `isClean`: everything in it is on the disk and needs no recovery. Idempotent. */
  close(isClean: boolean): Promise<void>
}

/**
 * Opens the data directory at `path`, or makes it. Throws UserError, and has changed nothing, when the path is of no use, the directory
 * belongs to somebody else, or another process uses it.
 */
export async function openDataDirectory(path: string, options: DataDirectoryOptions): Promise<DataDirectory> {
  const { files, random, nodeId, lock = lockFolder } = options
  await makeDirectory(path, files)
  // Before the lock, so that a directory that is not ours does not even get a lock file; and behind it, because another process may
  // have made the directory its own since.
  await readOwner(path, options)
  const held = await takeLock(path, lock, files)
  try {
    const found = await readOwner(path, options)
    const owner = found ?? {
      clusterId: options.clusterId ?? randomUuid(random),
      nodeId,
      directoryId: randomUuid(random),
    }
    if (found === null) await files.replace(join(path, PROPERTIES), formatOwner(owner))
    await files.replace(join(path, PID_FILE), Buffer.from(`${process.pid}\n`))
    const isCleanStart = found === null || (await files.stat(join(path, CLEAN_STOP))) !== null
    await files.unlink(join(path, CLEAN_STOP))
    await files.syncFolder(path)
    return new OpenDirectory(path, owner, isCleanStart, held, files)
  } catch (error) {
    held.release()
    throw error instanceof StorageError ? unusable(path, error) : error
  }
}

const PROPERTIES = 'meta.properties'
const PID_FILE = 'broker.pid'
const CLEAN_STOP = 'clean-stop'
const STORE_FOLDER = 'store'

// The version of the layout of a data directory. A newer one may hold what this program would misread.
const VERSION = 1

// What a directory that nobody has used yet may hold: traces of a first start that did not get far, and what file systems put there.
const NOT_FOREIGN = new Set([LOCK_FILE, PID_FILE, `${PID_FILE}.tmp`, `${PROPERTIES}.tmp`, 'lost+found'])

type Owner = { readonly clusterId: Uuid; readonly nodeId: number; readonly directoryId: Uuid }

class OpenDirectory implements DataDirectory {
  readonly path: string
  readonly storePath: string
  readonly directoryId: Uuid
  readonly clusterId: Uuid
  readonly nodeId: number
  readonly isCleanStart: boolean
  readonly #lock: FolderLock
  readonly #files: Files
  #closing: Promise<void> | null = null

  constructor(path: string, owner: Owner, isCleanStart: boolean, lock: FolderLock, files: Files) {
    this.path = path
    this.storePath = join(path, STORE_FOLDER)
    this.directoryId = owner.directoryId
    this.clusterId = owner.clusterId
    this.nodeId = owner.nodeId
    this.isCleanStart = isCleanStart
    this.#lock = lock
    this.#files = files
  }

  async freeBytes(): Promise<number> {
    return (await this.#files.space(this.path)).freeBytes
  }

  close(isClean: boolean): Promise<void> {
    this.#closing ??= this.#close(isClean)
    return this.#closing
  }

  async #close(isClean: boolean): Promise<void> {
    try {
      if (isClean) await this.#files.replace(join(this.path, CLEAN_STOP), Buffer.alloc(0))
      await this.#files.unlink(join(this.path, PID_FILE))
    } finally {
      this.#lock.release()
    }
  }
}

async function makeDirectory(path: string, files: Files): Promise<void> {
  try {
    const stat = await files.stat(path)
    if (stat !== null && stat.isFolder) return
    if (stat === null) {
      await files.makeFolder(path)
      await files.syncFolder(dirname(path))
      return
    }
  } catch (error) {
    throw unusable(path, error)
  }
  throw new UserError(`The data directory ${path} is a file.`, 'Name a directory, or one that does not exist yet.')
}

async function takeLock(path: string, lock: LockFolder, files: Files): Promise<FolderLock> {
  let held: FolderLock | null
  try {
    held = await lock(path)
  } catch (error) {
    throw unusable(path, error)
  }
  if (held !== null) return held
  const pid = (await files.stat(join(path, PID_FILE))) && String(await files.readWhole(join(path, PID_FILE))).trim()
  throw new UserError(
    `The data directory ${path} is in use by ${pid ? `process ${pid}` : 'another process'}.`,
    'Stop that process, or start this broker with another data directory (log.dirs).',
  )
}

// null for a directory that is nobody's.
async function readOwner(path: string, { files, nodeId, clusterId }: DataDirectoryOptions): Promise<Owner | null> {
  const file = join(path, PROPERTIES)
  const names = await files.list(path).catch((error: unknown) => Promise.reject(unusable(path, error)))
  if (!names.includes(PROPERTIES)) {
    const foreign = names.filter(name => !NOT_FOREIGN.has(name) && !name.startsWith('.')).sort()
    if (foreign.length === 0) return null
    throw new UserError(
      `The data directory ${path} is not empty and has no ${PROPERTIES}: it belongs to something else (${preview(foreign)}).`,
      `Name an empty directory. If these are the data of a broker, restore its ${PROPERTIES}.`,
    )
  }
  const properties = parseProperties(String(await files.readWhole(file)))
  const version = properties.get('flotilla.version')
  if (version === undefined) {
    throw new UserError(
      `The data directory ${path} was made by another program, such as Apache Kafka: ${PROPERTIES} has no flotilla.version.`,
      'Name an empty directory. Data move from Kafka by replication (MirrorMaker), not by its files.',
    )
  }
  if (Number(version) > VERSION) {
    throw new UserError(
      `The data directory ${path} has version ${version}; this program knows versions up to ${VERSION}.`,
      'Start the newer version of Flotilla that used it last.',
    )
  }
  const owner = ownerOf(properties)
  if (owner === null) {
    throw new UserError(`${file} is damaged.`, 'Restore it from a backup: it says which broker the data belong to.')
  }
  if (clusterId !== undefined && owner.clusterId !== clusterId)
    throw otherOwner(path, 'cluster', owner.clusterId, clusterId)
  if (owner.nodeId !== nodeId) throw otherOwner(path, 'node', owner.nodeId, nodeId)
  return owner
}

function ownerOf(properties: ReadonlyMap<string, string>): Owner | null {
  const clusterId = properties.get('cluster.id')
  const nodeId = Number(properties.get('node.id') ?? 'none')
  const directoryId = properties.get('directory.id') ?? ''
  if (!clusterId || !Number.isSafeInteger(nodeId) || Buffer.from(directoryId, 'base64url').length !== 16) return null
  return { clusterId, nodeId, directoryId }
}

function formatOwner({ clusterId, nodeId, directoryId }: Owner): Buffer {
  const properties = {
    version: 1,
    'cluster.id': clusterId,
    'node.id': nodeId,
    'directory.id': directoryId,
    'flotilla.version': VERSION,
  }
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  return Buffer.from(`# Says whose data these are. The broker refuses a directory without it.\n${lines.join('')}`)
}

function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, key, value] = /^\s*([^#=\s][^=\s]*)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) properties.set(key, value)
  }
  return properties
}

function preview(names: readonly string[]): string {
  return names.slice(0, 3).join(', ') + (names.length > 3 ? ', ...' : '')
}

function otherOwner(path: string, what: string, found: string | number, expected: string | number): UserError {
  return new UserError(
    `The data directory ${path} belongs to ${what} ${found}, and this broker is of ${what} ${expected}.`,
    'Name the directory of this broker. To start over with this one, empty it first: its data are lost then.',
  )
}

function unusable(path: string, error: unknown): UserError {
  const reason = error instanceof Error ? error.message : String(error)
  const code = error instanceof StorageError ? error.code : undefined
  const fix =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'Make room on its file system.'
      : 'The user of this process must be able to read and write it.'
  return new UserError(`The data directory ${path} cannot be used: ${reason}.`, fix, { cause: error })
}
