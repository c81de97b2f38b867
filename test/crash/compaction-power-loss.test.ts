// Power loss at every change that a script with cleanings makes to the disk (test/broker/storage/cleaner/compaction-power-loss.ts says what is
// checked). FLOTILLA_SEED=n runs another script.
import { test } from 'vitest'
import { compactionScript } from '../broker/storage/cleaner/compaction-power-loss.ts'
import { cutEverywhere } from '../broker/storage/power-loss-world.ts'

const STEPS = 40
const first = Number(process.env['FLOTILLA_SEED'] ?? 1)

for (let seed = first; seed < first + 2; seed++) {
  test(`a compacted log is the old one or the new one wherever the power goes, script ${seed}`, () =>
    cutEverywhere(compactionScript, seed, STEPS))
}
