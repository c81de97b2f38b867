// The partition log by itself: how the layout of a group commit (inline, one file per partition, shared staging file) decides throughput,
// latency and CPU, and what 10,000 partitions cost. docs/decisions/0003 quotes it. Not the broker: no protocol, no network, and
// nobody checks batches; so these are upper bounds.
//
//   node bench/log.ts layouts [--seconds 2] [--partitions 1,6,1000] [--sizes 200,1000,16000] [--only staging,own]
//   node bench/log.ts partitions [--count 10000]
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../broker/base/clock.ts'
import { silentLogger } from '../broker/base/log.ts'
import { uuidFromBytes, type Uuid } from '../broker/base/uuid.ts'
import type { LogConfig } from '../broker/config/topic-config.ts'
import { buildBatch, readHeader } from '../broker/records/batch.ts'
import { nodeFiles } from '../broker/storage/files.ts'
import { defaultLogLimits, LogDirectory, type LogLimits } from '../broker/storage/log-directory.ts'
import { UNCONFIGURED } from '../broker/storage/log-loader.ts'
import type { PartitionLog } from '../broker/storage/partition-log.ts'
import { openRocksStore } from '../broker/storage/rocks-store.ts'

const NEVER = 2 ** 40
const KIB = 1024

/** What is compared: where batches go. */
const LAYOUTS: Readonly<Record<string, Partial<LogLimits>>> = {
  // The broker's own choice.
  default: {},
  // Everything into RocksDB until it is moved to its segment.
  inline: { inlineGroupBytes: NEVER, ownFileBytes: NEVER, ownFileUnsyncedBytes: NEVER },
  // From 16 KiB on one file per partition, the rest inline: no shared file.
  own: { inlineGroupBytes: 0, inlineLogBytes: 16 * KIB, ownFileBytes: 16 * KIB, ownFileUnsyncedBytes: 16 * KIB },
  // Everything into the shared staging file.
  staging: { inlineGroupBytes: 0, inlineLogBytes: 0, ownFileBytes: NEVER, ownFileUnsyncedBytes: NEVER },
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '2' },
    partitions: { type: 'string', default: '1,6,1000' },
    sizes: { type: 'string', default: '200,1000,4000,16000,64000,256000,1000000' },
    only: { type: 'string', default: Object.keys(LAYOUTS).join(',') },
    flush: { type: 'string', default: 'sync,none' },
    inflight: { type: 'string', default: '5' },
    count: { type: 'string', default: '10000' },
    limits: { type: 'string', default: '{}' },
    child: { type: 'string' },
  },
})

const topicId = (index: number): Uuid => {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(index + 1, 12)
  return uuidFromBytes(bytes, 0)
}

type Bench = { readonly logs: LogDirectory; close(): Promise<void> }

async function open(path: string, limits: Partial<LogLimits>): Promise<Bench> {
  const store = await openRocksStore(join(path, 'store'))
  const logs = await LogDirectory.open({
    directory: { path, isCleanStart: false },
    store,
    files: nodeFiles,
    clock: systemClock,
    log: silentLogger,
    limits: { ...defaultLogLimits, diskReserveBytes: 0, ...limits },
  })
  return {
    logs,
    async close() {
      await logs.close()
      await store.close()
    },
  }
}

/** A batch of `sizeBytes` bytes, or a little more. */
function templateOf(sizeBytes: number): Buffer {
  const value = Buffer.alloc(Math.max(1, sizeBytes - 80), 'x')
  return buildBatch({ leaderEpoch: 0, records: [{ timestamp: Date.now(), value }] })
}

function append(log: PartitionLog, template: Buffer, header: ReturnType<typeof readHeader>): Promise<void> {
  // As a network frame would be: a fresh buffer per batch.
  const batch = Buffer.allocUnsafeSlow(template.length)
  template.copy(batch)
  const offset = log.endOffset
  batch.writeBigInt64BE(BigInt(offset), 0)
  return log.append(batch, { ...header, baseOffset: offset, lastOffset: offset })
}

type Result = {
  readonly mbPerSecond: number
  readonly appendsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpuPerGb: number
}

async function produce(logs: LogDirectory, partitions: number, sizeBytes: number, config: LogConfig): Promise<Result> {
  const template = templateOf(sizeBytes)
  const header = readHeader(template)
  const all = Array.from({ length: partitions }, (_, partition) => logs.create(topicId(0), partition, 'bench', config))
  const perPartition = partitions >= 100 ? 1 : Number(flags.inflight)
  const latencies: number[] = []
  let appends = 0
  const endMs = performance.now() + Number(flags.seconds) * 1000
  const startCpu = process.cpuUsage()
  const startMs = performance.now()
  const producer = async (log: PartitionLog): Promise<void> => {
    while (performance.now() < endMs) {
      const began = performance.now()
      await append(log, template, header)
      appends++
      if (appends % 7 === 0) latencies.push(performance.now() - began)
    }
  }
  const producers: Promise<void>[] = []
  for (const log of all) for (let count = 0; count < perPartition; count++) producers.push(producer(log))
  await Promise.all(producers)
  const elapsedMs = performance.now() - startMs
  const cpu = process.cpuUsage(startCpu)
  latencies.sort((a, b) => a - b)
  const bytes = appends * template.length
  return {
    mbPerSecond: bytes / 1e3 / elapsedMs,
    appendsPerSecond: (appends / elapsedMs) * 1000,
    p50: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
    p99: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    cpuPerGb: (cpu.user + cpu.system) / 1e6 / (bytes / 1e9),
  }
}

async function benchLayouts(): Promise<void> {
  console.log('partitions  batch B  flush  layout      MB/s  appends/s   p50 ms   p99 ms  CPU s/GB')
  for (const partitions of flags.partitions.split(',').map(Number)) {
    for (const size of flags.sizes.split(',').map(Number)) {
      for (const flush of flags.flush.split(',')) {
        for (const layout of flags.only.split(',')) {
          const path = mkdtempSync(join(tmpdir(), 'flotilla-bench-log-'))
          try {
            const bench = await open(path, { ...LAYOUTS[layout]!, ...(JSON.parse(flags.limits) as Partial<LogLimits>) })
            const config = { ...UNCONFIGURED, flushMessages: flush === 'sync' ? 1 : -1 }
            const result = await produce(bench.logs, partitions, size, config)
            await bench.close()
            console.log(row(partitions, size, flush, layout, result))
          } finally {
            rmSync(path, { recursive: true })
          }
        }
      }
    }
  }
}

function row(partitions: number, size: number, flush: string, layout: string, result: Result): string {
  const { mbPerSecond, appendsPerSecond, p50, p99, cpuPerGb } = result
  return [
    String(partitions).padStart(10),
    String(size).padStart(8),
    flush.padStart(6),
    layout.padStart(9),
    mbPerSecond.toFixed(1).padStart(8),
    appendsPerSecond.toFixed(0).padStart(10),
    p50.toFixed(2).padStart(8),
    p99.toFixed(2).padStart(8),
    cpuPerGb.toFixed(2).padStart(9),
  ].join(' ')
}

// Runs in a process of its own, so that memory is this case's, and so that it can die without a stop.
async function child(kind: string, path: string): Promise<void> {
  const count = Number(flags.count)
  const began = performance.now()
  const bench = await open(path, {})
  const openMs = performance.now() - began
  const report: Record<string, number> = { openMs, logs: [...bench.logs.logs()].length, ...memory('open') }
  if (kind === 'fill' || kind === 'die') {
    const template = templateOf(1000)
    const header = readHeader(template)
    const createMs = performance.now()
    const flushes: Promise<void>[] = []
    for (let index = 0; index < count; index++) {
      const id = topicId(Math.floor(index / 100))
      const log =
        bench.logs.log(id, index % 100) ??
        bench.logs.create(id, index % 100, `topic-${Math.floor(index / 100)}`, UNCONFIGURED)
      flushes.push(log.flush())
    }
    await Promise.all(flushes)
    report['createMs'] = performance.now() - createMs
    const appendMs = performance.now()
    for (let round = 0; round < 3; round++) {
      const appends: Promise<void>[] = []
      for (const log of bench.logs.logs()) appends.push(append(log, template, header))
      await Promise.all(appends)
    }
    report['appendMsPerRound'] = (performance.now() - appendMs) / 3
    Object.assign(report, memory('appends'))
  }
  if (kind !== 'die') {
    const closeMs = performance.now()
    await bench.close()
    report['closeMs'] = performance.now() - closeMs
  }
  process.send!(report)
  process.exit()
}

function memory(after: string): Record<string, number> {
  globalThis.gc?.()
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  return {
    [`rssMb_${after}`]: rss / 1e6,
    [`heapMb_${after}`]: heapUsed / 1e6,
    [`buffersMb_${after}`]: arrayBuffers / 1e6,
  }
}

async function benchPartitions(): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'flotilla-bench-log-'))
  try {
    for (const kind of ['empty', 'fill', 'clean start', 'die', 'start after a crash', 'clean start']) {
      const mode = kind === 'fill' || kind === 'die' ? kind : 'start'
      const at = kind === 'empty' ? join(path, 'empty') : join(path, 'full')
      const report = await new Promise<Record<string, number>>((resolve, reject) => {
        const argv = ['partitions', '--child', `${mode}:${at}`, '--count', flags.count]
        const worker = fork(import.meta.filename, argv, { execArgv: ['--expose-gc'] })
        worker.once('message', message => resolve(message as Record<string, number>))
        worker.once('error', reject)
        worker.once('exit', code => code !== 0 && reject(new Error(`${kind} ended with ${code}`)))
      })
      const figures = Object.entries(report).map(([name, value]) => `${name} ${value.toFixed(0)}`)
      console.log(`${kind.padEnd(20)} ${figures.join('  ')}`)
    }
  } finally {
    rmSync(path, { recursive: true })
  }
}

if (flags.child !== undefined) await child(flags.child.split(':')[0]!, flags.child.split(':')[1]!)
else if (positionals[0] === 'partitions') await benchPartitions()
else await benchLayouts()
