// The two systems that are compared, each as one process with its own data folder, and what the kernel knows about it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startApacheKafka } from '../../test/clients/apache-kafka.ts'
import { startFlotilla } from '../../test/clients/flotilla.ts'
import { freePort } from '../../test/clients/server-process.ts'

export type SystemName = 'flotilla' | 'kafka'

export type System = {
  readonly name: SystemName
  readonly host: string
  readonly port: number
  readonly bootstrap: string
  readonly pid: number
  /** What it says of requests, errors and connections, for the day when a client gets stuck. */
  counters(): Promise<string>
  stop(): Promise<void>
}

/** Starts a system with its defaults, but for what a benchmark must not meet: retention, and topics that appear by mistake. */
export async function startSystem(
  name: SystemName,
  folder: string,
  more: Readonly<Record<string, string>> = {},
): Promise<System> {
  const properties = { 'auto.create.topics.enable': 'false', 'log.retention.ms': '-1', ...more }
  const dataDir = join(folder, name)
  if (name === 'kafka') {
    const counters = () => Promise.resolve('Apache Kafka tells nothing here')
    return { ...(await startApacheKafka({ dataDir, properties })), name, counters }
  }
  const host = '127.0.0.1'
  const port = await freePort()
  const http = { 'flotilla.http.host': host, 'flotilla.http.port': String(port) }
  const counters = async () => {
    const text = await (await fetch(`http://${host}:${port}/metrics`)).text()
    return text.replace(/^(#.*|(?!kafka_network|kafka_server|flotilla).*|.* 0)\n/gm, '')
  }
  return { ...(await startFlotilla({ dataDir, properties: { ...properties, ...http } })), name, counters }
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
