// Random records and batches that a seed brings back.
import { crc32c } from '../../../broker/base/crc32c.ts'
import type { Compression } from '../../../broker/records/compression.ts'
import type { RecordInit } from '../../../broker/records/record.ts'
import { seededNumbers } from '../../seeded.ts'

export const NOW = 1_800_000_000_000

export const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export class Samples {
  readonly #next: () => number

  constructor(seed: number) {
    this.#next = seededNumbers(seed)
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.#next() * limit)
  }

  chance(probability: number): boolean {
    return this.#next() < probability
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }

  /** Random bytes, or a repeated pattern that compresses well. */
  bytes(size: number): Buffer {
    const isRandom = this.chance(0.5)
    const bytes = Buffer.alloc(size)
    for (let at = 0; at < size; at++) bytes[at] = isRandom ? this.below(256) : 97 + (at % 7)
    return bytes
  }

  /** Mostly small, sometimes null, empty or around the sizes where a length takes one byte more. */
  field(): Buffer | null {
    if (this.chance(0.1)) return null
    if (this.chance(0.1)) return this.bytes(this.pick([0, 1, 63, 64, 127, 128, 8191, 8192, 70_000]))
    return this.bytes(this.below(300))
  }

  records(count: number): RecordInit[] {
    return Array.from({ length: count }, () => this.record())
  }

  record(): RecordInit {
    const timestamp = this.chance(0.1)
      ? this.pick([-1, 0, NOW - 2 ** 33, NOW - 2 ** 41, NOW + 3_600_000])
      : NOW - this.below(100_000)
    const headers = Array.from({ length: this.chance(0.7) ? 0 : this.below(5) }, () => ({
      key: this.pick(['', 'h', 'traceparent', 'schlüssel', '鍵']),
      value: this.field(),
    }))
    return { timestamp, key: this.field(), value: this.field(), headers }
  }
}

/** Makes length and checksum of the one batch in `bytes` right after somebody changed it. */
export function resealed(bytes: Buffer): Buffer {
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}
