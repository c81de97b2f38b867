// The disk of a machine of the simulation: the twins of test/broker/storage that lose what was not synced, with the time that operations take and
// the ways in which they fail. `files` and `stores` are what one process sees of it.
import type { File, Files } from '../../../broker/storage/files.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import type { Store, Stores } from '../../../broker/storage/store.ts'
import { CrashingFiles, diskError } from '../../broker/storage/crashing-files.ts'
import { CrashingStoreDisk } from '../../broker/storage/crashing-store.ts'
import type { Dice } from '../dice.ts'
import type { SimulatedProcess } from './process.ts'
import type { Event, Scheduler } from './scheduler.ts'

const SYNCS = new Set(['fdatasync', 'fsync', 'sync'])
const WRITES = new Set(['write', 'open', 'mkdir', 'rename', 'commit', 'truncate'])

type Pending = { readonly event: Event; readonly happen: () => void }

export class Disk {
  /** By how much everything takes longer than usual. */
  slowness = 1
  /** Syncs do not come back before this time. */
  stalledUntilMs = 0
  /** The next sync fails. */
  failsNextSync = false
  /** Every write fails. */
  isFull = false
  readonly #scheduler: Scheduler
  readonly #dice: Dice
  readonly #pending = new Set<Pending>()
  readonly #files = new CrashingFiles()
  readonly #store = new CrashingStoreDisk()
  #hasStore = false

  constructor(scheduler: Scheduler, dice: Dice) {
    this.#scheduler = scheduler
    this.#dice = dice
    this.#files.pace = operation => this.#pace(operation)
    this.#store.pace = operation => this.#pace(operation)
    this.#files.fault = (operation, path) => this.#fault(operation, path)
    this.#store.fault = operation => this.#fault(operation, 'the store')
    this.mend()
  }

  /** The disk is well again. */
  mend(): void {
    this.slowness = 1
    this.stalledUntilMs = 0
    this.failsNextSync = false
    this.isFull = false
    this.leave(1e12)
  }

  /** So much is free from here on. */
  leave(freeBytes: number): void {
    this.#files.freeBytes = freeBytes
  }

  /** The process is gone: of what it had asked for some is done by the system, and the rest never happens. */
  kill(): void {
    for (const { event, happen } of this.#pending) {
      this.#scheduler.cancel(event)
      if (this.#dice.chance(0.5)) happen()
    }
    this.#pending.clear()
    // What happens does so within this turn; the store forgets its process after that.
    this.#scheduler.after(0, () => this.#store.kill())
  }

  /** The power is gone, and with it an arbitrary part of what was not synced. */
  async crash(): Promise<void> {
    for (const { event } of this.#pending) this.#scheduler.cancel(event)
    this.#pending.clear()
    const chance = this.#dice.chance(0.3) ? undefined : this.#dice.next
    this.#files.crash(chance)
    await this.#store.crash(chance)
  }

  files(process: SimulatedProcess): Files {
    return filesOf(process, this.#files)
  }

  stores(process: SimulatedProcess): Stores {
    return {
      exists: async () => this.#hasStore,
      open: async () => {
        const store = storeOf(process, await process.hear(this.#store.open()))
        this.#hasStore = true
        return store
      },
    }
  }

  #pace(operation: string): Promise<void> {
    const least = SYNCS.has(operation) ? 0.3 : 0.01
    const takesMs = this.#dice.spread(least, 20 * least) * this.slowness
    const stallMs = SYNCS.has(operation) ? this.stalledUntilMs : 0
    return new Promise(resolve => {
      const happen = (): void => {
        this.#pending.delete(pending)
        resolve()
      }
      const event = this.#scheduler.at(Math.max(this.#scheduler.nowMs + takesMs, stallMs), happen)
      const pending = { event, happen }
      this.#pending.add(pending)
    })
  }

  #fault(operation: string, path: string): void {
    if (this.isFull && WRITES.has(operation)) throw diskError('ENOSPC', operation, path)
    if (!this.failsNextSync || !SYNCS.has(operation)) return
    this.failsNextSync = false
    throw diskError('EIO', operation, path)
  }
}

/** The files of a disk for as long as a process lives. */
function filesOf(process: SimulatedProcess, disk: CrashingFiles): Files {
  const hear = process.hear.bind(process)
  const files: Files = {
    open: async (path, mode) => fileOf(process, await hear(disk.open(path, mode))),
    readWhole: path => hear(disk.readWhole(path)),
    // Step by step, as nodeFiles does it: a process may be killed between them.
    async replace(path, bytes) {
      const temporary = `${path}.tmp`
      await files.unlink(temporary)
      const file = await files.open(temporary, 'create')
      try {
        await file.write([bytes], 0)
        await file.datasync()
      } finally {
        await file.close()
      }
      await files.rename(temporary, path)
      await files.syncFolder(path.slice(0, path.lastIndexOf('/')) || '/')
    },
    rename: (from, to) => hear(disk.rename(from, to)),
    unlink: path => hear(disk.unlink(path)),
    makeFolder: path => hear(disk.makeFolder(path)),
    removeFolder: path => hear(disk.removeFolder(path)),
    list: path => hear(disk.list(path)),
    stat: path => hear(disk.stat(path)),
    syncFolder: path => hear(disk.syncFolder(path)),
    space: path => hear(disk.space(path)),
  }
  return files
}

function fileOf(process: SimulatedProcess, file: File): File {
  const hear = process.hear.bind(process)
  return {
    path: file.path,
    write: (buffers, position) => hear(file.write(buffers, position)),
    read: (buffer, position) => hear(file.read(buffer, position)),
    datasync: () => hear(file.datasync()),
    truncate: sizeBytes => hear(file.truncate(sizeBytes)),
    sizeBytes: () => hear(file.sizeBytes()),
    close: () => file.close(),
  }
}

function storeOf(process: SimulatedProcess, store: Store): Store {
  const hear = process.hear.bind(process)
  return {
    get: key => hear(store.get(key)),
    getMany: keys => hear(store.getMany(keys)),
    scan: range => hear(store.scan(range)),
    batch: () => store.batch(),
    commit: (batch, options) => hear(store.commit(batch, options)),
    sync: () => hear(store.sync()),
    close: () => hear(store.close()),
  }
}

/** Whether an error is the disk's, and not a mistake of the program. */
export function isDiskError(error: unknown): boolean {
  return error instanceof StorageError
}
