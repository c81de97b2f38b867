// Files that nobody needs any more and that go after a delay (file.delete.delay.ms). Kept in memory only: what a stop leaves behind is
// an orphan that the next start removes.
import type { Clock } from '../base/clock.ts'
import type { FilePool } from './file-pool.ts'
import type { Files } from './files.ts'

const REMOVED_PER_RUN = 200

export class DoomedFiles {
  readonly #files: Files
  readonly #pool: FilePool
  readonly #clock: Clock
  #doomed: { readonly path: string; readonly dueMs: number }[] = []

  constructor(files: Files, pool: FilePool, clock: Clock) {
    this.#files = files
    this.#pool = pool
    this.#clock = clock
  }

  add(path: string, delayMs: number): void {
    this.#doomed.push({ path, dueMs: this.#clock.monotonic() + Math.max(0, delayMs) })
  }

  /** Removes those whose time has come, a bounded number of them. Rejects with StorageError. */
  async removeDue(): Promise<void> {
    const nowMs = this.#clock.monotonic()
    const due: string[] = []
    const rest: { readonly path: string; readonly dueMs: number }[] = []
    for (const file of this.#doomed) {
      if (file.dueMs <= nowMs && due.length < REMOVED_PER_RUN) due.push(file.path)
      else rest.push(file)
    }
    if (due.length === 0) return
    this.#doomed = rest
    for (const path of due) {
      await this.#pool.close(path)
      await this.#files.unlink(path)
    }
  }
}
