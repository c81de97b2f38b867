// What was measured of the two systems, as a table of medians and ratios, and as files in bench/results/.
import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Measured } from './scenarios.ts'
import type { SystemName } from './systems.ts'

type Row = { unit: string; isBetter: 'more' | 'less'; values: Record<SystemName, number[]> }

export class Comparison {
  readonly #rows = new Map<string, Row>()

  note(system: SystemName, measured: readonly Measured[]): void {
    for (const { name, value, unit, isBetter } of measured) {
      const row = this.#rows.get(name) ?? { unit, isBetter, values: { kafka: [], flotilla: [] } }
      row.values[system].push(value)
      this.#rows.set(name, row)
      console.error(`  ${system.padEnd(8)} ${name}: ${value.toFixed(2)} ${unit}`)
    }
  }

  /** In Markdown: the median, and the lowest and highest. */
  table(): string {
    const rows = [...this.#rows].map(([name, { unit, isBetter, values }]) => {
      const cell = (of: readonly number[]): string =>
        of.length === 0 ? '-' : `${median(of).toFixed(1)} (${spread(of)}) ${unit}`
      // Not everything can be asked of both.
      const isOfOne = values.kafka.length === 0 || values.flotilla.length === 0
      const ratio = isOfOne ? '-' : `${(median(values.flotilla) / median(values.kafka)).toFixed(2)}x`
      return `| ${name} | ${cell(values.flotilla)} | ${cell(values.kafka)} | ${ratio} | ${isBetter} |`
    })
    return ['| what | Flotilla | Apache Kafka | ratio | better |', '|---|---|---|---|---|', ...rows].join('\n')
  }

  /** Writes bench/results/NAME.md and NAME.json. */
  async write(name: string, title: string, rounds: number): Promise<void> {
    const results = fileURLToPath(new URL('../results/', import.meta.url))
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
    const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
    await mkdir(results, { recursive: true })
    const rows = Object.fromEntries(this.#rows)
    await writeFile(join(results, `${name}.json`), JSON.stringify({ commit, machine, rounds, rows }, null, 2) + '\n')
    await writeFile(
      join(results, `${name}.md`),
      `# ${title}\n\n${machine}; commit ${commit}; medians of ${rounds} rounds (lowest..highest), or of one where a system of its own was needed.\n\n${this.table()}\n`,
    )
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const spread = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(1)}..${Math.max(...values).toFixed(1)}`
