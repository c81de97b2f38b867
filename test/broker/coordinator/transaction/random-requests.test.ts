// Random requests, good and bad, against the decide functions: none of them fails, those that are refused change nothing, and the state is
// what the bytes of its records replay to. A failure names the seed.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { transactionCodec } from '../../../../broker/coordinator/transaction/codec.ts'
import { complete, endTransaction } from '../../../../broker/coordinator/transaction/end.ts'
import { abortTimedOut, forgetUnused } from '../../../../broker/coordinator/transaction/expiry.ts'
import { initProducerId } from '../../../../broker/coordinator/transaction/init-producer-id.ts'
import { addPartitions, verifyPartitions } from '../../../../broker/coordinator/transaction/partitions.ts'
import { createState, replay } from '../../../../broker/coordinator/transaction/state.ts'
import { LAST_CLIENT_EPOCH } from '../../../../broker/coordinator/transaction/transaction.ts'
import { ErrorCode } from '../../../../broker/protocol/errors.ts'
import { seededNumbers } from '../../../seeded.ts'
import { coordinator } from './fixture.ts'

const SEEDS = 200
const REQUESTS = 150
const IDS = ['', 'a', 'b', 'c'.repeat(32_767)]
const EPOCHS = [-32_768, -1, 0, 1, 2, LAST_CLIENT_EPOCH - 1, LAST_CLIENT_EPOCH, LAST_CLIENT_EPOCH + 1]

test('whatever is asked, nothing fails, refusals change nothing, and the records are the state', () => {
  for (let seed = 1; seed <= SEEDS; seed++) run(seed)
})

function run(seed: number): void {
  const next = seededNumbers(seed)
  const below = (limit: number): number => Math.floor(next() * limit)
  const of = <T>(items: readonly T[]): T => items[below(items.length)]!
  const self = coordinator()
  const { state, records, emit } = self

  const identity = (transactionalId: string) => {
    const known = state.transactions.get(transactionalId)
    if (known === undefined || below(4) === 0) {
      return { producerId: of([-2, -1, 0, 100, 101, 102, Number.MAX_SAFE_INTEGER]), producerEpoch: of(EPOCHS) }
    }
    const { producerId, producerEpoch, nextProducerId, previousProducerId } = known
    return {
      producerId: of([producerId, producerId, producerId, nextProducerId, previousProducerId]),
      producerEpoch: producerEpoch + of([0, 0, 0, 0, -1, 1]),
    }
  }

  const ask = (): number => {
    const transactionalId = of(IDS)
    const clientVersion = of([0, 1, 2])
    const request = { transactionalId, ...identity(transactionalId) }
    const partitions = Array.from({ length: below(3) }, () => ({ topic: of(['x', 'y']), partition: below(3) - 1 }))
    switch (below(7)) {
      case 0: {
        const expected = below(2) === 0 ? null : request
        const init = { transactionalId, timeoutMs: 1 + below(1000), expected }
        const { errorCode } = self.decide(circumstances => initProducerId(state, init, circumstances, emit))
        // The abort of an ongoing transaction is decided, and the producer is to ask again.
        return errorCode === ErrorCode.CONCURRENT_TRANSACTIONS ? 0 : errorCode
      }
      case 1:
      case 2:
        return addPartitions(state, { ...request, partitions, clientVersion }, self.nowMs, emit)
      case 3:
        return verifyPartitions(state, { ...request, partitions }).length === partitions.length ? -1 : 0
      case 4: {
        const end = { ...request, isCommit: below(2) === 0, clientVersion }
        return self.decide(circumstances => endTransaction(state, end, circumstances, emit)).errorCode
      }
      case 5: {
        const known = state.transactions.get(transactionalId)
        return known !== undefined && complete(state, known, self.nowMs, emit) ? 0 : -1
      }
      default:
        self.nowMs += below(500)
        if (below(10) === 0) return forgetUnused(state, self.nowMs, 5000, 10, emit) > 0 ? 0 : -1
        return self.decide(circumstances => abortTimedOut(state, transactionalId, circumstances, emit)) ? 0 : -1
    }
  }

  // Epochs near their end are what nobody reaches by accident.
  self.init(null, 'a')
  emit({ transactionalId: 'a', transaction: { ...self.get('a'), producerEpoch: LAST_CLIENT_EPOCH - 2 } })
  for (let count = 0; count < REQUESTS; count++) {
    const before = records.length
    const errorCode = ask()
    if (errorCode !== 0) equal(records.length, before, `seed ${seed}: error ${errorCode} has changed something`)
    for (const { transaction } of records.slice(before)) {
      ok(transaction === null || transaction.producerEpoch >= 0, `seed ${seed}: epoch ${transaction?.producerEpoch}`)
    }
  }
  ok(!state.transactions.has(''), `seed ${seed}: nobody is called nothing`)
  const again = createState()
  for (const record of records) {
    const { key, value } = transactionCodec.encode(record) as { key: Buffer; value: Buffer | null }
    replay(again, transactionCodec.decode(key, value, null)!)
  }
  const plain = ({ transactions }: typeof state) =>
    [...transactions.values()].map(transaction => ({ ...transaction, lastProducerEpoch: null }))
  deepEqual(plain(again), plain(state), `seed ${seed}`)
  deepEqual([...again.ongoing], [...state.ongoing])
  deepEqual([...again.prepared], [...state.prepared])
}
