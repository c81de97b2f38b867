import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { FilePool } from '../../../broker/storage/file-pool.ts'
import { Staging } from '../../../broker/storage/staging.ts'
import { CrashingFiles, diskError } from './crashing-files.ts'

async function setting(): Promise<{ files: CrashingFiles; staging: Staging }> {
  const files = new CrashingFiles()
  await files.makeFolder('/staging')
  let fileId = 0
  const staging = new Staging(files, new FilePool(files, 10), '/staging', 1000, () => ++fileId)
  return { files, staging }
}

async function put(staging: Staging, sizeBytes: number): Promise<[number, number]> {
  const room = staging.reserve(sizeBytes)
  await staging.write(room, [Buffer.alloc(sizeBytes, sizeBytes & 0xff)])
  return [room.staging.fileId, room.position]
}

test('bytes lie one behind the other, in a new file when the current one is full', async () => {
  const { staging } = await setting()
  deepEqual(await put(staging, 400), [1, 0])
  deepEqual(await put(staging, 600), [1, 400])
  deepEqual(await put(staging, 1), [2, 0])
})

test('a write larger than a file gets a file of its own', async () => {
  const { staging } = await setting()
  deepEqual(await put(staging, 10), [1, 0])
  deepEqual(await put(staging, 5000), [2, 0])
  deepEqual(await put(staging, 10), [3, 0])
})

test('a sync covers everything written before, in files that are full too', async () => {
  const { files, staging } = await setting()
  await put(staging, 900)
  await put(staging, 500)
  await staging.sync()
  files.crash()
  deepEqual([...files.durableFiles()].map(([, bytes]) => bytes.some(byte => byte !== 0)).slice(0, 2), [true, true])
})

test('a sync that runs beside a write does not pass for its sync', async () => {
  const { files, staging } = await setting()
  await put(staging, 100)
  const room = staging.reserve(100)
  const write = staging.write(room, [Buffer.alloc(100, 7)])
  await staging.sync()
  await write
  await staging.sync()
  equal(files.durableFiles().get('/staging/1.staging')![199], 7)
})

test('two who sync at the same time both wait for the disk', async () => {
  const { files, staging } = await setting()
  await put(staging, 100)
  const isDurable = (): boolean => files.durableFiles().get('/staging/1.staging')?.[0] === 100
  await Promise.all([
    staging.sync().then(() => equal(isDurable(), true)),
    staging.sync().then(() => equal(isDurable(), true)),
  ])
})

test('a sync that failed fails every later one', async () => {
  const { files, staging } = await setting()
  await put(staging, 100)
  files.fault = operation => {
    if (operation === 'fdatasync') throw diskError('EIO', 'fdatasync', '/staging/1.staging')
  }
  await rejects(staging.sync())
  files.fault = () => {}
  await rejects(staging.sync(), { code: 'EIO' })
})

test('only files below the one that is needed go, and never the one that is written', async () => {
  const { files, staging } = await setting()
  for (let at = 0; at < 4; at++) await put(staging, 900)
  equal(staging.oldestFileId, 1)
  equal(await staging.removeBefore(3), 2)
  equal(await staging.removeBefore(100), 1)
  deepEqual(
    (await files.list('/staging')).filter(name => name < '5'),
    ['4.staging'],
  )
  equal(staging.oldestFileId, 0)
})
