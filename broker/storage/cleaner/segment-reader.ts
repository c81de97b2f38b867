// The batches of a sealed segment, one after the other, read in chunks: for the cleaner, which looks at all of them. Checks every batch, since
// what the cleaner writes gets a checksum of its own: rot must not pass as good.
import { HEADER_SIZE, isCrcValid, magic, sizeOf } from '../../records/batch.ts'
import type { LogCore } from '../log-core.ts'
import type { LogParts } from '../log-parts.ts'
import { CORRUPT } from '../log-reader.ts'
import { segmentPath, type Segment } from '../segment.ts'
import { StorageError } from '../storage-error.ts'
import type { Throttle } from './throttle.ts'

export class SegmentReader {
  readonly #parts: LogParts
  readonly #throttle: Throttle
  readonly #path: string
  readonly #sizeBytes: number
  readonly #buffer: Buffer
  #position: number

  /** Reads from `position`, where a batch begins, through `buffer`; a larger batch gets memory of its own. */
  constructor(
    core: LogCore,
    parts: LogParts,
    segment: Segment,
    options: { position: number; buffer: Buffer; throttle: Throttle },
  ) {
    this.#parts = parts
    this.#throttle = options.throttle
    this.#path = segmentPath(parts.folders.segments, core, segment)
    this.#sizeBytes = segment.sizeBytes
    this.#buffer = options.buffer
    this.#position = options.position
  }

  /** The next batches, whole and at least one, or null at the end. They are good until the next call. Rejects with StorageError. */
  async next(): Promise<Buffer[] | null> {
    const left = this.#sizeBytes - this.#position
    if (left === 0) return null
    let bytes = this.#buffer.subarray(0, Math.min(left, this.#buffer.length))
    await this.#fill(bytes)
    let batches = this.#batchesIn(bytes)
    if (batches.length === 0) {
      bytes = Buffer.allocUnsafeSlow(sizeOf(bytes, 0))
      await this.#fill(bytes)
      batches = this.#batchesIn(bytes)
    }
    for (const batch of batches) this.#position += batch.length
    return batches
  }

  async #fill(bytes: Buffer): Promise<void> {
    await this.#throttle.take(bytes.length)
    const read = await this.#parts.pool.use(this.#path, 'read', file => file.read(bytes, this.#position))
    if (read < bytes.length) throw this.#corrupt(this.#position + read, 'ends')
  }

  #batchesIn(bytes: Buffer): Buffer[] {
    const batches: Buffer[] = []
    let at = 0
    while (at + HEADER_SIZE <= bytes.length) {
      const size = sizeOf(bytes, at)
      const isWhole = size >= HEADER_SIZE && this.#position + at + size <= this.#sizeBytes
      if (!isWhole || magic(bytes, at) !== 2) throw this.#corrupt(this.#position + at, 'has no record batch')
      if (at + size > bytes.length) break
      const batch = bytes.subarray(at, at + size)
      if (!isCrcValid(batch)) throw this.#corrupt(this.#position + at, 'has a record batch with a wrong checksum')
      batches.push(batch)
      at += size
    }
    if (batches.length === 0 && bytes.length < HEADER_SIZE) throw this.#corrupt(this.#position, 'has no record batch')
    return batches
  }

  #corrupt(position: number, what: string): StorageError {
    return new StorageError(`${this.#path} ${what} at byte ${position}`, { code: CORRUPT })
  }
}
