// Why bytes could not be decompressed. Expected of whatever clients send; validate.ts turns them into error codes.

/** The bytes are not what the compression writes. */
export class CorruptError extends Error {}

/** The content is larger than the caller allows; none of it is kept. */
export class TooLargeError extends Error {
  constructor(maxSizeBytes: number) {
    super(`the content is larger than ${maxSizeBytes} bytes`)
  }
}
