// One broker, the whole of broker/broker.ts, in a world where its process is killed, paused and stopped, its machine loses power, its disk is slow,
// full and fails, connections break and links are cut. Clients produce, consume, create and delete topics meanwhile. Whatever happens,
// history.ts holds; when it is over, everything is served again and everything that was acknowledged is read. SEEDS=n tries more,
// SEED=n only that one; TRACE=1 shows what happened before a failure.
import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { Admin } from './admin.ts'
import { Consumer } from './consumer.ts'
import { Faults, type FaultKind } from './faults.ts'
import { History } from './history.ts'
import { Producer } from './producer.ts'
import { World } from './world.ts'

const runs = Number(process.env['SEEDS'] ?? 4)
const only = process.env['SEED']
const seeds = only === undefined ? Array.from({ length: runs }, (_, at) => at + 1) : [Number(only)]

const HOSTILE_MS = 60_000
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
  'isolation',
  'slow link',
  'reset',
  'wall clock',
  'slow election',
  'no election',
  'losing election',
]

test(`a broker loses nothing in ${seeds.length} histories`, { timeout: 3_600_000 }, async () => {
  const total = { starts: 0, acked: 0, reads: 0, deleted: 0 }
  for (const seed of seeds) {
    const life = await run(seed, HOSTILE_MS)
    total.starts += life.starts
    total.acked += life.history.acked
    total.reads += life.history.reads
    total.deleted += life.history.gone.size
  }
  if (only === undefined)
    ok(total.starts > 2 * runs && total.acked > 100 * runs && total.deleted > 0, JSON.stringify(total))
})

test('a seed is one history', { timeout: 3_600_000 }, async () => {
  const [first, again] = [await run(seeds[0]!, 20_000), await run(seeds[0]!, 20_000)]
  deepEqual(first.digest, again.digest)
})

type Life = { readonly starts: number; readonly history: History; readonly digest: object }

async function run(seed: number, hostileMs: number): Promise<Life> {
  const world = new World(seed)
  try {
    return await live(world, hostileMs)
  } catch (cause) {
    const trace = process.env['TRACE'] === undefined ? '' : `\n${world.lines}`
    throw new Error(`seed ${seed}: SEED=${seed} npm run simulate -- world${trace}`, { cause })
  }
}

async function live(world: World, hostileMs: number): Promise<Life> {
  const history = new History()
  const machine = world.addMachine({ nodeId: 1, settings: { 'offsets.topic.num.partitions': '2' } })
  machine.start()
  const faults = new Faults(world, { everyMs: 2500, kinds: KINDS })
  const clients = new Clients(world, history, faults)
  world.let(clients.live())
  await world.run(hostileMs)
  faults.calm()
  await world.runUntil('the last topic is there', CALM_MS, () => clients.isOver)
  for (const producer of clients.producers) producer.end()
  await world.runUntil('everything is acknowledged', CALM_MS, () => clients.producers.every(({ isDone }) => isDone))
  for (const consumer of clients.consumers) consumer.rewind()
  await world.runUntil('everything is read', CALM_MS, () => clients.consumers.every(({ isAtEnd }) => isAtEnd))
  for (const consumer of clients.consumers) consumer.check()
  let isChecked = false
  world.let(clients.admin.check().then(() => void (isChecked = true)))
  await world.runUntil('the topics are known', CALM_MS, () => isChecked)
  const { scheduler, nowMs } = world
  const digest = { events: scheduler.count, nowMs, fingerprint: scheduler.fingerprint, acked: history.acked }
  return { starts: machine.starts, history, digest }
}

/** One topic that stays, and one at a time that does not; names are used again. */
class Clients {
  readonly admin: Admin
  readonly producers: Producer[] = []
  readonly consumers: Consumer[] = []
  isOver = false
  readonly #world: World
  readonly #history: History
  readonly #faults: Faults

  constructor(world: World, history: History, faults: Faults) {
    this.#world = world
    this.#history = history
    this.#faults = faults
    this.admin = new Admin(world, history)
  }

  /** Until the world is calm; the last topics stay. */
  async live(): Promise<void> {
    const world = this.#world
    await this.#use('long', 3, [true, false])
    for (let number = 0; world.isHostile; number++) {
      const name = `short-${number % 2}`
      if (this.admin.topics.has(name)) {
        await this.admin.deleteTopic(name)
        this.#strike()
      }
      await this.#use(name, 2, [world.dice.chance(0.5)])
      this.#strike()
      await this.admin.client.sleep(world.dice.spread(300, 10_000))
    }
    this.isOver = true
  }

  // What was answered this very moment is the likeliest to be lost.
  #strike(): void {
    const { dice, isHostile } = this.#world
    if (isHostile && dice.chance(0.3)) this.#faults.happen(dice.of(['kill', 'power']))
  }

  // Segments are small, so that several are sealed.
  async #use(topic: string, partitions: number, areIdempotent: readonly boolean[]): Promise<void> {
    const configs = { 'internal.segment.bytes': '20000' }
    const topicId = await this.admin.createTopic({ name: topic, partitions, replicationFactor: 1, configs })
    const place = { topic, topicId, partitions }
    for (const isIdempotent of areIdempotent) {
      const name = `producer-${this.producers.length}`
      this.producers.push(new Producer(this.#world, name, this.#history, { ...place, isIdempotent, intervalMs: 150 }))
      this.consumers.push(new Consumer(this.#world, `consumer-${this.consumers.length}`, this.#history, place))
    }
  }
}
