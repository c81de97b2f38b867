// What a part may say to the operator of the broker. The real one is pino's (see main.ts); tests pass `silentLogger`.

type Say = { (fields: object, message: string): void; (message: string): void }

export type Logger = {
  readonly debug: Say
  readonly info: Say
  readonly warn: Say
  readonly error: Say
  /** A logger that adds `fields` to every line. */
  child(fields: object): Logger
}

/** Says nothing: for tests and for parts whose lines nobody would read. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
}
