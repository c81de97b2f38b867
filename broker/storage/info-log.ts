// Bounds what RocksDB writes about itself into `LOG` (some kilobytes per table file) and `LOG.old.*` (one per start): left alone, both
// grow without end, and the binding passes none of RocksDB's own options for them. Nobody needs these files to read the data.
import { join } from 'node:path'
import type { Files } from './files.ts'

// The last starts, to look back after a crash.
const OLD_LOGS = 2

const MAX_BYTES = 16 * 1024 * 1024

export class InfoLog {
  readonly #folder: string
  readonly #files: Files
  readonly #maxBytes: number
  #emptyBelow = 0

  constructor(folder: string, files: Files, maxBytes = MAX_BYTES) {
    this.#folder = folder
    this.#files = files
    this.#maxBytes = maxBytes
  }

  /** Removes the logs of earlier starts but the last. */
  async removeOld(): Promise<void> {
    const old = (await this.#files.list(this.#folder)).filter(name => name.startsWith('LOG.old.')).sort()
    for (const name of old.slice(0, -OLD_LOGS)) await this.#files.unlink(join(this.#folder, name))
  }

  /** Gives the blocks of a long log back to the disk. RocksDB goes on at its position, so what is before that becomes a hole. */
  async trim(): Promise<void> {
    const path = join(this.#folder, 'LOG')
    const stat = await this.#files.stat(path)
    if (stat === null || stat.sizeBytes - this.#emptyBelow <= this.#maxBytes) return
    const file = await this.#files.open(path, 'write')
    try {
      await file.truncate(0)
    } finally {
      await file.close()
    }
    this.#emptyBelow = stat.sizeBytes
  }
}
