// The file that a group of segments becomes, and what the log must know of it. Nobody reads it before it is registered; a crash makes
// it an orphan that the next start removes.
import { assert } from '../../base/assert.ts'
import { baseOffset, maxTimestamp, recordCount } from '../../records/batch.ts'
import { MAX_EXTENT_BYTES } from '../extent.ts'
import type { File } from '../files.ts'
import type { LogCore } from '../log-core.ts'
import type { LogParts } from '../log-parts.ts'
import { segmentPath, type Segment } from '../segment.ts'
import { SparseIndexBuilder } from '../sparse-index.ts'

/** What takes the place of a group. */
export type CleanedSegment = { readonly segment: Segment; readonly index: Buffer }

export class SegmentWriter {
  readonly path: string
  readonly #parts: LogParts
  readonly #group: readonly Segment[]
  readonly #fileId: number
  readonly #index: SparseIndexBuilder
  #file: File | null = null
  #position = 0
  #maxTimestamp = -1
  #maxTimestampOffset: number
  // The stretch of the index that is being filled.
  #stretchOffset = -1
  #stretchPosition = 0
  #stretchTimestamp = -1

  constructor(core: LogCore, parts: LogParts, group: readonly Segment[]) {
    const first = group[0]
    assert(first !== undefined, 'a group has a segment')
    this.#parts = parts
    this.#group = group
    this.#fileId = parts.nextFileId()
    this.#index = new SparseIndexBuilder(first.baseOffset)
    this.#maxTimestampOffset = first.baseOffset
    this.path = segmentPath(parts.folders.segments, core, { baseOffset: first.baseOffset, fileId: this.#fileId })
  }

  /** Writes batches behind those before; they may change when this has resolved. Rejects with StorageError. */
  async write(batches: readonly Buffer[]): Promise<void> {
    if (batches.length === 0) return
    this.#file ??= await this.#parts.files.open(this.path, 'create')
    const from = this.#position
    for (const batch of batches) this.#note(batch)
    await this.#file.write(batches, from)
  }

  #note(batch: Buffer): void {
    if (this.#stretchOffset >= 0 && this.#position - this.#stretchPosition >= MAX_EXTENT_BYTES) this.#endStretch()
    if (this.#stretchOffset < 0) this.#stretchOffset = baseOffset(batch, 0)
    this.#position += batch.length
    // An empty batch has the time of records that are gone: nobody finds any by it.
    if (recordCount(batch, 0) === 0) return
    const timestamp = maxTimestamp(batch, 0)
    this.#stretchTimestamp = Math.max(this.#stretchTimestamp, timestamp)
    if (timestamp <= this.#maxTimestamp) return
    this.#maxTimestamp = timestamp
    this.#maxTimestampOffset = baseOffset(batch, 0)
  }

  #endStretch(): void {
    const sizeBytes = this.#position - this.#stretchPosition
    this.#index.add(this.#stretchOffset, this.#stretchPosition, sizeBytes, this.#stretchTimestamp)
    this.#stretchOffset = -1
    this.#stretchPosition = this.#position
    this.#stretchTimestamp = -1
  }

  /** Everything is on the disk, the file's name too. Resolves with null when nothing was written. Rejects with StorageError. */
  async finish(): Promise<CleanedSegment | null> {
    const file = this.#file
    if (file === null) return null
    if (this.#stretchOffset >= 0) this.#endStretch()
    await file.datasync()
    await this.#close()
    await this.#parts.files.syncFolder(this.#parts.folders.segments)
    const last = this.#group.at(-1)!
    const segment = {
      baseOffset: this.#group[0]!.baseOffset,
      endOffset: last.endOffset,
      fileId: this.#fileId,
      sizeBytes: this.#position,
      maxTimestamp: this.#maxTimestamp,
      maxTimestampOffset: this.#maxTimestampOffset,
      // Retention counts from here where no record has a time.
      createdMs: last.createdMs,
    }
    return { segment, index: this.#index.build() }
  }

  /** Nobody needs it after all. */
  async discard(): Promise<void> {
    if (this.#file === null) return
    await this.#close()
    await this.#parts.files.unlink(this.path)
  }

  async #close(): Promise<void> {
    await this.#file?.close()
  }
}
