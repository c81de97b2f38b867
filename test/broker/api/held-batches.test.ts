import { deepEqual, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { HeldBatches } from '../../../broker/api/held-batches.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { TransactionGate } from '../../../broker/replication/transactions.ts'
import { batchOf, settled, testBroker } from './fixture.ts'
import { leaderOf, writeTransactional } from './transactions.ts'

test('a batch that fails while the coordinator is asked about another one fails the request, and nothing before', async () => {
  let answer: (codes: readonly ErrorCode[]) => void = () => {}
  const gate: TransactionGate = { admit: () => new Promise(resolve => (answer = resolve)) }
  const broker = await testBroker({ transactions: gate })
  await broker.createTopic('orders', { partitions: 2 })
  await writeTransactional(broker, 7, ['open in partition 0'])
  const held = new HeldBatches(gate, 'bank', 'add')
  const done: string[] = []
  const add = (partition: number, baseSequence: number, append: () => Promise<void>): void =>
    held.add({
      topic: 'orders',
      partition,
      leader: leaderOf(broker, 'orders', partition),
      records: batchOf(['a'], { producerId: 7, producerEpoch: 0, baseSequence, isTransactional: true }),
      append,
      refuse: () => done.push('refused'),
    })
  add(0, 1, () => Promise.reject(new Error('the disk is gone')))
  add(1, 0, () => {
    done.push('appended')
    return Promise.resolve()
  })
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    const failed = rejects(held.run(), /the disk is gone/)
    await settled()
    deepEqual(unhandled, [])
    answer([ErrorCode.NONE])
    await failed
    deepEqual(done, ['appended'])
  } finally {
    process.off('unhandledRejection', note)
  }
})
