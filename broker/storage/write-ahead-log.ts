// Makes RocksDB's write-ahead log durable from outside: keeps a descriptor of the current WAL file open and fdatasyncs it. It
// knows how RocksDB names these files (`000123.log`; WALs and tables share one sequence of numbers) and nothing else of it.
// rocks-store.ts explains when a sync covers what.
import { join } from 'node:path'
import { assert } from '../base/assert.ts'
import type { File, Files } from './files.ts'
import { StorageError } from './storage-error.ts'

export type WriteAheadLogOptions = {
  readonly folder: string
  readonly files: Files
  /** The number of the file that RocksDB writes to at the moment of the call. */
  readonly currentNumber: () => Promise<number>
}

export class WriteAheadLog {
  readonly #folder: string
  readonly #files: Files
  readonly #currentNumber: () => Promise<number>
  // Every WAL below #number is on the disk or not needed any more, and so is the name of #file.
  #number = 0
  #file: File | null = null

  /** Call after RocksDB has opened and before the first write. */
  static async open(options: WriteAheadLogOptions): Promise<WriteAheadLog> {
    const log = new WriteAheadLog(options)
    await log.#follow(await options.currentNumber())
    return log
  }

  private constructor({ folder, files, currentNumber }: WriteAheadLogOptions) {
    this.#folder = folder
    this.#files = files
    this.#currentNumber = currentNumber
  }

  /** The number of the WAL that the last sync, `follow` or `open` found. */
  get number(): number {
    return this.#number
  }

  /** Every write that resolved before the call is on the disk. One call at a time. */
  async sync(): Promise<void> {
    assert(this.#file !== null, 'a write-ahead log that is synced is open')
    // Both start after the writes in question, so a number that has not changed says that they are all in this file, or in older ones.
    const [number] = await Promise.all([this.#currentNumber(), this.#file.datasync()])
    if (number !== this.#number) await this.#follow(number)
  }

  /** Resolves with true when RocksDB has gone on to a newer file; that one's name is on the disk then. */
  async hasSwitched(): Promise<boolean> {
    const number = await this.#currentNumber()
    if (number === this.#number) return false
    await this.#follow(number)
    return true
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }

  // Syncs what came after #file up to file `number`, the older first: after a loss of power in between, what is there is without a hole.
  async #follow(number: number): Promise<void> {
    for (;;) {
      assert(number > this.#number, 'the numbers of write-ahead logs only grow')
      for (const older of await this.#numbersBetween(this.#number, number)) {
        const file = await this.#open(older)
        await file?.datasync()
        await file?.close()
      }
      const file = await this.#open(number)
      if (file !== null) {
        await file.datasync()
        await this.#files.syncFolder(this.#folder)
        await this.#file?.close()
        this.#file = file
        this.#number = number
        return
      }
      // RocksDB has switched again meanwhile, and file `number` is in a table by now.
      number = await this.#currentNumber()
    }
  }

  async #numbersBetween(after: number, before: number): Promise<number[]> {
    const names = await this.#files.list(this.#folder)
    const numbers = names.filter(name => /^\d+\.log$/.test(name)).map(name => Number.parseInt(name, 10))
    return numbers.filter(number => number > after && number < before).sort((a, b) => a - b)
  }

  // null when the file is gone: RocksDB deletes a WAL once its content is durable in a table file.
  async #open(number: number): Promise<File | null> {
    try {
      return await this.#files.open(join(this.#folder, `${String(number).padStart(6, '0')}.log`), 'write')
    } catch (error) {
      if (error instanceof StorageError && error.code === 'ENOENT') return null
      throw error
    }
  }
}
