// The follower's rules: A8 and A10 of the replication protocol with trap F6, over a real log in memory.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { silentLogger } from '../../../broker/base/log.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { buildBatch, readHeader } from '../../../broker/records/batch.ts'
import { Follower, type FollowerAnswer } from '../../../broker/replication/follower.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { CONFIG, DATA, openDirectory, TOPIC } from '../storage/log-fixture.ts'
import { CrashingFiles } from '../storage/crashing-files.ts'

const records = (count: number) =>
  Array.from({ length: count }, () => ({ timestamp: 1, key: null, value: Buffer.from('value') }))

const batch = (baseOffset: number, leaderEpoch: number, count = 1): Buffer =>
  buildBatch({ baseOffset, leaderEpoch, records: records(count) })

const answer = (over: Partial<FollowerAnswer> = {}): FollowerAnswer => ({
  errorCode: ErrorCode.NONE,
  highWatermark: 0,
  logStartOffset: 0,
  divergingEpoch: { epoch: -1, endOffset: -1 },
  records: null,
  ...over,
})

/** A follower in epoch 5 whose log has these epochs, one record each. */
async function follow(epochs: readonly number[] = [], leaderEpoch = 5) {
  const files = new CrashingFiles()
  await files.makeFolder(DATA)
  const logs = await openDirectory({ store: openMemoryStore(), files })
  const log = logs.create(TOPIC, 0, 'orders', CONFIG)
  for (const [offset, epoch] of epochs.entries()) {
    const bytes = batch(offset, epoch)
    await log.append(bytes, readHeader(bytes, 0))
  }
  const follower = new Follower(silentLogger, log, { leaderId: 2, leaderEpoch }, 0)
  await follower.start()
  const apply = (over: Partial<FollowerAnswer>) => follower.apply(follower.nextFetch()!, answer(over))
  return { log, follower, apply }
}

test('A8: a fetch says where the log ends, and there is none before what was there is flushed', async () => {
  const { log, follower } = await follow([3, 4])
  deepEqual(follower.nextFetch()!.end, { offset: 2, epoch: 4 })
  equal(new Follower(silentLogger, log, { leaderId: 2, leaderEpoch: 5 }, 0).nextFetch(), null)
})

test('A8: there is no fetch while something is on its way to the disk; the next one acknowledges it', async () => {
  const { log, follower, apply } = await follow()
  const applying = apply({ records: Buffer.concat([batch(0, 5), batch(1, 5)]) })
  equal(log.endOffset, 2)
  equal(follower.nextFetch(), null)
  equal(await applying, 'ok')
  equal(log.flushedOffset, 2)
  deepEqual(follower.nextFetch()!.end, { offset: 2, epoch: 5 })
})

test('A10: the high watermark is that of the leader as far as the log goes', async () => {
  const { follower, apply } = await follow()
  await apply({ records: batch(0, 5), highWatermark: 7 })
  equal(follower.highWatermark, 1)
  await apply({ records: batch(1, 5), highWatermark: 2 })
  equal(follower.highWatermark, 2)
  await apply({ highWatermark: 1 })
  equal(follower.highWatermark, 2)
})

test('A10: a log that diverges is cut to the end of the common epoch, and tells no high watermark', async () => {
  const { log, follower, apply } = await follow([3, 3, 4, 4])
  equal(await apply({ divergingEpoch: { epoch: 3, endOffset: 1 }, highWatermark: 9 }), 'ok')
  equal(log.endOffset, 1)
  equal(follower.highWatermark, 0)
  deepEqual(follower.nextFetch()!.end, { offset: 1, epoch: 3 })
})

test('F6: a second copy of an answer is not applied', async () => {
  const { log, follower } = await follow([3, 4])
  const fetch = follower.nextFetch()!
  const diverges = answer({ divergingEpoch: { epoch: 3, endOffset: 0 } })
  equal(await follower.apply(fetch, diverges), 'ok')
  equal(await follower.apply(follower.nextFetch()!, answer({ records: batch(0, 5) })), 'ok')
  follower.nextFetch()
  equal(await follower.apply(fetch, diverges), 'void')
  equal(log.endOffset, 1)
})

test('an answer to a fetch that was given up is not applied', async () => {
  const { log, follower } = await follow()
  const fetch = follower.nextFetch()!
  follower.forget()
  equal(await follower.apply(fetch, answer({ records: batch(0, 5) })), 'void')
  equal(log.endOffset, 0)
})

test('a log that ends before the leader starts begins anew there', async () => {
  const { log, follower, apply } = await follow([3])
  equal(await apply({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, logStartOffset: 20 }), 'ok')
  deepEqual([log.logStartOffset, log.endOffset], [20, 20])
  deepEqual(follower.nextFetch()!.end, { offset: 20, epoch: -1 })
})

test('a leader whose log starts inside a batch sends that batch whole', async () => {
  const { log, apply } = await follow()
  await apply({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, logStartOffset: 22 })
  equal(await apply({ records: batch(20, 5, 5), highWatermark: 25, logStartOffset: 22 }), 'ok')
  equal(log.endOffset, 25)
})

test('a batch with a wrong checksum, a gap backwards or the wrong epoch is not taken', async () => {
  const { log, apply } = await follow([4])
  const rotten = batch(1, 5)
  rotten[rotten.length - 1]! ^= 1
  for (const bytes of [rotten, batch(0, 5), batch(1, 6), batch(1, 3), batch(1, 5).subarray(0, 65)]) {
    equal(await apply({ records: bytes }), 'later')
    equal(log.endOffset, 1)
  }
})

test('what the leader does not serve is asked for later', async () => {
  const { apply } = await follow()
  equal(await apply({ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER }), 'later')
  equal(await apply({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, logStartOffset: -1 }), 'later')
})

test('a follower that was closed fetches and applies nothing any more', async () => {
  const { log, follower } = await follow()
  const fetch = follower.nextFetch()!
  await follower.close()
  equal(follower.nextFetch(), null)
  equal(await follower.apply(fetch, answer({ records: batch(0, 5) })), 'void')
  equal(log.endOffset, 0)
})
