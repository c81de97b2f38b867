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
