// The broker that the checks run against: Flotilla, or Apache Kafka with FLOTILLA_CLIENTS_BROKER=kafka. One per test file,
// in a temporary folder.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApacheKafka } from './apache-kafka.ts'
import { startFlotilla } from './flotilla.ts'
import type { ServerProcess } from './server-process.ts'
import type { Address } from './wire.ts'

export type BrokerKind = 'flotilla' | 'kafka'

/** Which broker this run is about. */
export const brokerKind: BrokerKind = chosen(process.env.FLOTILLA_CLIENTS_BROKER ?? 'flotilla')

export type TestBroker = Address & {
  readonly bootstrap: string
  /** SIGKILL, then a start on the same data and the same port. */
  killAndRestart(): Promise<void>
  /** Ends the broker and removes its data. */
  remove(): Promise<void>
}

/** Starts the broker of this run with what a single node needs and `properties`. */
export async function startBroker(properties: Readonly<Record<string, string>> = {}): Promise<TestBroker> {
  const start = brokerKind === 'kafka' ? startApacheKafka : startFlotilla
  const folder = await mkdtemp(join(tmpdir(), `flotilla-clients-${brokerKind}-`))
  const options = { dataDir: folder, properties }
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  const first = await start(options).catch(async (error: unknown) => {
    await removeFolder()
    throw error
  })
  let running: ServerProcess = first
  const { host, port, bootstrap } = first
  return {
    host,
    port,
    bootstrap,
    async killAndRestart() {
      await running.kill()
      running = await start({ ...options, port })
    },
    async remove() {
      await running.stop()
      await removeFolder()
    },
  }
}

function chosen(name: string): BrokerKind {
  if (name === 'flotilla' || name === 'kafka') return name
  throw new Error(`FLOTILLA_CLIENTS_BROKER is '${name}'; it may be 'flotilla' or 'kafka'`)
}
