// An error meant for the person who started us: something in their hands is wrong and they can put it right. Entry points print
// it without a stack and exit with 1. Not for requests of clients (those get an ErrorCode) and not for our own bugs (assert).

export class UserError extends Error {
  /** What to do about it, as one or more sentences; '' when the message says it all. */
  readonly fix: string

  constructor(message: string, fix = '', options?: ErrorOptions) {
    super(message, options)
    this.name = 'UserError'
    this.fix = fix
  }
}

const FIXES: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space, or name another data directory. flotilla.disk.reserve.bytes says how much must stay free.',
  EDQUOT: 'Free some of the quota, or name another data directory.',
  EACCES: 'The user of this process must be able to read and write its data directory.',
  EPERM: 'The user of this process must be able to read and write its data directory.',
  EROFS: 'The file system is read-only; name another data directory.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
  ENFILE: 'The machine has too many open files.',
}

/**
 * The error for people behind `error`: itself, one among its causes, or one made from a system error that they can do something
 * about. Null when it is nothing of that kind.
 */
export function userErrorIn(error: unknown): UserError | null {
  for (let depth = 0; error instanceof Error && depth < 10; depth++) {
    if (error instanceof UserError) return error
    const fix = FIXES[systemCodeOf(error)]
    if (fix !== undefined) return new UserError(sentence(error.message), fix, { cause: error })
    error = error.cause
  }
  return null
}

// RocksDB has the words of the system, but not its codes.
function systemCodeOf(error: Error): string {
  if (error.message.includes('No space left on device')) return 'ENOSPC'
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}
