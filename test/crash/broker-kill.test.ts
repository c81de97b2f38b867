// The whole broker as a process, killed with SIGKILL at random moments under load, again and again on the same data directory.
// FLOTILLA_CRASHES sets how often (default 60), FLOTILLA_SEED replays the same moments.
import { ok } from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { createTopic } from '../../bench/peers/admin.ts'
import { startFlotilla } from '../clients/flotilla.ts'
import { seededNumbers } from '../seeded.ts'
import { PartitionLoad } from './load.ts'

const crashes = Number(process.env.FLOTILLA_CRASHES ?? 60)
const seed = Number(process.env.FLOTILLA_SEED ?? Date.now() % 1_000_000)

test(`nothing acknowledged is lost, half there or moved over ${crashes} kills (seed ${seed})`, async () => {
  const next = seededNumbers(seed)
  const dataDir = await mkdtemp(join(tmpdir(), 'flotilla-kill-'))
  // Small segments, so that sealing is under way at some of the kills.
  const properties = { 'log.segment.bytes': '4000000' }
  const loads = [0, 1, 2, 3].map(partition => new PartitionLoad('crash', partition, next))
  try {
    let broker = await startFlotilla({ dataDir, properties })
    await createTopic(broker, 'crash', loads.length)
    for (let i = 0; i < crashes; i++) {
      const producing = loads.map(load => load.produceUntilLost(broker))
      await new Promise(resolve => setTimeout(resolve, 20 + next() * 600))
      await broker.kill()
      await Promise.all(producing)
      broker = await startFlotilla({ dataDir, properties })
      for (const load of loads) await load.verify(broker)
    }
    for (const load of loads) await load.verifyAll(broker)
    await broker.stop()
    const acknowledged = loads.reduce((sum, load) => sum + load.acknowledged, 0)
    ok(acknowledged > crashes * 100, `the load was a load: ${acknowledged} records were acknowledged`)
    await rm(dataDir, { recursive: true, force: true })
  } catch (cause) {
    throw new Error(`what the broker left is in ${dataDir}`, { cause })
  }
})
