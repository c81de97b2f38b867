// Variants of this broker against each other, and against Apache Kafka if asked for: librdkafka's rdkafka_performance as the client,
// every variant up at the same time, each load on one after the other, round after round. Prints medians of throughput, of the
// broker's processor seconds for a GiB (which other work on the machine disturbs least), and the highest memory in the end.
//
//   node bench/variants.ts [--rounds 3] [--mb 300] [--only TEXT] [--kafka] --variant NAME=CHECKOUT[,--node-flag...][,ENV=value...] ...
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeBinary } from '../test/clients/flotilla.ts'
import { freePort, startServer } from '../test/clients/server-process.ts'
import { answersMetadata } from '../test/clients/wire.ts'
import { createTopic, deleteTopic } from './peers/admin.ts'
import { rdkafkaConsume, rdkafkaProduce } from './peers/clients.ts'
import { cpuSeconds, memoryMb, startSystem, type System } from './peers/systems.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    mb: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    kafka: { type: 'boolean', default: false },
    variant: { type: 'string', multiple: true, default: [`here=${resolve(import.meta.dirname, '..')}`] },
  },
})
const PARTITIONS = 6
const megabytes = Number(flags.mb)
const folder = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'flotilla-variants-'))

async function startVariant(text: string): Promise<[string, System]> {
  const [name, rest = ''] = text.split(/=(.*)/s) as [string, string?]
  const [checkout = '.', ...settings] = rest.split(',')
  const nodeFlags = settings.filter(setting => setting.startsWith('-'))
  const env = Object.fromEntries(settings.filter(setting => !setting.startsWith('-')).map(s => s.split(/=(.*)/s)))
  const dataDir = join(folder, name)
  await mkdir(dataDir, { recursive: true })
  const port = await freePort()
  const host = '127.0.0.1'
  const config = join(dataDir, 'server.properties')
  await writeFile(config, `listeners=PLAINTEXT://${host}:${port}\nflotilla.http.port=0\nlog.retention.ms=-1\n`)
  const cli = join(resolve(checkout), 'cli.ts')
  const server = await startServer({
    command: nodeBinary(),
    args: ['--single-threaded-gc', ...nodeFlags, cli, 'broker', '--config', config, '--data', join(dataDir, 'data')],
    env: { ...process.env, ...env },
    cwd: dataDir,
    logPath: join(dataDir, 'flotilla.log'),
    isReady: () => answersMetadata({ host, port }),
  })
  const counters = () => Promise.resolve(`the log is ${server.logPath}`)
  return [name, { ...server, name: 'flotilla', host, port, bootstrap: `${host}:${port}`, counters }]
}

const UNFLUSHED = { 'flush.messages': '9223372036854775807' }
let topics = 0

async function inTopic(system: System, configs: Record<string, string>, use: (topic: string) => Promise<void>) {
  const topic = `variants-${++topics}`
  await createTopic(system, topic, PARTITIONS, configs)
  await use(topic)
  await deleteTopic(system, topic)
}

const measured = new Map<string, { mbPerSecond: number[]; cpuPerGb: number[] }>()

async function measure(variant: string, load: string, system: System, mb: number, use: () => Promise<number>) {
  const before = cpuSeconds(system)
  const mbPerSecond = await use()
  const cpuPerGb = ((cpuSeconds(system) - before) / mb) * 1024
  console.error(
    `  ${variant.padEnd(12)} ${load.padEnd(28)} ${mbPerSecond.toFixed(0)} MB/s  ${cpuPerGb.toFixed(2)} s/GiB`,
  )
  const key = `${load}|${variant}`
  const row = measured.get(key) ?? { mbPerSecond: [], cpuPerGb: [] }
  measured.set(key, row)
  row.mbPerSecond.push(mbPerSecond)
  row.cpuPerGb.push(cpuPerGb)
}

async function runLoads(variant: string, system: System): Promise<void> {
  const produce = async (name: string, mb: number, sizeBytes: number, configs: Record<string, string>) => {
    if (!name.includes(flags.only)) return
    const records = Math.floor((mb * 1024 * 1024) / sizeBytes)
    await inTopic(system, configs, topic =>
      measure(variant, name, system, mb, () => rdkafkaProduce(system, { topic, records, sizeBytes, acks: 'all' })),
    )
  }
  await produce('produce 1 KiB unflushed', megabytes, 1024, UNFLUSHED)
  await produce('produce 1 KiB flushed', megabytes / 2, 1024, { 'flush.messages': '1' })
  await produce('produce 100 B unflushed', megabytes / 6, 100, UNFLUSHED)
  if (!'consume'.includes(flags.only) && !flags.only.includes('consume')) return
  await inTopic(system, UNFLUSHED, async topic => {
    const tailMb = 30
    const records = tailMb * 1024
    await rdkafkaProduce(system, { topic, records, sizeBytes: 1024, acks: 'all' })
    const times = Math.max(1, Math.round(megabytes / tailMb))
    await measure(variant, 'consume at the tail', system, tailMb * times, async () => {
      let best = 0
      for (let i = 0; i < times; i++) best = Math.max(best, await rdkafkaConsume(system, topic, PARTITIONS, records))
      return best
    })
  })
  await inTopic(system, UNFLUSHED, async topic => {
    const records = megabytes * 1024
    await rdkafkaProduce(system, { topic, records, sizeBytes: 1024, acks: 'all' })
    await measure(variant, 'consume from the page cache', system, megabytes, () =>
      rdkafkaConsume(system, topic, PARTITIONS, records),
    )
  })
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

try {
  const systems = new Map<string, System>()
  for (const text of flags.variant) systems.set(...(await startVariant(text)))
  if (flags.kafka) systems.set('kafka', await startSystem('kafka', folder))
  for (const [name, system] of systems) console.error(`  ${name} idle: ${memoryMb(system, 'VmRSS').toFixed(0)} MB`)
  for (let round = 0; round <= Number(flags.rounds); round++) {
    // The first round is to get warm.
    if (round === 1) measured.clear()
    for (const [name, system] of [...systems].sort(() => (round % 2 === 0 ? 1 : -1))) await runLoads(name, system)
  }
  console.log('| load | variant | MB/s | broker CPU, s/GiB |\n|---|---|---|---|')
  for (const [key, { mbPerSecond, cpuPerGb }] of [...measured].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [load, variant] = key.split('|')
    console.log(`| ${load} | ${variant} | ${median(mbPerSecond).toFixed(0)} | ${median(cpuPerGb).toFixed(2)} |`)
  }
  for (const [name, system] of systems) {
    console.log(`highest memory, ${name}: ${memoryMb(system, 'VmHWM').toFixed(0)} MB`)
    await system.stop()
  }
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
}
