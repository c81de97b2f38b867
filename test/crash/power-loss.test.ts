// Power loss at every change that a script makes to the disk (test/broker/storage/power-loss.ts says what is checked). FLOTILLA_SEED=n runs another
// script.
import { test } from 'vitest'
import { logScript } from '../broker/storage/power-loss.ts'
import { cutEverywhere } from '../broker/storage/power-loss-world.ts'

const STEPS = 40
const first = Number(process.env['FLOTILLA_SEED'] ?? 1)

for (let seed = first; seed < first + 4; seed++) {
  test(`no promise is broken wherever the power goes, script ${seed}`, () => cutEverywhere(logScript, seed, STEPS))
}
