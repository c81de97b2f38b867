// A partition's transactional ids with everything that decisions need, and the records they emitted.
import { addPartitions } from '../../../../broker/coordinator/transaction/partitions.ts'
import { complete, endTransaction } from '../../../../broker/coordinator/transaction/end.ts'
import {
  NEEDS_PRODUCER_ID,
  type Circumstances,
  type IdentityResult,
} from '../../../../broker/coordinator/transaction/decision.ts'
import { initProducerId } from '../../../../broker/coordinator/transaction/init-producer-id.ts'
import {
  createState,
  replay,
  type Emit,
  type TransactionRecord,
} from '../../../../broker/coordinator/transaction/state.ts'
import type { Identity, Transaction } from '../../../../broker/coordinator/transaction/transaction.ts'

export const ID = 'payments'
export const TIMEOUT_MS = 60_000

export function coordinator() {
  const state = createState()
  const records: TransactionRecord[] = []
  const emit: Emit = record => {
    records.push(record)
    replay(state, record)
  }
  let nextProducerId = 100
  const self = {
    state,
    records,
    emit,
    nowMs: 1000,
    /** How often a decision asked for a producer id. */
    idsTaken: () => nextProducerId - 100,
    get: (transactionalId = ID): Transaction => state.transactions.get(transactionalId)!,
    decide<T>(decision: (circumstances: Circumstances) => T): Exclude<T, typeof NEEDS_PRODUCER_ID> {
      const answer = decision({ nowMs: self.nowMs, freshProducerId: null })
      if (answer !== NEEDS_PRODUCER_ID) return answer as Exclude<T, typeof NEEDS_PRODUCER_ID>
      return decision({ nowMs: self.nowMs, freshProducerId: nextProducerId++ }) as Exclude<T, typeof NEEDS_PRODUCER_ID>
    },
    init(expected: Identity | null = null, transactionalId = ID): IdentityResult {
      const request = { transactionalId, timeoutMs: TIMEOUT_MS, expected }
      return self.decide(circumstances => initProducerId(state, request, circumstances, emit))
    },
    add(identity: Identity, topic = 'orders', partition = 0, clientVersion = 2) {
      const { producerId, producerEpoch } = identity
      const partitions = [{ topic, partition }]
      return addPartitions(
        state,
        { transactionalId: ID, producerId, producerEpoch, partitions, clientVersion },
        self.nowMs,
        emit,
      )
    },
    end(identity: Identity, isCommit: boolean, clientVersion = 2): IdentityResult {
      const { producerId, producerEpoch } = identity
      const request = { transactionalId: ID, producerId, producerEpoch, isCommit, clientVersion }
      return self.decide(circumstances => endTransaction(state, request, circumstances, emit))
    },
    /** All markers of what is prepared are written. */
    complete(): boolean {
      return complete(state, self.get(), self.nowMs, emit)
    },
    /** Puts the id into a state that would take long to reach. */
    put(change: Partial<Transaction>): Transaction {
      emit({ transactionalId: ID, transaction: { ...self.get(), ...change } })
      return self.get()
    },
  }
  return self
}
