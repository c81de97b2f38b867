// One broker against Apache Kafka on this machine: the same unmodified clients, both systems up, every scenario on one and
// then the other, in turn. Prints a table of medians and ratios; --write puts it into bench/results/.
//
//   npm run bench -- [--rounds 3] [--only TEXT] [--write]
import { execFileSync } from 'node:child_process'
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createTopic } from './peers/admin.ts'
import { javaProduce } from './peers/clients.ts'
import { scenarios, type Measured } from './peers/scenarios.ts'
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

type Row = { unit: string; isBetter: 'more' | 'less'; values: Record<SystemName, number[]> }
const rows = new Map<string, Row>()

function note(system: SystemName, measured: readonly Measured[]): void {
  for (const { name, value, unit, isBetter } of measured) {
    const row = rows.get(name) ?? { unit, isBetter, values: { kafka: [], flotilla: [] } }
    row.values[system].push(value)
    rows.set(name, row)
    console.error(`  ${system.padEnd(8)} ${name}: ${value.toFixed(2)} ${unit}`)
  }
}

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
    for (const name of NAMES) note(name, await measureStart(name, join(folder, `start-${name}`)))
  }
  const systems = new Map<SystemName, System>()
  for (const name of NAMES) systems.set(name, await startSystem(name, folder))
  for (const system of systems.values()) await warmUp(system)
  for (const scenario of chosen) {
    for (let round = 0; round < rounds; round++) {
      for (const name of inTurn(round)) note(name, await scenario.run(systems.get(name)!))
    }
  }
  for (const system of systems.values()) await system.stop()
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const spread = (values: readonly number[]) => `${Math.min(...values).toFixed(1)}..${Math.max(...values).toFixed(1)}`
const table = [
  '| what | Flotilla | Apache Kafka | ratio | better |',
  '|---|---|---|---|---|',
  ...[...rows].map(
    ([
      name,
      {
        unit,
        isBetter,
        values: { flotilla, kafka },
      },
    ]) => {
      const ratio = median(flotilla) / median(kafka)
      const cell = (values: readonly number[]) => `${median(values).toFixed(1)} (${spread(values)}) ${unit}`
      return `| ${name} | ${cell(flotilla)} | ${cell(kafka)} | ${ratio.toFixed(2)}x | ${isBetter} |`
    },
  ),
].join('\n')
console.log(table)

if (flags.write) {
  const results = fileURLToPath(new URL('results/', import.meta.url))
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
  await mkdir(results, { recursive: true })
  await writeFile(
    join(results, 'broker.json'),
    JSON.stringify({ commit, machine, rounds, rows: Object.fromEntries(rows) }, null, 2) + '\n',
  )
  await writeFile(
    join(results, 'broker.md'),
    `# One broker against Apache Kafka\n\n${machine}; commit ${commit}; medians of ${rounds} rounds (lowest..highest).\n\n${table}\n`,
  )
}
