import { equal, rejects } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import { openDurableEpoch } from '../../../../broker/metadata/election/durable-epoch.ts'

let folder = ''
let path = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-epoch-'))
  path = join(folder, 'epoch')
})

afterEach(() => rm(folder, { recursive: true }))

test('the epoch is 0 at first and survives once it was raised', async () => {
  const epoch = await openDurableEpoch(path)
  equal(epoch.value, 0)
  await epoch.raise(7)
  equal(epoch.value, 7)
  equal((await openDurableEpoch(path)).value, 7)
})

test('a lower epoch changes nothing', async () => {
  const epoch = await openDurableEpoch(path)
  await epoch.raise(7)
  await epoch.raise(3)
  equal((await openDurableEpoch(path)).value, 7)
})

test('a damaged file is an error and not epoch 0', async () => {
  for (const text of ['', '7', 'seven\n', '-1\n']) {
    await writeFile(path, text)
    await rejects(openDurableEpoch(path), /is damaged/)
  }
})

test('an epoch that cannot be written is not claimed', async () => {
  const epoch = await openDurableEpoch(path)
  await rm(folder, { recursive: true })
  await rejects(epoch.raise(1))
  equal(epoch.value, 0)
  folder = await mkdtemp(join(tmpdir(), 'flotilla-epoch-'))
})
