// A store in memory that loses power (power.ts), with the promise of a write-ahead log: after `crash` every commit up to the last
// sync is there, of those after it none or, given chance (seededNumbers), the first few; never one without those before it.
import { assert } from '../../../broker/base/assert.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import type { CommitOptions, Entry, Range, Store, StoreBatch } from '../../../broker/storage/store.ts'
import { Power, PowerLoss } from './power.ts'

type Operation = (batch: StoreBatch) => void

class RecordingBatch implements StoreBatch {
  readonly operations: Operation[] = []
  sizeBytes = 0

  get size(): number {
    return this.operations.length
  }

  put(key: Buffer, value: Buffer): void {
    this.operations.push(batch => batch.put(key, value))
    this.sizeBytes += key.length + value.length
  }

  delete(key: Buffer): void {
    this.operations.push(batch => batch.delete(key))
    this.sizeBytes += key.length
  }

  deleteRange(gte: Buffer, lt: Buffer): void {
    this.operations.push(batch => batch.deleteRange(gte, lt))
    this.sizeBytes += gte.length + lt.length
  }
}

async function apply(operations: readonly Operation[], store: Store): Promise<void> {
  const batch = store.batch()
  for (const operation of operations) operation(batch)
  await store.commit(batch, { sync: true })
}

/** The disk under the stores: `open` one, crash, `open` the next. */
export class CrashingStoreDisk {
  readonly power: Power
  /** Called before every operation with its name; may throw to let it fail. */
  fault: (operation: 'commit' | 'sync' | 'read') => void = () => {}
  /** How long an operation takes; it has its effect when this resolves. */
  pace: (operation: 'commit' | 'sync' | 'read') => Promise<void> = () => Promise.resolve()
  #durable = openMemoryStore()
  #unsynced: (readonly Operation[])[] = []
  #opened: CrashingStore | null = null

  constructor(power = new Power()) {
    this.power = power
  }

  /** A store with what is on the disk and, unless the power went, what was committed since. One at a time. */
  async open(): Promise<Store> {
    this.power.assertOn()
    assert(this.#opened === null || this.#opened.isClosed, 'a store is open once')
    const live = openMemoryStore()
    const batch = live.batch()
    for (const { key, value } of await this.#durable.scan(EVERYTHING)) batch.put(key, value)
    await live.commit(batch, { sync: true })
    for (const operations of this.#unsynced) await apply(operations, live)
    this.#opened = new CrashingStore(live, this)
    return this.#opened
  }

  /** Loses the commits that were not synced: all of them, or those behind the first few, as `chance` picks. */
  async crash(chance?: () => number): Promise<void> {
    this.#opened?.die()
    this.#opened = null
    const kept = chance === undefined ? 0 : Math.floor(chance() * (this.#unsynced.length + 1))
    for (const operations of this.#unsynced.slice(0, kept)) await apply(operations, this.#durable)
    this.#unsynced = []
  }

  /** The process is gone, and the machine is not: what was committed is there for the next one, and not on the disk yet. */
  kill(): void {
    this.#opened?.die()
    this.#opened = null
  }

  committed(operations: readonly Operation[]): void {
    this.#unsynced.push(operations)
  }

  async syncAll(): Promise<void> {
    const synced = this.#unsynced
    this.#unsynced = []
    for (const operations of synced) await apply(operations, this.#durable)
  }
}

// Keys of tests are short.
const EVERYTHING: Range = { gte: Buffer.alloc(0), lt: Buffer.alloc(64, 0xff), limit: Infinity }

class CrashingStore implements Store {
  isClosed = false
  readonly #live: Store
  readonly #disk: CrashingStoreDisk
  #isDead = false
  #failure: unknown = null
  // One commit at a time, in the order of the calls.
  #last: Promise<void> = Promise.resolve()

  constructor(live: Store, disk: CrashingStoreDisk) {
    this.#live = live
    this.#disk = disk
  }

  die(): void {
    this.#isDead = true
  }

  async get(key: Buffer): Promise<Buffer | null> {
    await this.#start('read')
    return this.#live.get(key)
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    await this.#start('read')
    return this.#live.getMany(keys)
  }

  async scan(range: Range): Promise<Entry[]> {
    await this.#start('read')
    return this.#live.scan(range)
  }

  batch(): StoreBatch {
    return new RecordingBatch()
  }

  commit(batch: StoreBatch, { sync }: CommitOptions): Promise<void> {
    if (this.isClosed) return Promise.reject(new StorageError('the store is closed'))
    const mine = this.#last.then(() => this.#commit(batch, sync))
    this.#last = mine.catch(() => {})
    return mine
  }

  sync(): Promise<void> {
    return this.commit(this.batch(), { sync: true })
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    const last = this.sync()
    this.isClosed = true
    await last
  }

  async #commit(batch: StoreBatch, sync: boolean): Promise<void> {
    assert(batch instanceof RecordingBatch, 'a batch is committed to the store that made it')
    const { operations } = batch
    try {
      if (operations.length > 0) {
        await this.#start('commit')
        this.#disk.power.perform('commit', () => this.#disk.committed(operations))
        await apply(operations, this.#live)
      }
      if (sync) {
        await this.#start('sync')
        await this.#disk.power.perform('sync', () => this.#disk.syncAll())
      }
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  async #start(operation: 'commit' | 'sync' | 'read'): Promise<void> {
    if (this.isClosed && operation === 'read') throw new StorageError('the store is closed')
    await this.#disk.pace(operation)
    if (this.#isDead) throw new PowerLoss()
    this.#disk.power.assertOn()
    if (this.#failure !== null) throw new StorageError('the store has failed', { cause: this.#failure })
    this.#disk.fault(operation)
  }
}
