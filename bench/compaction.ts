// Ten million offset commits of a thousand groups, as a broker keeps them: what the log of `__consumer_offsets` takes on the disk and how long it takes
// to load. With a cleaner that runs as it does in a broker (on), without one (off), and with one that runs when all is written (later), beside a
// producer to another partition that says what it notices: in several rounds of writing, waiting and cleaning, as a disk is not the same from
// one second to the next. Writes to the log itself: no protocol, no coordinator.
//
//   node bench/compaction.ts [--commits 10000000] [--groups 1000] [--partitions 10] [--cleaner on|off|later] [--rounds 5]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../broker/base/clock.ts'
import { silentLogger } from '../broker/base/log.ts'
import type { Uuid } from '../broker/base/uuid.ts'
import type { LogConfig } from '../broker/config/topic-config.ts'
import { groupCodec } from '../broker/coordinator/group/record.ts'
import { buildBatch, eachBatch, readHeader, sizeOf } from '../broker/records/batch.ts'
import type { RecordInit } from '../broker/records/record-writer.ts'
import { readRecords } from '../broker/records/record.ts'
import { defaultCleanerConfig } from '../broker/storage/cleaner/log-cleaner.ts'
import { nodeFiles } from '../broker/storage/files.ts'
import { defaultLogLimits, LogDirectory } from '../broker/storage/log-directory.ts'
import { UNCONFIGURED } from '../broker/storage/log-loader.ts'
import type { PartitionLog } from '../broker/storage/partition-log.ts'
import { openRocksStore } from '../broker/storage/rocks-store.ts'

const { values: flags } = parseArgs({
  options: {
    commits: { type: 'string', default: '10000000' },
    groups: { type: 'string', default: '1000' },
    partitions: { type: 'string', default: '10' },
    cleaner: { type: 'string', default: 'on' },
    rounds: { type: 'string', default: '5' },
  },
})
const commits = Number(flags.commits)
const groups = Number(flags.groups)
const partitions = Number(flags.partitions)
const rounds = Number(flags.rounds)

const OFFSETS: Uuid = 'AAAAAAAAAAAAAAAAAAAAAg'
const PROBE: Uuid = 'AAAAAAAAAAAAAAAAAAAAAw'
/** What the broker gives `__consumer_offsets`. */
const OFFSETS_CONFIG: LogConfig = {
  ...UNCONFIGURED,
  cleanupPolicy: new Set(['compact'] as const),
  // What is cleaned later is cleaned in every round, and only what is sealed can be.
  segmentBytes: (flags.cleaner === 'later' ? 10 : 100) * 1024 * 1024,
}
const PROBE_EVERY_MS = 5
const QUIET_MS = 5000
const BATCHES_IN_FLIGHT = 500

function commitOf(group: number, partition: number, offset: number): RecordInit {
  const stored = groupCodec.encode({
    kind: 'offset-committed',
    groupId: `orders-service-${group}`,
    topic: 'orders.created',
    partition,
    committed: { offset, leaderEpoch: 7, metadata: '', commitTimestampMs: systemClock.now(), expireTimestampMs: -1 },
    transaction: null,
  })
  if ('marker' in stored) throw new Error('a commit is a record')
  return { timestamp: systemClock.now(), key: stored.key, value: stored.value }
}

function append(log: PartitionLog, records: readonly RecordInit[]): Promise<void> {
  const batch = buildBatch({ baseOffset: log.endOffset, leaderEpoch: 0, records })
  return log.append(batch, readHeader(batch, 0))
}

/** One commit of all partitions of a group is one batch. */
async function commitAll(log: PartitionLog, count: number, directory: () => string): Promise<void> {
  let inFlight: Promise<void>[] = []
  const startMs = systemClock.monotonic()
  for (let done = 0; done < count; done += partitions) {
    const round = Math.floor(done / (groups * partitions))
    const group = (done / partitions) % groups
    const records: RecordInit[] = []
    for (let partition = 0; partition < partitions; partition++) records.push(commitOf(group, partition, round))
    inFlight.push(append(log, records))
    if (inFlight.length === BATCHES_IN_FLIGHT) {
      await Promise.all(inFlight)
      inFlight = []
    }
    if ((done + partitions) % 1_000_000 < partitions) {
      const seconds = (systemClock.monotonic() - startMs) / 1000
      console.log(`${done + partitions} commits, ${seconds.toFixed(1)} s, ${mib(log.sizeBytes)} MiB ${directory()}`)
    }
  }
  await Promise.all(inFlight)
}

/** Appends to another partition all the time; resolves with how long that took. */
function probe(log: PartitionLog): { stop(): Promise<number[]> } {
  const times: number[] = []
  let isStopped = false
  const record = { timestamp: 1, value: Buffer.alloc(1000) }
  const run = async (): Promise<void> => {
    while (!isStopped) {
      await new Promise<void>(resolve => void systemClock.after(PROBE_EVERY_MS, resolve))
      const startMs = systemClock.monotonic()
      await append(log, [record])
      times.push(systemClock.monotonic() - startMs)
    }
  }
  const running = run()
  return {
    async stop() {
      isStopped = true
      await running
      return times.sort((a, b) => a - b)
    },
  }
}

const at = (times: readonly number[], share: number): number =>
  times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0

function latencies(times: readonly number[]): string {
  const [p50, p99, max] = [0.5, 0.99, 1].map(share => at(times, share).toFixed(1))
  return `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`
}

/** Fills the log with a part of the commits, waits, and cleans: what a producer to another partition notices of the last. */
async function cleanInRounds(log: PartitionLog, other: PartitionLog, logs: LogDirectory): Promise<void> {
  const p99: { quiet: number[]; busy: number[] } = { quiet: [], busy: [] }
  for (let round = 0; round < rounds; round++) {
    await commitAll(log, commits / rounds, () => `dirty ${logs.cleanerView().maxDirtyPercent} %`)
    const written = mib(log.sizeBytes)
    const waiting = probe(other)
    await new Promise<void>(resolve => void systemClock.after(QUIET_MS, resolve))
    const quiet = await waiting.stop()
    const cleaning = probe(other)
    const startMs = systemClock.monotonic()
    await logs.runCleaner()
    const seconds = ((systemClock.monotonic() - startMs) / 1000).toFixed(1)
    const busy = await cleaning.stop()
    console.log(`append to another partition, nothing else: ${latencies(quiet)}`)
    console.log(`cleaned ${written} MiB in ${seconds} s to ${mib(log.sizeBytes)}; append beside it: ${latencies(busy)}`)
    p99.quiet.push(at(quiet, 0.99))
    p99.busy.push(at(busy, 0.99))
  }
  const [quiet, busy] = [p99.quiet, p99.busy].map(values =>
    at(
      values.sort((a, b) => a - b),
      0.5,
    ),
  )
  console.log(
    `median p99 ${quiet!.toFixed(1)} ms, beside the cleaner ${busy!.toFixed(1)} ms: ${(busy! / quiet!).toFixed(2)}x`,
  )
}

const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0)

/** Reads the log as a coordinator does when it loads. */
async function load(log: PartitionLog): Promise<{ records: number; keys: number; tookMs: number }> {
  const startMs = systemClock.monotonic()
  const state = new Map<string, unknown>()
  let records = 0
  const { endOffset } = log
  for (let offset = log.logStartOffset; offset < endOffset;) {
    const found = await log.read(offset, { maxBytes: 1024 * 1024, endOffset, minOneBatch: true })
    if (typeof found === 'string' || found.length === 0) break
    for (const bytes of found) {
      for (const at of eachBatch(bytes)) {
        const batch = bytes.subarray(at, at + sizeOf(bytes, at))
        offset = readHeader(batch).lastOffset + 1
        for (const { key, value } of readRecords(batch)) {
          const record = groupCodec.decode(key!, value, null)
          records++
          if (record?.kind === 'offset-committed') state.set(`${record.groupId} ${record.partition}`, record.committed)
        }
      }
    }
  }
  return { records, keys: state.size, tookMs: systemClock.monotonic() - startMs }
}

// The timers of the broker's clock do not keep a process alive.
const alive = setInterval(() => {}, 1000)
const path = mkdtempSync(join(tmpdir(), 'flotilla-compaction-'))
try {
  const store = await openRocksStore(join(path, 'store'))
  const logs = await LogDirectory.open({
    directory: { path, isCleanStart: false },
    store,
    files: nodeFiles,
    clock: systemClock,
    log: {
      ...silentLogger,
      info: (fields: object, text?: string) => text === 'log cleaned' && console.log(JSON.stringify(fields)),
    } as typeof silentLogger,
    limits: { ...defaultLogLimits, diskReserveBytes: 0 },
    cleaner: { ...defaultCleanerConfig, isEnabled: flags.cleaner === 'on' },
  })
  const log = logs.create(OFFSETS, 0, '__consumer_offsets', OFFSETS_CONFIG)
  const other = logs.create(PROBE, 0, 'probe', UNCONFIGURED)
  if (flags.cleaner === 'later') await cleanInRounds(log, other, logs)
  else await commitAll(log, commits, () => `dirty ${logs.cleanerView().maxDirtyPercent} %`)
  console.log(`${commits} commits: ${mib(log.sizeBytes)} MiB`)
  const { records, keys, tookMs } = await load(log)
  console.log(`loaded ${records} records of ${keys} keys in ${(tookMs / 1000).toFixed(2)} s`)
  await logs.close()
  await store.close()
} finally {
  clearInterval(alive)
  rmSync(path, { recursive: true, force: true })
}
