// Members come, go, pause, die and return while the coordinator crashes, reloads and has a log that is slow, full and fails, over a network
// that delays, loses and repeats. Whatever happens, group-history.ts holds, and when it is over everybody who waits is answered and the
// members share one generation. SEEDS=n tries more, SEED=n only that one.
import { equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { GroupHistory } from './group-history.ts'
import { GroupSimulation } from './group-simulation.ts'
import { PARTITIONS, SimulatedMember } from './simulated-member.ts'

const runs = Number(process.env['SEEDS'] ?? 100)
const only = process.env['SEED']
const seeds = only === undefined ? Array.from({ length: runs }, (_, at) => at + 1) : [Number(only)]

const HOSTILE_STEPS = 400
/** Longer than every timeout there is. */
const CALM_STEPS = 600
const STEP_MS = 250

test(`groups stay right through ${seeds.length} histories`, { timeout: 3_600_000 }, async () => {
  const total = { assignments: 0, fetches: 0, crashes: 0 }
  for (const seed of seeds) {
    try {
      const { history, crashes } = await run(seed)
      total.assignments += history.assignments
      total.fetches += history.fetches
      total.crashes += crashes
    } catch (cause) {
      throw new Error(`seed ${seed}: SEED=${seed} npm run simulate -- groups`, { cause })
    }
  }
  if (only === undefined) ok(total.assignments > 0 && total.fetches > 0 && total.crashes > 0, JSON.stringify(total))
})

async function run(seed: number): Promise<{ history: GroupHistory; crashes: number }> {
  const world = new GroupSimulation(seed)
  const history = new GroupHistory()
  world.onCrash = () => history.crashed()
  let broken: unknown = null
  const fail = (reason: unknown): void => void (broken ??= reason)
  process.on('unhandledRejection', fail)
  try {
    const values = { last: 0 }
    const members = Array.from({ length: 2 + world.below(4) }, (_, at) => {
      const instance = world.next() < 0.3 ? `instance-${at}` : null
      return new SimulatedMember(`client-${at}`, instance, world, history, values)
    })
    for (let step = 0; step < HOSTILE_STEPS; step++) {
      for (const member of members) happenTo(member, world)
      await world.step(STEP_MS)
      if (broken !== null) throw broken
    }
    world.isHostile = false
    for (const member of members) {
      member.pause(0)
      member.start()
    }
    for (let step = 0; step < CALM_STEPS; step++) {
      // A process that finds itself fenced is started again by whoever runs it.
      for (const member of members) member.start()
      await world.step(STEP_MS)
      if (broken !== null) throw broken
    }
    equal(world.coordinator.parked, 0, 'everybody who waits has been answered')
    history.settled(
      members.map(({ life }) => life),
      PARTITIONS,
    )
    return { history, crashes: world.crashes }
  } finally {
    process.off('unhandledRejection', fail)
  }
}

function happenTo(member: SimulatedMember, world: GroupSimulation): void {
  if (!member.isRunning) {
    if (world.next() < 0.05) member.start()
  } else if (world.next() < 0.004) member.kill()
  else if (world.next() < 0.004) void member.leave()
  else if (world.next() < 0.004) member.pause(world.below(30_000))
}
