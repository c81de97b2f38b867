// Transactions for tests of handlers: writes batches and markers straight to the leader of a partition.
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { Leader } from '../../../broker/replication/leader.ts'
import type { EndTransaction } from '../../../broker/replication/transactions.ts'
import { batchOf, type TestBroker } from './fixture.ts'

export function leaderOf(broker: TestBroker, topic: string, partition = 0): Leader {
  const leader = broker.context.replicas.leader(broker.context.image().topics.get(topic)!.topicId, partition)
  if (typeof leader === 'number') throw new Error(`no leader: ${leader}`)
  return leader
}

/** One transactional batch of a producer with epoch 0. */
export async function writeTransactional(
  broker: TestBroker,
  producerId: number,
  values: readonly string[],
  baseSequence = 0,
): Promise<void> {
  const batch = batchOf(values, { producerId, producerEpoch: 0, baseSequence, isTransactional: true })
  const { errorCode, stored } = leaderOf(broker, 'orders').append(batch, 1, broker.clock.now())
  if (errorCode !== ErrorCode.NONE) throw new Error(`refused: ${errorCode}`)
  await stored
}

/** The marker that ends it. */
export async function endTransaction(
  broker: TestBroker,
  producerId: number,
  isCommit: boolean,
  more: Partial<EndTransaction> = {},
): Promise<void> {
  const end = { producerId, producerEpoch: 0, coordinatorEpoch: 2, isCommit, transactionVersion: 0, ...more }
  const { errorCode, stored } = leaderOf(broker, 'orders').appendMarker(end, broker.clock.now())
  if (errorCode !== ErrorCode.NONE) throw new Error(`refused: ${errorCode}`)
  await stored
}
