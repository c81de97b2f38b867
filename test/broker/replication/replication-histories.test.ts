// Histories of three brokers that lose power, connections, answers and their place: whatever was acknowledged is there in the end. A
// failure names the seed; FLOTILLA_SEED runs that one alone, FLOTILLA_SEEDS more of them.
import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import { BROKERS, ReplicationWorld, valuesOf } from './replication-world.ts'

const STEPS = 120
const one = Number(process.env['FLOTILLA_SEED'] ?? 0)
const seeds = one > 0 ? [one] : Array.from({ length: Number(process.env['FLOTILLA_SEEDS'] ?? 12) }, (_, at) => at + 1)

async function step(world: ReplicationWorld): Promise<void> {
  const brokerId = world.of(BROKERS)
  const isUp = world.machines.get(brokerId)!.life !== null
  const choice = world.below(100)
  if (choice < 45) for (let left = 1 + world.below(4); left > 0; left--) world.produce()
  else if (choice < 50) await world.crash(brokerId)
  else if (choice < 65 && !isUp) await world.start(brokerId)
  else if (choice < 69) world.fence(brokerId, true)
  else if (choice < 85 && isUp) world.fence(brokerId, false)
  else if (choice < 88) world.prefer()
  if (world.below(3) > 0) for (const id of BROKERS) if (world.below(4) > 0) world.look(id)
  await world.run(world.of([5, 10, 20, 50, 300]))
}

async function history(seed: number): Promise<ReplicationWorld> {
  const world = new ReplicationWorld(seed)
  for (const id of BROKERS) await world.start(id)
  for (let left = STEPS; left > 0; left--) {
    await step(world)
    if (left % 5 === 0) await world.check()
  }
  await world.heal()
  await world.check()
  return world
}

let acknowledged = 0

for (const seed of seeds) {
  test(`whatever was acknowledged in history ${seed} is in the log of every replica`, async () => {
    const world = await history(seed)
    for (const { log, highWatermark } of world.replicas()) {
      const values = await valuesOf(log, highWatermark)
      for (const { partition, offset, value } of world.acknowledged) {
        if (partition === log.partition) equal(values.get(offset), value, `seed ${seed}, offset ${offset}`)
      }
    }
    acknowledged += world.acknowledged.length
    await world.stop()
  })
}

test('the histories were not idle', () => {
  equal(acknowledged > 5 * seeds.length, true, `${acknowledged} records were acknowledged`)
})
