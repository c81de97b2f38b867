// What ten thousand members of one group cost: memory, and the time of a rebalance when another one comes. Needs a system of its own, and as many
// connections as there are members. Of Flotilla only: Kafka keeps a generation as one record within max.message.bytes, so with the
// configuration as it comes it answers such a group with UNKNOWN_SERVER_ERROR.
import { performance } from 'node:perf_hooks'
import { prepare, TOPIC } from './coordination.ts'
import { RawMember } from './members.ts'
import type { Measured } from './scenarios.ts'
import { memoryMb, startSystem } from './systems.ts'

const MEMBERS = 10_000
const REBALANCES = 3
/** The default is ten thousand; the client has some of its own. */
const SETTINGS = { 'max.connections': `${MEMBERS + 100}` }

/** Starts a broker in an empty folder, fills one group and measures. */
export async function measureLargeGroup(folder: string): Promise<readonly Measured[]> {
  const system = await startSystem('flotilla', folder, SETTINGS)
  await prepare(system)
  const members = await RawMember.openMany(system, new Array<string>(MEMBERS).fill('large'), [TOPIC])
  await Promise.all(members.map(member => member.enter()))
  const one = await RawMember.open(system, 'large', [TOPIC])
  const enterAgain = async (member: RawMember): Promise<void> => {
    await member.untilRebalance()
    await member.enter()
  }
  const times: number[] = []
  for (let round = 0; round < REBALANCES; round++) {
    const startMs = performance.now()
    await Promise.all([one.enter(), ...members.map(enterAgain)])
    times.push(performance.now() - startMs)
    await one.leave()
    await Promise.all(members.map(enterAgain))
  }
  const largeMb = memoryMb(system, 'VmRSS')
  for (const { connection } of [...members, one]) connection.close()
  await system.stop()
  const rebalanceMs = times.sort((a, b) => a - b)[REBALANCES >> 1]!
  return [
    { name: 'rebalance of 10,000 members', value: rebalanceMs, unit: 'ms', isBetter: 'less' },
    { name: 'memory with 10,000 members and their connections', value: largeMb, unit: 'MB', isBetter: 'less' },
  ]
}
