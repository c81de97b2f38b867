// Open segment and staging files, a bounded number of them: 10,000 partitions have more files than a process may open. A file that
// nobody uses stays open until the bound needs its place; at the bound the one unused longest is closed. Files in use are never
// closed, so the bound may be passed by as many as are in use at the same time.
import type { File, Files, OpenMode } from './files.ts'

type Open = { readonly file: Promise<File>; users: number; isDropped: boolean }

export class FilePool {
  readonly #files: Files
  readonly #limit: number
  // In the order of their last use.
  readonly #open = new Map<string, Open>()

  constructor(files: Files, limit: number) {
    this.#files = files
    this.#limit = limit
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size
  }

  /** Runs `work` with the file, opened (or created) if it is not. Rejects with StorageError. */
  async use<T>(path: string, mode: OpenMode, work: (file: File) => Promise<T>): Promise<T> {
    const key = keyOf(path, mode)
    const open = this.#touch(key, path, mode)
    open.users++
    try {
      return await work(await this.#opened(key, open))
    } finally {
      open.users--
      if (open.isDropped && open.users === 0) await closeQuietly(open)
      if (this.#open.size > this.#limit) await this.#closeOldest()
    }
  }

  /** Lets go of the file if it is open; those who use it finish first. */
  async close(path: string): Promise<void> {
    await this.#drop(keyOf(path, 'read'))
    await this.#drop(keyOf(path, 'write'))
  }

  async closeAll(): Promise<void> {
    for (const key of [...this.#open.keys()]) await this.#drop(key)
  }

  async #drop(key: string): Promise<void> {
    const open = this.#open.get(key)
    if (open === undefined) return
    this.#open.delete(key)
    open.isDropped = true
    if (open.users === 0) await closeQuietly(open)
  }

  #touch(key: string, path: string, mode: OpenMode): Open {
    let open = this.#open.get(key)
    if (open === undefined) open = { file: this.#files.open(path, mode), users: 0, isDropped: false }
    else this.#open.delete(key)
    this.#open.set(key, open)
    return open
  }

  // One that cannot be opened is forgotten, so that the next attempt asks the system again.
  async #opened(key: string, open: Open): Promise<File> {
    try {
      return await open.file
    } catch (error) {
      if (this.#open.get(key) === open) this.#open.delete(key)
      throw error
    }
  }

  async #closeOldest(): Promise<void> {
    for (const [key, open] of this.#open) {
      if (open.users === 0) return this.#drop(key)
    }
  }
}

// Nothing depends on a close: what had to be on the disk was synced, and the error would hide the one that matters.
async function closeQuietly(open: Open): Promise<void> {
  await open.file.then(file => file.close()).catch(() => {})
}

// Readers have a descriptor of their own: one opened for reading would fail a later write.
function keyOf(path: string, mode: OpenMode): string {
  return mode === 'read' ? `r:${path}` : `w:${path}`
}
