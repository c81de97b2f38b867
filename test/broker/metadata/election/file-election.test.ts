import { spawn } from 'node:child_process'
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import { systemClock } from '../../../../broker/base/clock.ts'
import { systemRandom } from '../../../../broker/base/random.ts'
import { birthRecord, ElectionRecordError } from '../../../../broker/metadata/election/election.ts'
import { fileElection, type FileElection } from '../../../../broker/metadata/election/file-election.ts'

let folder = ''
let path = ''
let election: FileElection

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-election-'))
  path = join(folder, 'election')
  election = fileElection(path, { clock: systemClock, random: systemRandom })
})

afterEach(() => rm(folder, { recursive: true }))

async function swap(leader: string): Promise<boolean> {
  const before = (await election.read())!
  const next = { ...before, version: before.version + 1, epoch: before.epoch + 1, leader, inSync: [leader] }
  return election.compareAndSwap(before, next)
}

test('before it is created there is no record', async () => {
  equal(await election.read(), null)
})

test('only the first creation counts', async () => {
  equal(await election.create(birthRecord('first')), true)
  equal(await election.create(birthRecord('second')), false)
  equal((await election.read())?.clusterId, 'first')
})

test('of many creations at once one counts', async () => {
  const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map(id => election.create(birthRecord(id))))
  equal(outcomes.filter(Boolean).length, 1)
  equal((await election.read())?.clusterId, ['a', 'b', 'c', 'd'][outcomes.indexOf(true)])
})

test('a line that a power loss has torn is skipped, and the next swap goes on from the line before', async () => {
  await election.create(birthRecord('c'))
  await swap('1@a')
  const whole = await readFile(path, 'utf8')
  await swap('2@b')
  const torn = (await readFile(path, 'utf8')).slice(whole.length, -20)
  await writeFile(path, whole + torn)
  equal((await election.read())?.leader, '1@a')
  equal(await swap('3@c'), true)
  equal((await election.read())?.leader, '3@c')
  equal((await election.read())?.version, 3)
})

test('a damaged line that others were built on is an error and not an older record', async () => {
  await election.create(birthRecord('c'))
  await swap('1@a')
  await swap('2@b')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('1@a', '1@x'))
  await rejects(election.read(), ElectionRecordError)
  await rejects(election.read(), /version 2 is missing before 3/)
})

test('a swap on a record that was removed does not take place', async () => {
  await election.create(birthRecord('c'))
  const before = (await election.read())!
  await rm(path)
  equal(await election.compareAndSwap(before, { ...before, version: 2 }), false)
})

test('garbage in the file is skipped as long as no accepted line is missing', async () => {
  await election.create(birthRecord('c'))
  await appendFile(path, 'what is this\n\n0000 {}\n')
  equal(await swap('1@a'), true)
  equal((await election.read())?.version, 2)
})

test('processes that swap against each other never lose a swap that succeeded', async () => {
  await election.create(birthRecord('c'))
  const script = `
    import { systemClock } from '${process.cwd()}/broker/base/clock.ts'
    import { systemRandom } from '${process.cwd()}/broker/base/random.ts'
    import { fileElection } from '${process.cwd()}/broker/metadata/election/file-election.ts'
    const election = fileElection(process.argv[1], { clock: systemClock, random: systemRandom })
    const won = []
    while (won.length < 20) {
      const before = await election.read()
      const next = { ...before, version: before.version + 1, epoch: before.epoch + 1, incarnation: String(process.pid) }
      if (await election.compareAndSwap(before, next)) won.push(next.version)
    }
    console.log(JSON.stringify(won))`
  const versions = await Promise.all([1, 2, 3].map(() => run(script, path)))
  const all = versions.flat().sort((a, b) => a - b)
  deepEqual(
    all,
    Array.from({ length: 60 }, (_, index) => index + 2),
  )
  equal((await election.read())?.version, 61)
})

function run(script: string, argument: string): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, argument], { stdio: 'pipe' })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)))
    child.stderr.on('data', (chunk: Buffer) => (errors += String(chunk)))
    child.on('close', code => (code === 0 ? resolve(JSON.parse(output) as number[]) : reject(new Error(errors))))
  })
}
