// The elections there are, through the suite in election.ts.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../broker/base/clock.ts'
import { systemRandom } from '../../broker/base/random.ts'
import { birthRecord } from '../../broker/metadata/election/election.ts'
import { fileElection } from '../../broker/metadata/election/file-election.ts'
import { electionContract } from './election.ts'

let folder = ''
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-election-'))
})

afterAll(() => rm(folder, { recursive: true }))

electionContract('the election in a file', async () => {
  const path = join(folder, `election-${count++}`)
  const open = () => fileElection(path, { clock: systemClock, random: systemRandom, watchIntervalMs: 5 })
  const election = open()
  await election.create(birthRecord('c'))
  return { election, join: open }
})
