// One whole broker (broker/broker.ts) in a world where processes are killed, stopped and paused, power goes, disks are slow, full and fail,
// and the network and the election store do what they may. Whatever happens, history.ts holds, and when it is over everything that
// producers made gets through and is read. SEEDS=n tries more, SEED=n only that one; TRACE=1 shows what happened before a failure.
import { equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { Admin } from './admin.ts'
import { Consumer } from './consumer.ts'
import { Faults, type FaultKind } from './faults.ts'
import { History } from './history.ts'
import { Producer } from './producer.ts'
import { World } from './world.ts'

const runs = Number(process.env['SEEDS'] ?? 20)
const only = process.env['SEED']
const seeds = only === undefined ? Array.from({ length: runs }, (_, at) => at + 1) : [Number(only)]

const TOPIC = { topic: 'records', partitions: 3 }
const HOSTILE_MS = 120_000
/** Longer than every time-out there is. */
const CALM_MS = 300_000
const KINDS: readonly FaultKind[] = [
  'kill',
  'power',
  'stop',
  'pause',
  'slow disk',
  'stalled disk',
  'failing sync',
  'nearly full',
  'full',
  'cut',
  'one-way cut',
  'slow link',
  'reset',
  'wall clock',
  'slow election',
  'no election',
  'losing election',
]

type Result = { readonly fingerprint: number; readonly acked: number; readonly starts: number }

test(`one broker loses nothing through ${seeds.length} histories`, { timeout: 3_600_000 }, async () => {
  for (const seed of seeds) {
    const { acked, starts } = await run(seed)
    ok(acked > 0 && starts > 0)
  }
})

test('a seed is one history', { timeout: 600_000 }, async () => {
  const first = await run(seeds[0]!)
  const second = await run(seeds[0]!)
  equal(second.fingerprint, first.fingerprint)
})

async function run(seed: number): Promise<Result> {
  const world = new World(seed)
  try {
    return await live(world)
  } catch (cause) {
    if (process.env['TRACE'] !== undefined) console.log(world.lines)
    throw new Error(`seed ${seed}: SEED=${seed} npm run simulate -- world`, { cause })
  }
}

async function live(world: World): Promise<Result> {
  const machine = world.addMachine({ nodeId: 1 })
  machine.start()
  const history = new History()
  const faults = new Faults(world, { everyMs: 4000, kinds: KINDS })
  const topicId = await createTopic(world, history)
  const options = { ...TOPIC, topicId }
  const producers = [true, false].map(
    (isIdempotent, at) =>
      new Producer(world, `producer-${at}`, history, { ...options, isIdempotent, acks: -1, intervalMs: 100 }),
  )
  const consumers = [0, 1].map(at => new Consumer(world, `consumer-${at}`, history, options))
  await world.run(HOSTILE_MS)
  faults.calm()
  for (const producer of producers) producer.end()
  await world.runUntil('all is delivered', CALM_MS, () => producers.every(({ isDone }) => isDone))
  for (const consumer of consumers) consumer.rewind()
  await world.runUntil('all is read', CALM_MS, () => consumers.every(({ isAtEnd }) => isAtEnd))
  for (const consumer of consumers) {
    for (const [at, values] of consumer.wholes().entries()) history.checkWhole(history.partition(topicId, at), values)
  }
  return { fingerprint: world.scheduler.fingerprint, acked: history.acked, starts: machine.starts }
}

async function createTopic(world: World, history: History): Promise<string> {
  const admin = new Admin(world, history)
  let topicId = ''
  const creating = admin
    .createTopic({
      name: TOPIC.topic,
      partitions: TOPIC.partitions,
      replicationFactor: 1,
      configs: { 'internal.segment.bytes': '20000' },
    })
    .then(id => {
      topicId = id
    })
  world.let(creating)
  await world.runUntil('there is a topic', 2 * CALM_MS, () => topicId !== '')
  return topicId
}
