// The protocol of the metadata log, run by the functions of production in every order that a small world allows and in many that a larger
// one does: a committed entry never changes, the leader has all of them, there is one leader in an epoch, logs match, nobody cuts what is
// committed, and when faults stop a new entry is committed. STEPS=n walks further, SEED=n elsewhere; WORLDS=n looks at the n nearest
// worlds of a larger instance too (a million takes minutes and gigabytes, six million are the most).
import { equal, notEqual, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { exploreBreadthFirst, LARGE, SMALL, walk } from './explore.ts'
import { REMOVED_RULES, walkWithout } from './removed-rules.ts'

const seed = Number(process.env['SEED'] ?? 1)
const maxSteps = Number(process.env['STEPS'] ?? 4_000_000)
const maxWorlds = Number(process.env['WORLDS'] ?? 0)

const MAX_STEPS_WITHOUT_A_RULE = 3_000_000

test('nothing breaks in any order in which things happen to three candidates, two of them in sync', () => {
  const explored = exploreBreadthFirst(SMALL, 2, 1_000_000)
  equal(explored.found, null, JSON.stringify(explored.found))
  ok(explored.isComplete, `${explored.states} worlds are not all`)
  console.log(`${explored.states} worlds, ${explored.depth} deep, ${explored.steps} steps`)
})

test.runIf(maxWorlds > 0)('nothing breaks in a world in which the record changes twice and candidates stop', () => {
  const explored = exploreBreadthFirst({ ...SMALL, maxVersion: 3, leaves: true }, 2, maxWorlds)
  equal(explored.found, null, JSON.stringify(explored.found))
  console.log(`${explored.states} worlds, ${explored.depth} deep, ${explored.isComplete ? 'all' : 'not all'}`)
})

test('nothing breaks, and nothing gets stuck, along random walks with crashes, replaced disks and old records', () => {
  const { found, walks, steps } = walk(LARGE, { seed, maxSteps })
  equal(found, null, `SEED=${seed} STEPS=${maxSteps} npm run model: ${JSON.stringify(found)}`)
  ok(walks > 0 && steps >= maxSteps)
})

for (const removed of REMOVED_RULES) {
  test(`it bites: the model finds that a rule is missing, ${removed.rule}`, async () => {
    const { found } = await walkWithout(removed, 1, MAX_STEPS_WITHOUT_A_RULE)
    notEqual(found, null)
  })
}
