// Where install.sh has put the clients and Apache Kafka. Calling it installs what is not there yet: the first time that takes
// a minute or two, afterwards it only looks.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type Part = 'kafka' | 'kcat' | 'python' | 'readers' | 'java' | 'streams' | 'go' | 'node'

/** Runs install.sh for `parts` (none: all of them) and returns its `name=path` lines. Rejects with what the script says is missing. */
export async function installed(...parts: Part[]): Promise<ReadonlyMap<string, string>> {
  const script = fileURLToPath(new URL('install.sh', import.meta.url))
  const child = spawn(script, parts, { stdio: ['ignore', 'pipe', 'pipe'] })
  let paths = ''
  let said = ''
  child.stdout.on('data', chunk => (paths += String(chunk)))
  child.stderr.on('data', chunk => (said += String(chunk)))
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`test/clients/install.sh failed:\n${said}`)
  return new Map(paths.trim().split('\n').map(splitAtEquals))
}

/** The path that `installed` gave for `name`. */
export function pathOf(installation: ReadonlyMap<string, string>, name: string): string {
  const path = installation.get(name)
  if (path === undefined) throw new Error(`install.sh did not say where '${name}' is`)
  return path
}

function splitAtEquals(line: string): [string, string] {
  const at = line.indexOf('=')
  return [line.slice(0, at), line.slice(at + 1)]
}
