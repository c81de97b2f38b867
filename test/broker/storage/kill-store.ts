// Kills a process that commits, again and again, and looks whether the store has what was acknowledged.
import { equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { openRocksStore } from '../../../broker/storage/rocks-store.ts'

const script = fileURLToPath(new URL('committing-process.ts', import.meta.url))

export type KillOptions = {
  readonly path: string
  readonly kills: number
  readonly writeBufferBytes: number
  readonly chance: () => number
  /** The kill comes after so many acknowledgements, by chance up to this many. */
  readonly maxAcknowledged: number
}

/** Returns how many commits were acknowledged in all. */
export async function killManyTimes({
  path,
  kills,
  writeBufferBytes,
  chance,
  maxAcknowledged,
}: KillOptions): Promise<number> {
  let acknowledged = -1
  for (let kill = 0; kill < kills; kill++) {
    const patience = 1 + Math.floor(chance() * maxAcknowledged)
    acknowledged = Math.max(acknowledged, await commitAndKill(path, writeBufferBytes, patience))
    // Mostly the next process finds out; looking from here takes as long as another kill.
    if (kill % 5 === 4 || kill === kills - 1) await verify(path, acknowledged)
  }
  return acknowledged + 1
}

// Resolves with the last commit that was acknowledged before the process died.
async function commitAndKill(path: string, writeBufferBytes: number, patience: number): Promise<number> {
  const child = spawn(process.execPath, [script, path, String(writeBufferBytes)], { stdio: ['ignore', 'pipe', 'pipe'] })
  let complaints = ''
  child.stderr.on('data', chunk => (complaints += String(chunk)))
  let output = ''
  child.stdout.on('data', chunk => {
    output += String(chunk)
    if (output.split('\n').length > patience) child.kill('SIGKILL')
  })
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  equal(signal, 'SIGKILL', complaints)
  // A line without its end may have lost digits.
  const lines = output.split('\n').slice(0, -1).map(Number)
  return Math.max(...lines)
}

async function verify(path: string, acknowledged: number): Promise<void> {
  const store = await openRocksStore(path)
  const last = Number(await store.get(Buffer.from('last')))
  ok(last >= acknowledged, `commit ${acknowledged} was acknowledged, and the last one there is ${last}`)
  const range = { gte: Buffer.from('commit/'), lt: Buffer.from('commit0'), limit: Infinity, values: false }
  const keys = (await store.scan(range)).map(entry => Number(String(entry.key).slice('commit/'.length)))
  equal(keys.length, last + 1)
  ok(keys.every((key, index) => key === index))
  await store.close()
}
