// The store on RocksDB (docs/decisions/0001-rocksdb-binding.md says why this binding); the only file that imports it. It has no
// opinion on keys and values: see store.ts for what it promises.
//
// The binding has no synced write, so durability is made here, from outside: when a write resolves, RocksDB has handed it to its
// write-ahead log (WAL), and we fdatasync that file through a descriptor of our own. What makes that right:
//
// 1. One native write is in flight at a time; commits that arrive meanwhile join into the next one. So commits apply in the
//    order of their calls, and a sync that starts after a write has resolved covers it.
// 2. Recovery replays the WALs in the order of their numbers and stops at the first damage, but a hole between two of them it
//    does not notice: had an older WAL lost its end cleanly while a newer one survived, later commits would appear without
//    earlier ones. So a WAL must be on the disk as a whole before its successor takes the first write. RocksDB switches WALs
//    together with memtables, when a memtable is full. We do it first, at half of that size, between two writes: sync the
//    WAL, ask for a flush of the memtable, wait until the new WAL is there, sync the folder, go on (`#switch`).
// 3. In case RocksDB switches by itself after all, every sync asks for the version of its tree, which changes with every new
//    memtable. Where it has changed, the sync looks for newer WALs and syncs those too, the older first (write-ahead-log.ts).
// 4. RocksDB deletes a WAL only when its content is in a table file that it has synced, name and manifest included. So a WAL
//    that is gone when we come to sync it needs no sync.
import { dirname, join } from 'node:path'
import type RocksDB from 'rocksdb'
import { assert } from '../base/assert.ts'
import { systemClock, type Clock } from '../base/clock.ts'
import { UserError } from '../base/user-error.ts'
import { nodeFiles, type Files } from './files.ts'
import { InfoLog } from './info-log.ts'
import { StorageError } from './storage-error.ts'
import type { CommitOptions, Entry, Range, Store, StoreBatch, Stores } from './store.ts'
import { WriteAheadLog } from './write-ahead-log.ts'

export type RocksOptions = {
  /** How the WAL is synced; tests pass one that takes notes or fails. */
  readonly files?: Files
  readonly clock?: Clock
  /** Bytes of keys and values that collect in memory before they go to a table file. */
  readonly writeBufferBytes?: number
  /** Where RocksDB would switch memtables by itself. Tests set it low to see what comes of that. */
  readonly memtableBytes?: number
}

// Measured with bench/store.ts: see the decision page.
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/**
 * Opens the database in folder `path`, or creates it. Throws UserError when RocksDB cannot run here or the database is in use, and
 * StorageError when it is damaged or the disk fails.
 */
export async function openRocksStore(path: string, options: RocksOptions = {}): Promise<Store> {
  const { files = nodeFiles, clock = systemClock, writeBufferBytes = WRITE_BUFFER_BYTES } = options
  // Twice what we let collect, with room for what the memtable itself adds: so that we switch first.
  const memtableBytes = options.memtableBytes ?? 2 * writeBufferBytes + SLACK_BYTES
  const Database = await loadRocksDB()
  // Not left to the binding: it loops for ever over a folder that cannot be created.
  await files.makeFolder(path)
  const database = new Database(path, {
    walRecoveryMode: Database.constants.walRecoveryMode.POINT_IN_TIME,
    writeBufferSize: memtableBytes,
    maxWriteBufferNumber: 4,
    maxBackgroundJobs: 2,
    skipStatsUpdateOnOpen: true,
  })
  try {
    await database.ready()
  } catch (error) {
    throw explainOpenFailure(path, error)
  }
  try {
    const infoLog = new InfoLog(path, files)
    await infoLog.removeOld()
    await files.syncFolder(dirname(path))
    const currentNumber = async (): Promise<number> => (await database.currentWalFile()).number
    const version = (): Promise<string | undefined> => database.getProperty('rocksdb.current-super-version-number')
    const log = await WriteAheadLog.open({ folder: path, files, currentNumber, version })
    return new RocksStore(database, log, infoLog, clock, writeBufferBytes)
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Whether a database was ever made in folder `path`. Its making is on the disk before `openRocksStore` resolves. */
export async function isRocksStore(path: string, files: Files = nodeFiles): Promise<boolean> {
  return (await files.stat(join(path, 'CURRENT'))) !== null
}

/** Databases in folders of this machine. */
export const rocksStores: Stores = { exists: isRocksStore, open: openRocksStore }

const SLACK_BYTES = 1024 * 1024

// What a memtable needs for an entry beyond its key and value.
const ENTRY_OVERHEAD = 64

// Commits that wait join into one native write up to this size: enough to share its fixed cost, and no long wait for those behind.
const JOINED_BYTES = 4 * 1024 * 1024

// A scan fetches so many entries per call into the binding.
const SCAN_ENTRIES = 1024

const NO_VALUE = Buffer.alloc(0)

type Operation = { readonly key: Buffer; readonly value: Buffer | null; readonly end: Buffer | null }

class RocksBatch implements StoreBatch {
  readonly operations: Operation[] = []
  sizeBytes = 0
  isCommitted = false

  get size(): number {
    return this.operations.length
  }

  put(key: Buffer, value: Buffer): void {
    this.operations.push({ key, value, end: null })
    this.sizeBytes += key.length + value.length
  }

  delete(key: Buffer): void {
    this.operations.push({ key, value: null, end: null })
    this.sizeBytes += key.length
  }

  deleteRange(gte: Buffer, lt: Buffer): void {
    // RocksDB refuses a range whose end lies before its start.
    if (gte.compare(lt) >= 0) return
    this.operations.push({ key: gte, value: null, end: lt })
    this.sizeBytes += gte.length + lt.length
  }
}

type Commit = {
  readonly batch: RocksBatch
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

class RocksStore implements Store {
  readonly #database: RocksDB
  readonly #log: WriteAheadLog
  readonly #infoLog: InfoLog
  readonly #clock: Clock
  readonly #writeBufferBytes: number
  // Not written yet. Its bound is what callers have in flight: they wait for their commits.
  #queue: Commit[] = []
  // Written, and waiting for a sync.
  #written: Commit[] = []
  #writing: Promise<void> | null = null
  #syncing: Promise<void> | null = null
  #flushing: Promise<void> | null = null
  // About the size of the current memtable.
  #bufferedBytes = 0
  #failure: StorageError | null = null
  #closing: Promise<void> | null = null

  constructor(database: RocksDB, log: WriteAheadLog, infoLog: InfoLog, clock: Clock, writeBufferBytes: number) {
    this.#database = database
    this.#log = log
    this.#infoLog = infoLog
    this.#clock = clock
    this.#writeBufferBytes = writeBufferBytes
  }

  async get(key: Buffer): Promise<Buffer | null> {
    const [value] = await this.getMany([key])
    return value!
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    this.#assertOpen()
    if (keys.length === 0) return []
    const read = this.#database.read({ capacity: keys.length, autoDestroy: true })
    const values: Promise<Buffer | null>[] = []
    for (const key of keys) values.push(read.get(key))
    try {
      const [found] = await Promise.all([Promise.all(values), read.flush()])
      return found
    } catch (error) {
      throw failed('read', error)
    }
  }

  async scan({ gte, lt, reverse = false, limit, values = true }: Range): Promise<Entry[]> {
    this.#assertOpen()
    if (limit <= 0 || gte.compare(lt) >= 0) return []
    // One more than asked for: then the first answer says that it is the last.
    const capacity = Math.min(limit + 1, SCAN_ENTRIES)
    const iterator = this.#database.iterator({ gte, lt }, { reverse, limit, values, capacity })
    const entries: Entry[] = []
    await new Promise<void>((resolve, reject) => {
      iterator.on('data', ({ key, value }) => entries.push({ key, value: value ?? NO_VALUE }))
      iterator.on('end', resolve)
      iterator.on('error', error => reject(failed('scan', error)))
    })
    return entries
  }

  batch(): StoreBatch {
    return new RocksBatch()
  }

  commit(batch: StoreBatch, { sync }: CommitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#assertUsable()
      assert(batch instanceof RocksBatch && !batch.isCommitted, 'a batch is committed once, to the store that made it')
      batch.isCommitted = true
      this.#queue.push({ batch, sync, resolve, reject })
      this.#writing ??= this.#write()
    })
  }

  sync(): Promise<void> {
    return this.commit(this.batch(), { sync: true })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  // Writes what is queued, until nothing is. Never rejects: a failure is the store's.
  async #write(): Promise<void> {
    while (this.#queue.length > 0 && this.#failure === null) {
      const commits = this.#takeJoined()
      try {
        if (this.#bufferedBytes >= this.#writeBufferBytes) await this.#switch()
        await this.#writeJoined(commits)
        // A sync or a flush that runs beside us may have failed meanwhile.
        if (this.#failure !== null) throw this.#failure
      } catch (error) {
        this.#fail('write', error, commits)
        break
      }
      for (const commit of commits) {
        if (commit.sync) this.#written.push(commit)
        else commit.resolve()
      }
      if (this.#written.length > 0) this.#syncing ??= this.#sync()
    }
    this.#writing = null
  }

  #takeJoined(): Commit[] {
    let count = 1
    let sizeBytes = this.#queue[0]!.batch.sizeBytes
    while (count < this.#queue.length) {
      sizeBytes += this.#queue[count]!.batch.sizeBytes
      if (sizeBytes > JOINED_BYTES) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #writeJoined(commits: readonly Commit[]): Promise<void> {
    let size = 0
    for (const { batch } of commits) size += batch.size
    if (size === 0) return
    const write = this.#database.write({ capacity: size, autoDestroy: true })
    for (const { batch } of commits) {
      for (const { key, value, end } of batch.operations) {
        if (value !== null) write.tryPut(key, value)
        else if (end !== null) write.tryDeleteRange(key, end)
        else write.tryDelete(key)
      }
      this.#bufferedBytes += batch.sizeBytes + batch.size * ENTRY_OVERHEAD
    }
    await write.flush()
  }

  // Syncs what was written, until nothing waits. Runs beside #write. Never rejects.
  async #sync(): Promise<void> {
    while (this.#written.length > 0 && this.#failure === null) {
      const commits = this.#written
      this.#written = []
      try {
        await this.#log.sync()
      } catch (error) {
        this.#fail('sync', error, commits)
        break
      }
      for (const commit of commits) commit.resolve()
    }
    this.#syncing = null
  }

  // Only #write calls this, so no write is in flight. While the flush before this one is not through we go on with the memtable that
  // we have, up to what RocksDB would bear: its content is as durable as ever.
  async #switch(): Promise<void> {
    if (this.#flushing !== null) {
      if (this.#bufferedBytes < 1.5 * this.#writeBufferBytes) return
      await this.#flushing
    }
    await this.#syncing
    await this.#log.sync()
    this.#flushing = this.#flush()
    for (let asked = 0; !(await this.#log.hasSwitched()); asked++) {
      // Nothing to flush: the memtable was empty.
      if (this.#flushing === null) break
      if (asked >= 3) await pause(this.#clock, 1)
    }
    this.#bufferedBytes = 0
  }

  // Runs beside everything else. Never rejects.
  async #flush(): Promise<void> {
    try {
      await this.#database.flush()
      await this.#infoLog.trim()
    } catch (error) {
      this.#fail('flush', error, [])
    }
    this.#flushing = null
  }

  async #close(): Promise<void> {
    while (this.#writing !== null || this.#syncing !== null) {
      await this.#writing
      await this.#syncing
    }
    try {
      if (this.#failure === null) {
        await this.#log.sync()
        // So that the next start finds nothing to replay.
        await this.#flush()
      }
    } finally {
      await this.#log.close()
      await this.#database.close()
    }
    if (this.#failure !== null) throw this.#failure
  }

  // Whether bytes that a sync failed on are on the disk nobody can say: the system may have dropped them from its cache, and a second
  // sync would succeed without them. So nothing is retried, and nothing else is accepted.
  #fail(operation: string, cause: unknown, commits: readonly Commit[]): void {
    this.#failure ??= failed(operation, cause)
    for (const commit of [...commits, ...this.#written, ...this.#queue]) commit.reject(this.#failure)
    this.#written = []
    this.#queue = []
  }

  // After a failed write or sync what is there can still be read; it may hold more than was acknowledged, as after any write in flight.
  #assertOpen(): void {
    if (this.#closing !== null) throw new StorageError('the store is closed')
  }

  #assertUsable(): void {
    if (this.#failure !== null) {
      throw new StorageError(`the store has failed: ${this.#failure.message}`, { cause: this.#failure })
    }
    this.#assertOpen()
  }
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise(resolve => clock.after(delayMs, resolve))
}

function failed(operation: string, error: unknown): StorageError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return new StorageError(`${operation} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
}

async function loadRocksDB(): Promise<typeof RocksDB> {
  try {
    return (await import('rocksdb')).default
  } catch (error) {
    throw explainLoadFailure(error)
  }
}

/** What somebody whose system cannot load the native library has to do about it. */
export function explainLoadFailure(error: unknown): UserError {
  let reasons = ''
  for (let cause = error; cause instanceof Error; cause = cause.cause) reasons += `${cause.message}\n`
  if (reasons.includes('libatomic')) {
    return new UserError(
      'RocksDB cannot be loaded: the system library libatomic.so.1 is missing.',
      'Install it: `apt-get install libatomic1` on Debian and Ubuntu, `dnf install libatomic` on Fedora and RHEL.',
      { cause: error },
    )
  }
  return new UserError(
    `RocksDB cannot be loaded on ${process.platform}-${process.arch}: ${reasons.trim()}`,
    'There are builds for linux-x64 and linux-arm64 (glibc, so not for Alpine), darwin-x64, darwin-arm64, win32-x64 and ' +
      'win32-arm64. If yours is one of them, run `npm ci` again: the package `rocksdb` is incomplete.',
    { cause: error },
  )
}

function explainOpenFailure(path: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error)
  // "While lock file: <path>/LOCK: Resource temporarily unavailable", or "lock hold by current process".
  if (/\block\b.*\/LOCK\b/i.test(reason)) {
    const message = `the database ${path} is in use by another process`
    return new UserError(message, 'Stop that process, or start this one with another data directory.', { cause: error })
  }
  return new StorageError(`the database ${path} cannot be opened: ${reason}`, { cause: error })
}
