// What power-loss checks of partition logs share: twins of a disk and a store whose power goes at a chosen change, a script that is made from
// a seed, and the way back. What a script does, and what must be left of it, says each check (power-loss.ts, cleaner/compaction-power-loss.ts).
import { equal, ok } from 'node:assert/strict'
import type { LogDirectory } from '../../../broker/storage/log-directory.ts'
import type { Store } from '../../../broker/storage/store.ts'
import { manualClock, type ManualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'
import { CrashingFiles } from './crashing-files.ts'
import { CrashingStoreDisk } from './crashing-store.ts'
import { DATA, settled } from './log-fixture.ts'
import { Power } from './power.ts'

/** Where the power goes: at the change with this number. */
export type Cut = { readonly index: number; readonly moment: 'before' | 'after'; readonly keepSeed: number | null }

export abstract class PowerLossWorld {
  readonly power = new Power()
  readonly files = new CrashingFiles(this.power)
  readonly disk = new CrashingStoreDisk(this.power)
  clock: ManualClock = manualClock()
  store!: Store
  logs!: LogDirectory
  readonly #random: () => number
  #steps: number

  constructor(seed: number, steps: number) {
    this.#random = seededNumbers(seed)
    this.#steps = steps
  }

  /** Opens the log directory of `store`, and configures its logs. */
  protected abstract openLogs(isCleanStart: boolean): Promise<void>
  /** The logs that the script begins with. */
  protected abstract begin(): void
  protected abstract step(): Promise<void>
  /** What the logs claim to have synced must survive. */
  protected abstract note(): void
  /** Compares every log with its ledger, and takes what is there for granted from here on. */
  abstract check(): Promise<void>
  /** The logs go on as if nothing had happened. */
  abstract goOn(): Promise<void>

  protected pick(count: number): number {
    return Math.floor(this.#random() * count)
  }

  async open(isCleanStart: boolean): Promise<void> {
    this.store = await this.disk.open()
    await this.openLogs(isCleanStart)
  }

  /** Runs the script on a machine with a data directory until its end or the power's; changes count from the first step on. */
  async run(cut: Cut | null): Promise<void> {
    await this.files.makeFolder(DATA)
    await this.files.syncFolder('/')
    this.power.restore()
    if (cut !== null) this.power.cutAt(cut.index, cut.moment)
    try {
      await this.open(false)
      this.begin()
      for (; this.#steps > 0 && !this.power.isOff; this.#steps--) {
        await this.step()
        if (!this.power.isOff) this.note()
      }
      if (!this.power.isOff) await this.reopen()
    } catch (error) {
      if (!this.power.isOff) throw error
    }
    // What is under way in the dead process fails; nobody hears of it.
    await settled()
  }

  /** The process is killed, but not the machine: what it wrote is in memory still, synced or not. */
  protected async die(): Promise<void> {
    await settled()
    // Its timers die with it.
    this.clock = manualClock(this.clock.now())
    await this.openLogs(false)
    // What the next one takes over counts, so it must be on the disk.
    for (const log of this.logs.logs()) equal(log.syncedOffset, log.endOffset)
    this.note()
    await this.check()
  }

  /** A clean stop and a start. */
  protected async reopen(): Promise<void> {
    await this.logs.close()
    this.note()
    await this.store.close()
    await this.open(true)
    this.onReopened()
    await this.check()
  }

  protected onReopened(): void {}

  /** The power was lost: opens what is left. */
  async comeBack(keepSeed: number | null): Promise<void> {
    await this.#crash(keepSeed)
    await this.open(false)
    for (const log of this.logs.logs()) equal(log.syncedOffset, log.endOffset, 'what was found is on the disk')
  }

  /** The power was lost, and goes again at change `index` of the recovery. */
  async comeBackInVain(keepSeed: number | null, index: number): Promise<void> {
    await this.#crash(keepSeed)
    this.power.cutAt(index, 'after')
    try {
      await this.open(false)
    } catch (error) {
      if (!this.power.isOff) throw error
    }
    await settled()
  }

  async #crash(keepSeed: number | null): Promise<void> {
    this.power.cut()
    const chance = keepSeed === null ? undefined : seededNumbers(keepSeed)
    this.files.crash(chance)
    await this.disk.crash(chance)
    this.power.restore()
  }
}

/** Makes the world that runs the script of a seed. */
export type Script = (seed: number, steps: number) => PowerLossWorld

/** How many changes the script of this seed makes when nothing interrupts it; also checks that run. */
export async function countChanges(script: Script, seed: number, steps: number): Promise<number> {
  const world = script(seed, steps)
  await world.run(null)
  await world.check()
  return world.power.operations.length
}

/** Runs the script of `seed`, cuts the power at `cut`, and perhaps once more in the middle of the recovery; checks what is left. */
export async function runWithPowerLoss(
  script: Script,
  seed: number,
  steps: number,
  cut: Cut,
  recoveryCut: number | null = null,
): Promise<void> {
  const world = script(seed, steps)
  await world.run(cut)
  if (recoveryCut === null) await world.comeBack(cut.keepSeed)
  else {
    await world.comeBackInVain(cut.keepSeed, recoveryCut)
    await world.comeBack(cut.keepSeed === null ? null : cut.keepSeed + 1)
  }
  await world.check()
  await world.goOn()
}

/**
 * Cuts the power at every change that the script of `seed` makes: before and after it took effect, with nothing kept of what was not synced and
 * with arbitrary parts of it, and with the power going again during recovery. An error says where.
 */
export async function cutEverywhere(script: Script, seed: number, steps: number): Promise<void> {
  const changes = await countChanges(script, seed, steps)
  ok(changes > 100)
  const cutAndCheck = async (cut: Cut, recoveryCut: number | null): Promise<void> => {
    try {
      await runWithPowerLoss(script, seed, steps, cut, recoveryCut)
    } catch (cause) {
      const { index, moment, keepSeed } = cut
      const where = `script ${seed}, power lost ${moment} change ${index}, kept ${keepSeed}, again at ${recoveryCut}`
      throw new Error(where, { cause })
    }
  }
  for (let index = 0; index < changes; index++) {
    for (const moment of ['before', 'after'] as const) {
      await cutAndCheck({ index, moment, keepSeed: null }, null)
      await cutAndCheck({ index, moment, keepSeed: index + 1 }, null)
    }
    await cutAndCheck({ index, moment: 'after', keepSeed: index + 2 }, index % 11)
    await cutAndCheck({ index, moment: 'before', keepSeed: index + 3 }, index % 37)
  }
}
