// The keys log.cleaner.* that say how compacted logs are cleaned; what is cleaned, and when, are keys of the topics.

/** Sizes in bytes, for all workers together. */
export type CleanerConfig = {
  readonly isEnabled: boolean
  /** Cleanings at a time. */
  readonly threads: number
  readonly backoffMs: number
  readonly dedupeBufferBytes: number
  readonly ioBufferBytes: number
  readonly ioBufferLoadFactor: number
  readonly ioMaxBytesPerSecond: number
}

/** Reads the typed values; every key has a text. */
export function readCleanerConfig(number: (name: string) => number, flag: (name: string) => boolean): CleanerConfig {
  return {
    isEnabled: flag('log.cleaner.enable'),
    threads: number('log.cleaner.threads'),
    backoffMs: number('log.cleaner.backoff.ms'),
    dedupeBufferBytes: number('log.cleaner.dedupe.buffer.size'),
    ioBufferBytes: number('log.cleaner.io.buffer.size'),
    ioBufferLoadFactor: number('log.cleaner.io.buffer.load.factor'),
    ioMaxBytesPerSecond: number('log.cleaner.io.max.bytes.per.second'),
  }
}
