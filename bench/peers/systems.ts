// The two systems that are compared, each as one process with its own data folder, and what the kernel knows about it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startApacheKafka } from '../../test/clients/apache-kafka.ts'
import { startFlotilla } from '../../test/clients/flotilla.ts'

export type SystemName = 'flotilla' | 'kafka'

export type System = {
  readonly name: SystemName
  readonly host: string
  readonly port: number
  readonly bootstrap: string
  readonly pid: number
  stop(): Promise<void>
}

/** Starts a system with its defaults, but for what a benchmark must not meet: retention, and topics that appear by mistake. */
export async function startSystem(name: SystemName, folder: string): Promise<System> {
  const properties = { 'auto.create.topics.enable': 'false', 'log.retention.ms': '-1' }
  const options = { dataDir: join(folder, name), properties }
  const server = name === 'kafka' ? await startApacheKafka(options) : await startFlotilla(options)
  return { ...server, name }
}

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK']).toString())

/** Seconds of processor time that the process has used, in all its threads. */
export function cpuSeconds(system: System): number {
  const fields = readFileSync(`/proc/${system.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Resident memory in MB: as it is, or the highest it has been since the last `resetPeak`. */
export function memoryMb(system: System, which: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${system.pid}/status`, 'utf8')
  return Number(new RegExp(`${which}:\\s+(\\d+) kB`).exec(status)![1]) / 1024
}
