// When a staging file may go: only when what is committed no longer says that records are in it.
import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { manualClock } from '../../manual-clock.ts'
import { CrashingFiles } from './crashing-files.ts'
import { append, batchOf, CONFIG, delayedStore, openDirectory, readAll, settled, TOPIC } from './log-fixture.ts'

test("a staging file stays until the commit is done that says its records are in the log's own file", async () => {
  const held = Promise.withResolvers<void>()
  let isHeld = false
  const store = delayedStore(openMemoryStore(), method =>
    method === 'commit' && isHeld ? held.promise : Promise.resolve(),
  )
  const files = new CrashingFiles()
  const clock = manualClock()
  const limits = { stagingFileBytes: 500, moveBytes: 1e9, cacheBytes: 1e6 }
  const logs = await openDirectory({ store, files, clock, limits })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  const other = logs.create(TOPIC, 1, 'orders', CONFIG)
  const batches = [batchOf(400, 1), batchOf(3000, 2)]
  await append(log, batches[0]!)
  // Another file is the one that is written from here on.
  await append(other, batchOf(400, 3))
  const staged = await files.list('/data/staging')

  isHeld = true
  const appended = append(log, batches[1]!)
  for (let second = 0; second < 3; second++) {
    clock.advance(1000)
    await settled()
  }
  const kept = await files.list('/data/staging')
  ok(
    staged.every(name => kept.includes(name)),
    `${staged.join()} were there, and ${kept.join()} are left`,
  )

  held.resolve()
  await appended
  deepEqual(await readAll(log), batches)
  for (let second = 0; second < 3; second++) {
    clock.advance(1000)
    await settled()
  }
  const left = await files.list('/data/staging')
  ok(!left.includes(staged[0]!), `${left.join()} are left`)
})
