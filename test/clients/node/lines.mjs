// What the Node programs share: commands as lines of JSON on standard input, one answer line each on standard output. The
// commands and their fields are described in ../program.ts. The first argument is the folder where install.sh has put the
// packages.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const DEADLINE_MS = 60_000

/** `require` of the installed packages. */
export const require = createRequire(join(process.argv[2], 'package.json'))

/** Answers commands until standard input ends. `codeOf` finds the error code of Kafka's protocol in an error, or null. */
export async function serve(commands, codeOf) {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line)
    let answer
    try {
      answer = { result: await commands[command.op](command) }
    } catch (error) {
      answer = { error: described(error, codeOf) }
    }
    write(answer)
  }
  process.exit(0)
}

/** An answer, or an event of a member of a group. */
export function write(line) {
  process.stdout.write(`${JSON.stringify(line, (_, value) => (typeof value === 'bigint' ? Number(value) : value))}\n`)
}

/** An error as an answer or an event has it. */
export function described(error, codeOf) {
  const causes = [error, ...causesOf(error)]
  const message = causes.map(each => each.serverErrorMessage ?? each.message).join(': ')
  return { code: causes.map(codeOf).find(code => code !== null) ?? null, name: error.name, message }
}

/** The errors that led to an error, nearest first. */
function causesOf(error) {
  const parts = [error.cause, ...(error.errors ?? []), ...(error.partitions ?? []).map(partition => partition.error)]
  return parts.filter(cause => cause instanceof Error).flatMap(cause => [cause, ...causesOf(cause)])
}

export function decode(text) {
  return text === null ? null : Buffer.from(text, 'base64')
}

export function encode(bytes) {
  return bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('base64')
}
