// A whole broker in this process, on real files, RocksDB and sockets, for tests of what only the whole shows.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../broker/base/clock.ts'
import { silentLogger, type Logger } from '../../broker/base/log.ts'
import { systemRandom } from '../../broker/base/random.ts'
import { startBroker, type Broker } from '../../broker/broker.ts'
import { parseBrokerConfig } from '../../broker/config/broker-config.ts'

export type TestBroker = Broker & { readonly folder: string; remove(): Promise<void> }

/** Starts a broker on any free port, in a folder of its own unless `folder` names one. `remove` stops it and deletes the folder. */
export async function startTestBroker(
  settings: Readonly<Record<string, string>> = {},
  { folder, log = silentLogger }: { folder?: string; log?: Logger } = {},
): Promise<TestBroker> {
  const path = folder ?? (await mkdtemp(join(tmpdir(), 'flotilla-test-')))
  const values = new Map(
    Object.entries({
      listeners: 'PLAINTEXT://127.0.0.1:0',
      'log.dirs': join(path, 'data'),
      'flotilla.http.port': '-1',
      ...settings,
    }),
  )
  const parsed = parseBrokerConfig(values)
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
  const broker = await startBroker({ config: parsed.config, clock: systemClock, random: systemRandom, log })
  return {
    ...broker,
    folder: path,
    async remove() {
      await broker.stop()
      await rm(path, { recursive: true, force: true })
    },
  }
}
