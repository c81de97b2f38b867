import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import type { LogDirectory } from '../../../broker/storage/log-directory.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { CrashingFiles } from './crashing-files.ts'
import { CrashingStoreDisk } from './crashing-store.ts'
import { append, batchOf, CONFIG, DATA, offsetsOf, openDirectory, readAll, settled, TOPIC } from './log-fixture.ts'
import { logScript } from './power-loss.ts'
import { countChanges, runWithPowerLoss } from './power-loss-world.ts'
import { Power } from './power.ts'

/** A machine with a log; `crash` leaves what was synced, and opens again. */
async function machine(cacheBytes = 1e6): Promise<{
  files: CrashingFiles
  logs: LogDirectory
  log: PartitionLog
  crash: () => Promise<PartitionLog>
}> {
  const power = new Power()
  const files = new CrashingFiles(power)
  const disk = new CrashingStoreDisk(power)
  await files.makeFolder(DATA)
  await files.syncFolder('/')
  const limits = { cacheBytes, producerSnapshotBytes: 1e6 }
  const logs = await openDirectory({ store: await disk.open(), files, limits })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const crash = async (): Promise<PartitionLog> => {
    power.cut()
    await settled()
    files.crash()
    await disk.crash()
    power.restore()
    return (await openDirectory({ store: await disk.open(), files, limits })).log(TOPIC, 0)!
  }
  return { files, logs, log, crash }
}

test('what a killed process left in memory is on the disk before the next one counts it', async () => {
  for (const [name, size] of [
    ['in a segment file', 2000],
    ['in a staging file', 400],
    ['in the store', 10],
  ] as const) {
    const power = new Power()
    const files = new CrashingFiles(power)
    const disk = new CrashingStoreDisk(power)
    await files.makeFolder(DATA)
    await files.syncFolder('/')
    const store = await disk.open()
    const killed = (await openDirectory({ store, files })).create(TOPIC, 0, 'orders', { ...CONFIG, flushMessages: -1 })
    for (let seed = 0; seed < 3; seed++) await append(killed, batchOf(size, seed))
    equal(killed.syncedOffset, 0)
    const next = (await openDirectory({ store, files })).log(TOPIC, 0)!
    equal(next.syncedOffset, 3, name)
    power.cut()
    files.crash()
    await disk.crash()
    power.restore()
    const last = (await openDirectory({ store: await disk.open(), files })).log(TOPIC, 0)!
    equal(last.endOffset, 3, name)
    equal((await readAll(last)).length, 3, name)
  }
})

/** Flips a bit on the disk. */
async function rot(files: CrashingFiles, path: string, position: number): Promise<void> {
  const file = await files.open(path, 'write')
  const byte = Buffer.alloc(1)
  await file.read(byte, position)
  byte[0]! ^= 1
  await file.write([byte], position)
  await file.datasync()
}

async function pathIn(files: CrashingFiles, folder: string, at = 0): Promise<string> {
  return `${DATA}/${folder}/${(await files.list(`${DATA}/${folder}`)).sort()[at]}`
}

test('whatever change the power goes at, each log is a prefix of what was appended, with all that was promised', async () => {
  const steps = 20
  for (const seed of [1, 2]) {
    const changes = await countChanges(logScript, seed, steps)
    ok(changes > 80)
    // Every third change here; test/crash/power-loss.test.ts takes every one, and more scripts.
    for (let index = seed; index < changes; index += 3) {
      await runWithPowerLoss(logScript, seed, steps, {
        index,
        moment: index % 2 === 0 ? 'before' : 'after',
        keepSeed: null,
      })
      await runWithPowerLoss(logScript, seed, steps, { index, moment: 'after', keepSeed: index + 1 })
    }
  }
})

test('an append that nobody was told of is cut, and its offset given again', async () => {
  const { files, log, crash } = await machine()
  await append(log, batchOf(2000, 1))
  files.fault = operation => {
    if (operation === 'fdatasync') throw new Error('too late')
  }
  await rejects(append(log, batchOf(2000, 2)))
  files.fault = () => {}
  const again = await crash()
  equal(again.endOffset, 1)
  const batch = batchOf(2000, 3)
  await append(again, batch)
  deepEqual(offsetsOf(await readAll(again)), [0, 1])
  ok((await readAll(again))[1]!.equals(batch))
})

test('a rotten byte in what was promised is an error that names file and position, found when it is read back', async () => {
  const { files, log, crash } = await machine()
  for (let seed = 0; seed < 3; seed++)
    await append(log, batchOf(2000, seed, { producerId: 4, producerEpoch: 0, baseSequence: seed }))
  await append(log, batchOf(10, 3))
  const path = await pathIn(files, 'segments')
  // The length of the second batch.
  await rot(files, path, batchOf(2000, 0, { producerId: 4 }).length + 8)
  const again = await crash()
  equal(again.isOffline, true)
  const failure = await append(again, batchOf(10, 1)).catch((error: Error) => error.message)
  match(String(failure), /segments\/\S+\.log.*byte \d+/)
})

test('a segment file that lost its end below the promise takes the log offline, and nothing else', async () => {
  const { files, logs, log, crash } = await machine()
  const other = logs.create(TOPIC, 1, 'orders', CONFIG)
  await Promise.all([append(log, batchOf(2000, 1)), append(other, batchOf(2000, 2))])
  await append(other, batchOf(10, 3))
  const mine = (await files.list(`${DATA}/segments`)).find(name => name.includes('-0-'))!
  const file = await files.open(`${DATA}/segments/${mine}`, 'write')
  await file.truncate(1000)
  await file.datasync()
  const again = await crash()
  equal(again.isOffline, true)
  await rejects(
    async () => again.read(0, { maxBytes: 10, endOffset: 1, minOneBatch: true }),
    /no good record batch at byte 0, where orders-0 has one that was flushed/,
  )
})

test('a rotten byte in a sealed segment takes the log offline when somebody reads it', async () => {
  const { files, log, logs } = await machine(1)
  log.configure({ ...CONFIG, segmentBytes: 2500 })
  for (let seed = 0; seed < 6; seed++) await append(log, batchOf(1000, seed))
  await settled()
  await rot(files, await pathIn(files, 'segments'), 16)
  await rejects(readAll(log), /segments\/\S+\.log: no record batch at byte 0/)
  equal(log.isOffline, true)
  equal(logs.isOffline, false)
  await rejects(append(log, batchOf(1, 1)), /no record batch/)
})

test('a log that settled before the crash is not looked at', async () => {
  const power = new Power()
  const files = new CrashingFiles(power)
  const disk = new CrashingStoreDisk(power)
  await files.makeFolder(DATA)
  await files.syncFolder('/')
  const logs = await openDirectory({ store: await disk.open(), files, limits: { settleMs: 0 } })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const batch = batchOf(400, 1)
  await append(log, batch)
  await logs.close()
  files.crash()
  await disk.crash()
  let reads = 0
  files.fault = (operation, path) => {
    if (operation === 'read' && path.includes('staging')) reads++
  }
  const again = (await openDirectory({ store: await disk.open(), files })).log(TOPIC, 0)!
  deepEqual([again.endOffset, again.syncedOffset, reads], [1, 1, 0])
  deepEqual(await readAll(again), [batch])
})

test('relaxed appends that reached the disk survive, and count from then on', async () => {
  const { files, log, crash } = await machine()
  log.configure({ ...CONFIG, flushMessages: -1 })
  for (let seed = 0; seed < 4; seed++) await append(log, batchOf(2000, seed))
  await log.flush()
  for (let seed = 4; seed < 8; seed++) await append(log, batchOf(2000, seed))
  equal(log.syncedOffset, 4)
  ok(files.durableFiles().size > 0)
  const again = await crash()
  ok(again.endOffset >= 4 && again.endOffset <= 8)
  equal(again.syncedOffset, again.endOffset)
})

test('after a crash nothing is written behind what an unfinished commit left in a file', async () => {
  const { files, log, crash } = await machine()
  await append(log, batchOf(2000, 1))
  const [name] = await files.list(`${DATA}/segments`)
  const file = await files.open(`${DATA}/segments/${name}`, 'write')
  const { length } = await files.readWhole(file.path)
  await file.write([Buffer.alloc(500, 'left over')], length)
  await file.datasync()
  const again = await crash()
  const batch = batchOf(2000, 2)
  await append(again, batch)
  ok((await readAll(again))[1]!.equals(batch))
  ok((await files.readWhole(file.path)).subarray(length).equals(Buffer.alloc(500, 'left over')))
  equal((await files.list(`${DATA}/segments`)).length, 2)
})

test('a log start among records that nobody synced survives with them', async () => {
  const { log, crash } = await machine()
  log.configure({ ...CONFIG, flushMessages: -1 })
  for (let seed = 0; seed < 4; seed++) await append(log, batchOf(400, seed))
  equal(await log.deleteRecordsBefore(2), 2)
  const again = await crash()
  deepEqual([again.isOffline, again.logStartOffset], [false, 2])
  deepEqual(offsetsOf(await readAll(again)).slice(0, 1), [2])
})
