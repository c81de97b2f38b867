// The coordinators of one broker against those of Apache Kafka on this machine: offset commits, rebalances, transactions, many groups. The same client
// that speaks the protocol by hand, both systems up, every scenario on one and then the other, in turn. Prints a table of medians
// and ratios; --write puts it into bench/results/.
//
//   node bench/coordinators.ts [--rounds 3] [--only TEXT] [--write]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Comparison } from './peers/comparison.ts'
import { coordination, prepare } from './peers/coordination.ts'
import { measureLargeGroup } from './peers/large-group.ts'
import { measureManyOffsets } from './peers/many-offsets.ts'
import { startSystem, type System, type SystemName } from './peers/systems.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
})
const NAMES: readonly SystemName[] = ['kafka', 'flotilla']
/** A hundred members join at once; nobody is to be waited for. */
const SETTINGS = { 'group.initial.rebalance.delay.ms': '500' }
const rounds = Number(flags.rounds)
const chosen = coordination.filter(scenario => scenario.name.includes(flags.only))
const inTurn = (round: number) => (round % 2 === 0 ? NAMES : [...NAMES].reverse())
const folder = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'flotilla-bench-'))
const comparison = new Comparison()

try {
  if (chosen.length > 0) {
    const systems = new Map<SystemName, System>()
    for (const name of NAMES) systems.set(name, await startSystem(name, folder, SETTINGS))
    for (const system of systems.values()) await prepare(system)
    // Kafka's code is compiled while it runs: a round that is not counted makes both warm.
    for (const scenario of chosen) for (const system of systems.values()) await scenario.run(system)
    for (const scenario of chosen) {
      for (let round = 0; round < rounds; round++) {
        for (const name of inTurn(round)) comparison.note(name, await scenario.run(systems.get(name)!))
      }
    }
    for (const system of systems.values()) await system.stop()
  }
  if ('large group'.includes(flags.only)) {
    comparison.note('flotilla', await measureLargeGroup(join(folder, 'large')))
  }
  if ('many offsets'.includes(flags.only)) {
    for (const name of NAMES) comparison.note(name, await measureManyOffsets(name, join(folder, 'many')))
  }
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
}

console.log(comparison.table())
if (flags.write) await comparison.write('coordinators', 'Coordinators against Apache Kafka', rounds)
