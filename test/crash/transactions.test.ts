// The whole broker, killed with SIGKILL at every step of a transaction, again and again on the same data directory: when a producer starts,
// adds partitions (one of them is an older client), writes, asks for the end, is answered, and a few milliseconds later, while markers are being written. Afterwards every transaction is all
// or nothing, what was answered holds, and nothing holds readers up. FLOTILLA_CRASHES sets how often (default 60), FLOTILLA_SEED the moments.
import { ok } from 'node:assert/strict'
import { test } from 'vitest'
import { createTopic } from '../../bench/peers/admin.ts'
import { seededNumbers } from '../seeded.ts'
import { newFolder } from './broker-process.ts'
import { cleanUpAfterTests, startBroker } from './operations.ts'
import { findCoordinator, readCommitted, TransactionLoad, verify, type Step } from './transaction-load.ts'

const crashes = Number(process.env.FLOTILLA_CRASHES ?? 60)
const seed = Number(process.env.FLOTILLA_SEED ?? Date.now() % 1_000_000)
const TOPIC = 'ledger'
const PARTITIONS = 4
const PRODUCERS = 3
const STEPS: readonly Step[] = ['starts', 'started', 'adds', 'added', 'writes', 'wrote', 'ends', 'ended']
const SETTINGS = { 'transaction.state.log.num.partitions': '3', 'log.segment.bytes': '4000000' }

cleanUpAfterTests()

test(`transactions are all or nothing over ${crashes} kills at their every step (seed ${seed})`, async () => {
  const next = seededNumbers(seed)
  const below = (limit: number): number => Math.floor(next() * limit)
  const dataDir = await newFolder('transactions')
  const loads = Array.from(
    { length: PRODUCERS },
    (_, index) => new TransactionLoad(`producer-${index}`, TOPIC, PARTITIONS, next, index === 0),
  )
  let broker = await startBroker(dataDir, SETTINGS)
  await createTopic(broker, TOPIC, PARTITIONS)
  await findCoordinator(broker)
  for (let crash = 0; crash < crashes; crash++) {
    const step = STEPS[crash % STEPS.length]!
    const isRare = step === 'starts' || step === 'started'
    let left = 1 + below(isRare ? PRODUCERS : 60)
    const running = broker
    const killed = new Promise<void>(resolve => {
      const onStep = (reached: Step): void => {
        if (reached !== step || --left !== 0) return
        // Half of the kills are a little later: while the log commits, while markers are on their way.
        const kill = (): void => void running.kill().then(resolve)
        if (below(2) === 0) kill()
        else setTimeout(kill, below(8))
      }
      for (const load of loads) void load.runUntilLost(running, onStep)
    })
    await killed
    broker = await startBroker(dataDir, SETTINGS)
    for (const load of loads) await load.fence(broker)
    const partitions = await Promise.all(
      Array.from({ length: PARTITIONS }, (_, partition) => readCommitted(broker, TOPIC, partition)),
    )
    verify(loads, partitions)
  }
  await broker.stop()
  const committed = loads.reduce((sum, load) => sum + load.committed, 0)
  ok(committed > crashes * 5, `the load was a load: ${committed} transactions were committed`)
})
