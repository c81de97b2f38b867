// The staging files that all partitions share: one group commit writes the batches of hundreds of partitions with one write and one
// fdatasync (docs/decisions/0003-shared-staging-file.md). Bytes stay here until sealing.ts moves them to the segment of their
// partition; a staging file goes when no extent of any log points into it. Not the index: extents (extent.ts) say where each batch is.
//
// Only the newest file is written, from its beginning to its end. After a restart a new one is begun, so bytes that a crash left
// behind an unfinished commit are never written over.
import { join } from 'node:path'
import type { FilePool } from './file-pool.ts'
import type { File, Files } from './files.ts'
import { stagingFileName } from './segment.ts'

export type StagingFile = {
  readonly fileId: number
  readonly path: string
  readonly file: Promise<File>
  /** Where the next bytes go. */
  endPosition: number
  hasUnsynced: boolean
}

/** Room in a staging file, taken before it is written. */
export type Room = { readonly staging: StagingFile; readonly position: number }

export class Staging {
  readonly #files: Files
  readonly #pool: FilePool
  readonly #folder: string
  readonly #fileBytes: number
  readonly #nextFileId: () => number
  #current: StagingFile | null = null
  #next: StagingFile | null = null
  // Syncs under way. One that failed stays: every later sync must fail with it.
  readonly #syncs = new Set<Promise<void>>()
  // Bytes of every file that exists, oldest first.
  readonly #sizes = new Map<number, number>()

  constructor(files: Files, pool: FilePool, folder: string, fileBytes: number, nextFileId: () => number) {
    this.#files = files
    this.#pool = pool
    this.#folder = folder
    this.#fileBytes = fileBytes
    this.#nextFileId = nextFileId
  }

  /** A file that an earlier process left and that extents still point into. */
  keep(fileId: number, sizeBytes: number): void {
    this.#sizes.set(fileId, sizeBytes)
  }

  /** Bytes of all staging files. */
  get sizeBytes(): number {
    let sum = 0
    for (const size of this.#sizes.values()) sum += size
    return sum
  }

  /** The oldest file that exists and is not written any more, 0 when there is none. */
  get oldestFileId(): number {
    for (const fileId of this.#sizes.keys()) return fileId === this.#current?.fileId ? 0 : fileId
    return 0
  }

  pathOf(fileId: number): string {
    return join(this.#folder, stagingFileName(fileId))
  }

  /** Takes room for `sizeBytes` in the current file, or in a new one when they do not fit. */
  reserve(sizeBytes: number): Room {
    let current = this.#current
    if (current === null || (current.endPosition > 0 && current.endPosition + sizeBytes > this.#fileBytes)) {
      if (current !== null) this.#finish(current)
      current = this.#next ?? this.#create()
      this.#next = null
      this.#current = current
    }
    const position = current.endPosition
    current.endPosition += sizeBytes
    this.#sizes.set(current.fileId, current.endPosition)
    // The next one is made while this one still has room, so that no commit waits for it.
    if (this.#next === null && current.endPosition * 2 > this.#fileBytes) this.#next = this.#create()
    return { staging: current, position }
  }

  async write(room: Room, buffers: readonly Buffer[]): Promise<void> {
    await (await room.staging.file).write(buffers, room.position)
    // Not earlier: a sync that runs beside this write does not cover it.
    room.staging.hasUnsynced = true
  }

  /** Resolves when everything written before the call is on the disk. */
  async sync(): Promise<void> {
    const current = this.#current
    if (current?.hasUnsynced === true) void this.#startSync(current).catch(() => {})
    if (this.#syncs.size > 0) await Promise.all(this.#syncs)
  }

  /** No extent on the disk points into files below `fileId` any more: removes them. Resolves with how many there were. */
  async removeBefore(fileId: number): Promise<number> {
    let removed = 0
    for (const old of [...this.#sizes.keys()]) {
      if (old >= fileId || old === this.#current?.fileId) continue
      this.#sizes.delete(old)
      removed++
      const path = this.pathOf(old)
      await this.#pool.close(path)
      await this.#files.unlink(path)
    }
    return removed
  }

  /** Lets go of the files. Does not sync. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#syncs)
    for (const staging of [this.#current, this.#next]) {
      if (staging !== null) await staging.file.then(file => file.close()).catch(() => {})
    }
    if (this.#next !== null) await this.#files.unlink(this.#next.path)
  }

  #create(): StagingFile {
    const fileId = this.#nextFileId()
    const path = this.pathOf(fileId)
    const file = this.#open(path)
    // Whoever uses it sees the error; until then it must not count as unhandled.
    file.catch(() => {})
    return { fileId, path, file, endPosition: 0, hasUnsynced: false }
  }

  async #open(path: string): Promise<File> {
    const file = await this.#files.open(path, 'create')
    // With its final size from the beginning an fdatasync has less to write.
    await file.truncate(this.#fileBytes)
    await file.datasync()
    await this.#files.syncFolder(this.#folder)
    return file
  }

  #startSync(staging: StagingFile): Promise<void> {
    staging.hasUnsynced = false
    const sync = staging.file.then(file => file.datasync())
    this.#syncs.add(sync)
    sync.then(
      () => this.#syncs.delete(sync),
      () => {},
    )
    return sync
  }

  // Nothing is written to it any more; it closes once it is on the disk.
  #finish(staging: StagingFile): void {
    if (staging.hasUnsynced) void this.#startSync(staging).catch(() => {})
    void Promise.allSettled(this.#syncs)
      .then(async () => (await staging.file).close())
      .catch(() => {})
  }
}
