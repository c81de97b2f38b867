// The load: Kafka's own producer-perf-test and librdkafka's rdkafka_performance, unmodified, and what they print.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { installed, pathOf } from '../../test/clients/installation.ts'
import type { System } from './systems.ts'

const run = promisify(execFile)
const MB = 1024 * 1024

export type Load = { topic: string; records: number; sizeBytes: number; acks: '1' | 'all' }

const installation = await installed('kafka')
const javaClassPath = `${join(pathOf(installation, 'tools'), '*')}:${join(pathOf(installation, 'kafka'), '*')}`
const rdkafka = (await run(fileURLToPath(new URL('install.sh', import.meta.url)))).stdout.trim()

/** Longer than the two minutes after which Kafka's producer gives up a batch. */
const TOO_LONG_MS = 600_000

/** Kafka's producer as fast as it goes. Returns MB/s (2^20 bytes). Rejects when a record was not acknowledged. */
export async function javaProduce(system: System, { topic, records, sizeBytes, acks }: Load): Promise<number> {
  const args = [
    ...['-Xmx512m', '-cp', javaClassPath, 'org.apache.kafka.tools.ProducerPerformance'],
    ...['--topic', topic, '--num-records', String(records), '--record-size', String(sizeBytes), '--throughput', '-1'],
    '--producer-props',
    ...[`bootstrap.servers=${system.bootstrap}`, `acks=${acks}`, 'batch.size=65536', 'linger.ms=5'],
  ]
  const { stdout, stderr } = await run('java', args, { timeout: TOO_LONG_MS, maxBuffer: 64 * MB })
  // It prints what happened to a record that failed and ends as if nothing had.
  const failure = /^.*Exception: .*$/m.exec(stderr)
  if (failure !== null) {
    throw new Error(`${system.name} did not acknowledge all of ${topic}: ${failure[0]}\n${await system.counters()}`)
  }
  return numberIn(stdout.trim().split('\n').at(-1)!, /\(([\d.]+) MB\/sec\)/)
}

/** librdkafka's producer as fast as it goes. Returns MB/s. */
export async function rdkafkaProduce(system: System, { topic, records, sizeBytes, acks }: Load): Promise<number> {
  const { stdout, stderr } = await run(rdkafka, [
    ...['-P', '-t', topic, '-b', system.bootstrap, '-c', String(records), '-s', String(sizeBytes), '-q'],
    ...['-a', acks === 'all' ? '-1' : acks, '-X', 'linger.ms=5', '-X', 'queue.buffering.max.messages=500000'],
  ])
  return numberIn(stdout + stderr, /([\d.]+) MB\/s(?![\s\S]*MB\/s)/)
}

/** librdkafka's consumer from the beginning of every partition, by assignment. Returns MB/s over all it received. */
export async function rdkafkaConsume(
  system: System,
  topic: string,
  partitions: number,
  records: number,
): Promise<number> {
  const began = performance.now()
  const assigned = Array.from({ length: partitions }, (_, partition) => ['-p', String(partition)]).flat()
  const { stdout, stderr } = await run(
    rdkafka,
    [
      ...['-C', '-t', topic, '-b', system.bootstrap, ...assigned, '-o', 'beginning', '-c', String(records), '-q'],
      ...['-X', 'fetch.message.max.bytes=4194304', '-X', 'queued.max.messages.kbytes=262144'],
    ],
    { maxBuffer: 64 * MB },
  )
  const bytes = numberIn(stdout + stderr, /messages \((\d+) bytes\)(?![\s\S]*messages \(\d+ bytes\))/)
  return bytes / MB / ((performance.now() - began) / 1000)
}

/**
 * A producer at a fixed rate and a consumer beside it, both librdkafka's, who compare the time stamps in the records.
 * Returns the percentiles of milliseconds from the producer's call to the consumer's callback.
 */
export async function endToEndLatency(
  system: System,
  load: { topic: string; ratePerSecond: number; records: number; sizeBytes: number },
): Promise<{ p50: number; p99: number; p999: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-latency-'))
  const path = join(folder, 'latencies')
  try {
    const common = ['-t', load.topic, '-p', '0', '-b', system.bootstrap, '-c', String(load.records), '-q', '-l']
    const consumer = run(rdkafka, ['-C', ...common, '-o', 'beginning', '-A', path], { maxBuffer: 64 * MB })
    const producer = run(
      rdkafka,
      [
        '-P',
        ...common,
        '-s',
        String(load.sizeBytes),
        '-r',
        String(load.ratePerSecond),
        '-a',
        '-1',
        '-X',
        'linger.ms=0',
      ],
      { maxBuffer: 64 * MB },
    )
    await Promise.all([consumer, producer])
    const values = (await readFile(path, 'utf8')).split('\n').filter(Boolean).map(Number)
    // The first second is the clients' start: connections, metadata, cold code on both sides.
    const sorted = values.slice(load.ratePerSecond).sort((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]! / 1000
    return { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function numberIn(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)
  if (found === null) throw new Error(`expected ${String(pattern)} in what the client printed:\n${text.slice(-2000)}`)
  return Number(found[1])
}
