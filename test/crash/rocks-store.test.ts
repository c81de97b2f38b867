// The store on RocksDB under hundreds of losses of power and kills (in CI a third of them). A failure prints the seed; FLOTILLA_SEED=<seed> runs it again.
import { ok } from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import { killManyTimes } from '../broker/storage/kill-store.ts'
import { losePowerAtManyMoments } from '../broker/storage/rocks-power-loss.ts'
import { seededNumbers } from '../seeded.ts'

// How often everything is done.
const times = process.env['CI'] === undefined ? 3 : 1
const seed = Number(process.env['FLOTILLA_SEED'] ?? Date.now() % 1_000_000)

let folder = ''
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'flotilla-crash-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const SIZES = [
  { writeBufferBytes: 64 * 1024, maxValueBytes: 3_000, commits: 800 },
  { writeBufferBytes: 512 * 1024, maxValueBytes: 30_000, commits: 500 },
  { writeBufferBytes: 4 * 1024 * 1024, maxValueBytes: 200_000, commits: 400 },
]

test(`no loss of power takes a synced commit, or a commit before one that is left (seed ${seed})`, async () => {
  const chance = seededNumbers(seed)
  let losses = 0
  for (let round = 0; round < 4 * times; round++) {
    const run = { ...SIZES[round % SIZES.length]!, every: 20, syncShare: chance(), keepsUnsynced: true }
    losses += (await losePowerAtManyMoments({ ...run, folder: join(folder, String(round)), chance })).losses
  }
  ok(losses > 65 * times, `${losses} losses`)
})

test(`the same for synced commits when RocksDB switches its log by itself (seed ${seed})`, async () => {
  const chance = seededNumbers(seed + 1)
  let losses = 0
  for (let round = 0; round < 2 * times; round++) {
    const { writeBufferBytes: memtableBytes, ...size } = SIZES[round % SIZES.length]!
    const run = {
      ...size,
      memtableBytes,
      writeBufferBytes: 2 ** 30,
      every: 20,
      syncShare: chance(),
      keepsUnsynced: false,
    }
    losses += (await losePowerAtManyMoments({ ...run, folder: join(folder, String(round)), chance })).losses
  }
  ok(losses > 30 * times, `${losses} losses`)
})

const kills = 70 * times

test(`${kills} kills take nothing that was acknowledged (seed ${seed})`, async () => {
  const chance = seededNumbers(seed + 2)
  const run = { path: join(folder, 'store'), kills, writeBufferBytes: 256 * 1024, chance, maxAcknowledged: 300 }
  ok((await killManyTimes(run)) > 25 * kills)
})
