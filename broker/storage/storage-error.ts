// The disk, or what is on it, is not as it must be. Whoever owns the resource decides what stops: a store that failed stays
// failed, a log directory goes offline. Not for mistakes of our own (base/assert.ts) nor for what the protocol expects.

/** `cause` is what the operating system or RocksDB said; `code` its errno name (`ENOSPC`, `EIO`), where there is one. */
export class StorageError extends Error {
  readonly code: string | undefined

  constructor(message: string, options: { cause?: unknown; code?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'StorageError'
    this.code = options.code ?? errnoOf(options.cause)
  }
}

function errnoOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
}
