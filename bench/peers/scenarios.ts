// What is measured. Every scenario takes a system that is warm and returns numbers; broker.ts runs them on both systems in
// alternation and prints ratios. Sizes are chosen so that one measurement takes a few seconds.
import { execFileSync } from 'node:child_process'
import { createTopic, deleteTopic } from './admin.ts'
import { endToEndLatency, javaProduce, rdkafkaConsume, rdkafkaProduce } from './clients.ts'
import { cpuSeconds, memoryMb, type System } from './systems.ts'

export type Measured = {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly isBetter: 'more' | 'less'
}

export type Scenario = { readonly name: string; run(system: System): Promise<readonly Measured[]> }

/** Every acknowledgement is on the disk, or flushing is left to the operating system: the same topic setting for both. */
const FLUSHED = { 'flush.messages': '1' }
const UNFLUSHED = { 'flush.messages': '9223372036854775807' }

const KIB = 1024
const GIB = 1024 ** 3
let topics = 0

async function inTopic<T>(
  system: System,
  partitions: number,
  configs: Readonly<Record<string, string>>,
  use: (topic: string) => Promise<T>,
): Promise<T> {
  const topic = `bench-${++topics}`
  await createTopic(system, topic, partitions, configs)
  // What an earlier measurement left in the page cache must not be written out during this one.
  execFileSync('sync')
  try {
    return await use(topic)
  } finally {
    await deleteTopic(system, topic)
  }
}

async function withCpu(
  system: System,
  bytes: number,
  use: () => Promise<number>,
): Promise<{ mbPerSecond: number; cpuPerGb: number }> {
  const before = cpuSeconds(system)
  const mbPerSecond = await use()
  return { mbPerSecond, cpuPerGb: (cpuSeconds(system) - before) / (bytes / GIB) }
}

function produceScenario(sizeBytes: number, acks: '1' | 'all', isFlushed: boolean, partitions = 6): Scenario {
  const records = Math.round(((isFlushed ? 150 : 300) * KIB * KIB) / Math.max(sizeBytes, 300))
  const size = sizeBytes < KIB ? `${sizeBytes} B` : `${sizeBytes / KIB} KiB`
  const name = `produce ${size} acks=${acks} ${isFlushed ? 'flushed' : 'unflushed'}, ${partitions} partitions`
  return {
    name,
    run: system =>
      inTopic(system, partitions, isFlushed ? FLUSHED : UNFLUSHED, async topic => {
        const load = { topic, records, sizeBytes, acks }
        const { mbPerSecond, cpuPerGb } = await withCpu(system, records * sizeBytes, () => javaProduce(system, load))
        return [
          { name, value: mbPerSecond, unit: 'MB/s', isBetter: 'more' },
          { name: `${name}: broker CPU`, value: cpuPerGb, unit: 's/GiB', isBetter: 'less' },
        ]
      }),
  }
}

/** What each ships with: ours flushes every acknowledgement, Kafka leaves it to the operating system. */
const defaultsScenario: Scenario = {
  name: 'produce 1 KiB acks=all, each with its own default',
  run: system =>
    inTopic(system, 6, {}, async topic => {
      const load = { topic, records: 300_000, sizeBytes: KIB, acks: 'all' } as const
      return [{ name: defaultsScenario.name, value: await javaProduce(system, load), unit: 'MB/s', isBetter: 'more' }]
    }),
}

const rdkafkaScenario: Scenario = {
  name: 'librdkafka: produce 1 KiB acks=all unflushed, consume cold and again',
  run: system =>
    inTopic(system, 6, UNFLUSHED, async topic => {
      const records = 1_000_000
      const bytes = records * KIB
      const produced = await withCpu(system, bytes, () =>
        rdkafkaProduce(system, { topic, records, sizeBytes: KIB, acks: 'all' }),
      )
      execFileSync('sync')
      execFileSync('sh', ['-c', 'echo 3 > /proc/sys/vm/drop_caches'])
      const cold = await withCpu(system, bytes, () => rdkafkaConsume(system, topic, 6, records))
      const again = await withCpu(system, bytes, () => rdkafkaConsume(system, topic, 6, records))
      return [
        {
          name: 'librdkafka: produce 1 KiB acks=all unflushed',
          value: produced.mbPerSecond,
          unit: 'MB/s',
          isBetter: 'more',
        },
        { name: 'librdkafka: consume, page cache dropped', value: cold.mbPerSecond, unit: 'MB/s', isBetter: 'more' },
        { name: 'librdkafka: consume, page cache warm', value: again.mbPerSecond, unit: 'MB/s', isBetter: 'more' },
        { name: 'librdkafka: consume: broker CPU', value: again.cpuPerGb, unit: 's/GiB', isBetter: 'less' },
      ]
    }),
}

/** What fits into a tail cache: the newest 30 MB. */
const tailScenario: Scenario = {
  name: 'librdkafka: consume at the tail',
  run: system =>
    inTopic(system, 6, UNFLUSHED, async topic => {
      const records = 30_000
      await rdkafkaProduce(system, { topic, records, sizeBytes: KIB, acks: 'all' })
      let mbPerSecond = 0
      for (let i = 0; i < 5; i++) mbPerSecond = Math.max(mbPerSecond, await rdkafkaConsume(system, topic, 6, records))
      return [{ name: tailScenario.name, value: mbPerSecond, unit: 'MB/s', isBetter: 'more' }]
    }),
}

function latencyScenario(isFlushed: boolean): Scenario {
  const name = `end-to-end latency at 2,000 records/s of 1 KiB, ${isFlushed ? 'flushed' : 'unflushed'}`
  return {
    name,
    run: system =>
      inTopic(system, 1, isFlushed ? FLUSHED : UNFLUSHED, async topic => {
        const load = { topic, ratePerSecond: 2_000, records: 16_000, sizeBytes: KIB }
        const { p50, p99, p999 } = await endToEndLatency(system, load)
        return [
          { name: `${name}: p50`, value: p50, unit: 'ms', isBetter: 'less' },
          { name: `${name}: p99`, value: p99, unit: 'ms', isBetter: 'less' },
          { name: `${name}: p99.9`, value: p999, unit: 'ms', isBetter: 'less' },
        ]
      }),
  }
}

const memoryScenario: Scenario = {
  name: 'highest memory so far, under all of this load',
  run: system =>
    Promise.resolve([{ name: memoryScenario.name, value: memoryMb(system, 'VmHWM'), unit: 'MB', isBetter: 'less' }]),
}

/** In this order; the last one looks back. */
export const scenarios: readonly Scenario[] = [
  ...[100, KIB, 10 * KIB].flatMap(size =>
    [false, true].flatMap(isFlushed => (['1', 'all'] as const).map(acks => produceScenario(size, acks, isFlushed))),
  ),
  produceScenario(KIB, 'all', true, 1000),
  defaultsScenario,
  rdkafkaScenario,
  tailScenario,
  latencyScenario(false),
  latencyScenario(true),
  memoryScenario,
]
