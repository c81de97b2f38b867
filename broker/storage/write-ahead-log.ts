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
  /** Something that changes whenever RocksDB goes on to another file, perhaps more often, and costs next to nothing to ask. */
  readonly version: () => Promise<string | undefined>
}

export class WriteAheadLog {
  readonly #folder: string
  readonly #files: Files
  readonly #currentNumber: () => Promise<number>
  readonly #version: () => Promise<string | undefined>
  // Every WAL below #number is on the disk or not needed any more, and so is the name of #file.
  #number = 0
  #file: File | null = null
  // Asked before the question to which #number was the answer.
  #seenVersion: string | undefined

  /** Call after RocksDB has opened and before the first write. */
  static async open(options: WriteAheadLogOptions): Promise<WriteAheadLog> {
    const log = new WriteAheadLog(options)
    await log.hasSwitched()
    return log
  }

  private constructor({ folder, files, currentNumber, version }: WriteAheadLogOptions) {
    this.#folder = folder
    this.#files = files
    this.#currentNumber = currentNumber
    this.#version = version
  }

  /** The number of the WAL that the last sync, `follow` or `open` found. */
  get number(): number {
    return this.#number
  }

  /** Every write that resolved before the call is on the disk. One call at a time. */
  async sync(): Promise<void> {
    assert(this.#file !== null, 'a write-ahead log that is synced is open')
    // Asked after the writes in question: a version that has not changed says that they are all in this file, or in older ones.
    const version = await this.#version()
    const isSame = version !== undefined && version === this.#seenVersion
    const [number] = await Promise.all([isSame ? this.#number : this.#currentNumber(), this.#file.datasync()])
    if (number !== this.#number) await this.#follow(number)
    this.#seenVersion = version
  }

  /** Resolves with true when RocksDB has gone on to a newer file; that one's name is on the disk then. */
  async hasSwitched(): Promise<boolean> {
    const version = await this.#version()
    const number = await this.#currentNumber()
    if (number === this.#number) return false
    await this.#follow(number)
    this.#seenVersion = version
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
      const newer = await this.#currentNumber()
      if (newer === number) throw new StorageError(`the write-ahead log ${this.#pathOf(number)} is gone`)
      number = newer
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
      return await this.#files.open(this.#pathOf(number), 'write')
    } catch (error) {
      if (error instanceof StorageError && error.code === 'ENOENT') return null
      throw error
    }
  }

  #pathOf(number: number): string {
    return join(this.#folder, `${String(number).padStart(6, '0')}.log`)
  }
}
