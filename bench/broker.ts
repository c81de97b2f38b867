// One broker against Apache Kafka on this machine: the same unmodified clients, both systems up, every scenario on one and
// then the other, in turn. Prints a table of medians and ratios; --write puts it into bench/results/.
//
//   npm run bench -- [--rounds 3] [--only TEXT] [--write]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createTopic } from './peers/admin.ts'
import { javaProduce } from './peers/clients.ts'
import { Comparison } from './peers/comparison.ts'
import { scenarios } from './peers/scenarios.ts'
import { measureStart } from './peers/start.ts'
import { startSystem, type System, type SystemName } from './peers/systems.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
})
const NAMES: readonly SystemName[] = ['kafka', 'flotilla']
const folder = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'flotilla-bench-'))

const comparison = new Comparison()

/** Kafka's code is compiled while it runs; both get the same half minute to get warm. */
async function warmUp(system: System): Promise<void> {
  await createTopic(system, 'warm-up', 6, { 'flush.messages': '9223372036854775807' })
  for (let i = 0; i < 3; i++)
    await javaProduce(system, { topic: 'warm-up', records: 200_000, sizeBytes: 1024, acks: 'all' })
}

const rounds = Number(flags.rounds)
const chosen = scenarios.filter(scenario => scenario.name.includes(flags.only))
const inTurn = (round: number) => (round % 2 === 0 ? NAMES : [...NAMES].reverse())
try {
  if ('start'.includes(flags.only)) {
    // Once: with 10,000 partitions it takes Kafka minutes.
    for (const name of NAMES) comparison.note(name, await measureStart(name, join(folder, `start-${name}`)))
  }
  const systems = new Map<SystemName, System>()
  for (const name of NAMES) systems.set(name, await startSystem(name, folder))
  for (const system of systems.values()) await warmUp(system)
  for (const scenario of chosen) {
    for (let round = 0; round < rounds; round++) {
      for (const name of inTurn(round)) comparison.note(name, await scenario.run(systems.get(name)!))
    }
  }
  for (const system of systems.values()) await system.stop()
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
}

console.log(comparison.table())
if (flags.write) await comparison.write('broker', 'One broker against Apache Kafka', rounds)
