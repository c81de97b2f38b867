// The commands of `flotilla`: reads the command line and runs what it asks for. Exit code 2 = the command line is wrong.
import { existsSync, readFileSync } from 'node:fs'
import { parseCommandLine } from './arguments.ts'
import { helpText } from './help.ts'

/** Runs the command in `args` (without node and the script's name). */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  const command = parseCommandLine(args)
  switch (command.kind) {
    case 'help':
      process.stdout.write(helpText(command.of))
      return
    case 'version':
      process.stdout.write(`flotilla ${version()} (Node ${process.versions.node})\n`)
      return
    case 'wrong': {
      const more = `flotilla ${command.of === null ? '' : `${command.of} `}--help says what there is.`
      process.stderr.write(`flotilla: ${command.problem}\n  ${command.fix || more}\n`)
      process.exitCode = 2
      return
    }
    case 'run':
      // Loaded only when it is needed: a broker is much code.
      if (command.command === 'up') return (await import('./up.ts')).up(command.flags)
      return (await import('../broker/main.ts')).runBroker(command.flags)
    default:
      command satisfies never
  }
}

// package.json is one folder up in a checkout and two in the published package (dist/local).
function version(): string {
  const path = ['../package.json', '../../package.json']
    .map(place => new URL(place, import.meta.url))
    .find(place => existsSync(place))
  return path ? (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version : 'unknown'
}
