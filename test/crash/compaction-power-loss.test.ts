// Power loss at every change that a script with cleanings makes to the disk (test/broker/storage/cleaner/compaction-power-loss.ts says what is
// checked). FLOTILLA_SEED=n runs another script.
import { ok } from 'node:assert/strict'
import { test } from 'vitest'
import { countChanges, runWithPowerLoss } from '../broker/storage/cleaner/compaction-power-loss.ts'
import type { Cut } from '../broker/storage/power-loss.ts'

const STEPS = 40
const first = Number(process.env['FLOTILLA_SEED'] ?? 1)

for (let seed = first; seed < first + 2; seed++) {
  test(`a compacted log is the old one or the new one wherever the power goes, script ${seed}`, async () => {
    const changes = await countChanges(seed, STEPS)
    ok(changes > 100)
    for (let index = 0; index < changes; index++) {
      for (const moment of ['before', 'after'] as const) {
        await cutAndCheck(seed, { index, moment, keepSeed: null }, null)
        await cutAndCheck(seed, { index, moment, keepSeed: index + 1 }, null)
      }
      await cutAndCheck(seed, { index, moment: 'after', keepSeed: index + 2 }, index % 11)
    }
  })
}

async function cutAndCheck(seed: number, cut: Cut, recoveryCut: number | null): Promise<void> {
  try {
    await runWithPowerLoss(seed, STEPS, cut, recoveryCut)
  } catch (cause) {
    const { index, moment, keepSeed } = cut
    throw new Error(`script ${seed}, power lost ${moment} change ${index}, kept ${keepSeed}, again at ${recoveryCut}`, {
      cause,
    })
  }
}
