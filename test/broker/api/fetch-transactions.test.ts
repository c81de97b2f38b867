// What read_committed consumers get: up to the last stable offset, with the aborted transactions of what is returned.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { eachBatch } from '../../../broker/records/batch.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import { errorsOf, get, ordersTopic, partitionsOf, valuesOf } from './fetching.ts'
import { batchOf, settled } from './fixture.ts'
import { endTransaction, leaderOf, writeTransactional } from './transactions.ts'

for (const readsAreSlow of [false, true]) {
  const where = readsAreSlow ? 'disk' : 'memory'
  test(`read_committed ends at the last stable offset and answers the aborted transactions it overlaps, from ${where}`, async () => {
    const broker = await ordersTopic()
    broker.log('orders').readsAreSlow = readsAreSlow
    await writeTransactional(broker, 7, ['a'])
    await writeTransactional(broker, 8, ['b'])
    await endTransaction(broker, 7, false)
    await writeTransactional(broker, 9, ['c'])
    await endTransaction(broker, 8, true)
    const read = async (offset: number, isolationLevel: number, maxBytes = 1 << 20) => {
      const [answer] = partitionsOf(await get(broker, [{ topic: 'orders', offset, maxBytes }], { isolationLevel }))
      const { records, abortedTransactions, lastStableOffset, highWatermark } = answer!
      const count = [...eachBatch(records!)].length
      return [count, abortedTransactions, lastStableOffset, highWatermark]
    }
    const aborted = [{ producerId: 7, firstOffset: 0 }]
    deepEqual(await read(0, 0), [5, null, 3, 5])
    deepEqual(await read(0, 1), [3, aborted, 3, 5])
    deepEqual(await read(0, 1, 1), [1, aborted, 3, 5])
    deepEqual(await read(2, 1), [1, aborted, 3, 5])
    deepEqual(await read(3, 1), [0, [], 3, 5])
    await endTransaction(broker, 9, true)
    deepEqual(await read(3, 1), [3, [], 6, 6])
  })
}

test('an aborted transaction that begins behind what is returned is not in the answer', async () => {
  const broker = await ordersTopic(['a', 'b'])
  await writeTransactional(broker, 7, ['c'])
  await endTransaction(broker, 7, false)
  const size = batchOf(['a']).length
  const wanted = [{ topic: 'orders', maxBytes: size * 2 }]
  const [answer] = partitionsOf(await get(broker, wanted, { isolationLevel: 1 }))
  deepEqual([[...eachBatch(answer!.records!)].length, answer!.abortedTransactions], [2, []])
})

test('a read_committed fetch waits through the batches of a transaction and is answered with its marker', async () => {
  const broker = await ordersTopic()
  const waiting = get(broker, [{ topic: 'orders' }], { isolationLevel: 1, maxWaitMs: 500 })
  await settled()
  const { watchers, stableWatchers } = leaderOf(broker, 'orders')
  // What wakes those who read everything does not wake it.
  deepEqual([watchers.size, stableWatchers.size], [0, 1])
  for (const sequence of [0, 1, 2]) await writeTransactional(broker, 7, ['a'], sequence)
  await settled()
  equal(stableWatchers.size, 1)
  await endTransaction(broker, 7, true)
  deepEqual(valuesOf(await waiting)[0]!.slice(0, 3), ['a', 'a', 'a'])
})

test('a read_committed fetch with minBytes counts what the marker sets free', async () => {
  const broker = await ordersTopic()
  const minBytes = batchOf(['a']).length * 3
  const waiting = get(broker, [{ topic: 'orders' }], { isolationLevel: 1, maxWaitMs: 500, minBytes })
  await settled()
  for (const sequence of [0, 1, 2]) await writeTransactional(broker, 7, ['a'], sequence)
  await endTransaction(broker, 7, true)
  deepEqual(valuesOf(await waiting)[0]!.slice(0, 3), ['a', 'a', 'a'])
})

test('records that are deleted while their aborted transactions are looked up are out of range', async () => {
  const broker = await ordersTopic()
  await writeTransactional(broker, 7, ['a'])
  await endTransaction(broker, 7, false)
  const log = broker.log('orders')
  log.abortedTransactions = () => log.deleteRecordsBefore(1).then(() => [])
  const response = await get(broker, [{ topic: 'orders' }], { isolationLevel: 1 })
  deepEqual(errorsOf(response), [ErrorCode.OFFSET_OUT_OF_RANGE])
})

test('aborted transactions that cannot be read are KAFKA_STORAGE_ERROR, without records that nobody could filter', async () => {
  const broker = await ordersTopic()
  await writeTransactional(broker, 7, ['a'])
  await endTransaction(broker, 7, false)
  broker.log('orders').abortedTransactions = () => Promise.reject(new StorageError('the disk has failed'))
  const [answer] = partitionsOf(await get(broker, [{ topic: 'orders' }], { isolationLevel: 1 }))
  deepEqual([answer!.errorCode, answer!.records!.length], [ErrorCode.KAFKA_STORAGE_ERROR, 0])
})

test('aborted transactions come in the order of their beginnings, which is what some clients rely on', async () => {
  const broker = await ordersTopic()
  for (const producerId of [7, 8, 9]) await writeTransactional(broker, producerId, ['a'])
  for (const producerId of [9, 8, 7]) await endTransaction(broker, producerId, false)
  const [answer] = partitionsOf(await get(broker, [{ topic: 'orders' }], { isolationLevel: 1 }))
  deepEqual(
    answer!.abortedTransactions!.map(({ producerId, firstOffset }) => [producerId, firstOffset]),
    [
      [7, 0],
      [8, 1],
      [9, 2],
    ],
  )
})
