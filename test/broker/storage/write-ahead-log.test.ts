// What of RocksDB's write-ahead logs is on the disk after a sync, when RocksDB has gone on to other files meanwhile.
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import { WriteAheadLog } from '../../../broker/storage/write-ahead-log.ts'
import { CrashingFiles, diskError } from './crashing-files.ts'

const pathOf = (number: number): string => `/db/${String(number).padStart(6, '0')}.log`

/** Plays RocksDB: writes WALs, switches, and deletes them. */
async function rocks() {
  const files = new CrashingFiles()
  await files.makeFolder('/db')
  await files.syncFolder('/')
  const played = {
    files,
    current: 0,
    async switchTo(number: number): Promise<void> {
      await (await files.open(pathOf(number), 'create')).close()
      played.current = number
    },
    async write(text: string): Promise<void> {
      const file = await files.open(pathOf(played.current), 'write')
      await file.write([Buffer.from(text)], await file.sizeBytes())
      await file.close()
    },
    left(): Record<string, string> {
      return Object.fromEntries([...files.durableFiles()].map(([path, bytes]) => [path, String(bytes)]))
    },
    open: () =>
      WriteAheadLog.open({
        folder: '/db',
        files,
        currentNumber: () => Promise.resolve(played.current),
        version: () => Promise.resolve(String(played.current)),
      }),
  }
  await played.switchTo(4)
  return played
}

test('an opened log is on the disk by name, and a synced one with its bytes', async () => {
  const database = await rocks()
  const log = await database.open()
  deepEqual(database.left(), { [pathOf(4)]: '' })
  await database.write('a')
  await log.sync()
  await database.write('b')
  deepEqual(database.left(), { [pathOf(4)]: 'a' })
  await log.close()
})

test('a sync covers every log that RocksDB went through since the last one', async () => {
  const database = await rocks()
  const log = await database.open()
  await database.write('a')
  for (const number of [8, 11, 12]) {
    await database.switchTo(number)
    await database.write(String(number))
  }
  await log.sync()
  deepEqual(database.left(), { [pathOf(4)]: 'a', [pathOf(8)]: '8', [pathOf(11)]: '11', [pathOf(12)]: '12' })
  equal(log.number, 12)
  await database.write('+')
  await log.sync()
  equal(database.left()[pathOf(12)], '12+')
})

test('the older log reaches the disk before the newer', async () => {
  const database = await rocks()
  const log = await database.open()
  for (const number of [8, 11, 100_000, 1_000_000]) await database.switchTo(number)
  const before = database.files.power.operations.length
  await log.sync()
  deepEqual(database.files.power.operations.slice(before), [
    `fdatasync ${pathOf(4)}`,
    `fdatasync ${pathOf(8)}`,
    `fdatasync ${pathOf(11)}`,
    `fdatasync ${pathOf(100_000)}`,
    `fdatasync ${pathOf(1_000_000)}`,
    'fsync /db',
  ])
})

test('a log that is gone needs no sync, also when it goes while we look', async () => {
  const database = await rocks()
  const log = await database.open()
  for (const number of [8, 11]) await database.switchTo(number)
  await database.files.unlink(pathOf(8))
  // The answer to "which is current" is 11, and 11 is gone when we open it.
  database.files.fault = (operation, path) => {
    if (operation !== 'open' || path !== pathOf(11)) return
    database.files.fault = () => {}
    throw diskError('ENOENT', operation, path)
  }
  const switched = log.sync()
  await database.switchTo(15)
  await database.write('c')
  await switched
  equal(log.number, 15)
  equal(database.left()[pathOf(15)], 'c')
})

test('a sync that fails says so', async () => {
  const database = await rocks()
  const log = await database.open()
  database.files.fault = (operation, path) => {
    if (operation === 'fdatasync') throw diskError('EIO', operation, path)
  }
  await rejects(log.sync(), StorageError)
})
