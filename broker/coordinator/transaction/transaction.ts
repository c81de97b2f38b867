// What the coordinator knows of one transactional id, and the steps from one state to the next (KIP-98, KIP-360, KIP-890). A value is
// never changed: every step returns another one, which is what the log gets (codec.ts). Whether a step may be taken is decided by
// init-producer-id.ts, partitions.ts, end.ts and expiry.ts. The numbers are those of Kafka's TransactionMetadata.
//
//   EMPTY --> ONGOING --> PREPARE_COMMIT --> COMPLETE_COMMIT --> ONGOING, EMPTY, forgotten
//        \          \---> PREPARE_ABORT ---> COMPLETE_ABORT ---> ONGOING, EMPTY, forgotten
//         \--(nothing to abort)--^
import { assert } from '../../base/assert.ts'

/** Kafka's names; their place in the list is their number in the log. The last two exist in Kafka's memory only. */
export const transactionStates = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
] as const

export type TransactionState = (typeof transactionStates)[number]

/** Topic -> partitions. */
export type Partitions = ReadonlyMap<string, ReadonlySet<number>>

export type Transaction = {
  readonly transactionalId: string
  readonly producerId: number
  /** The id before the last step: differs from `producerId` right after the epochs of one were used up. */
  readonly previousProducerId: number
  /** In a Prepare state: the id that the producer goes on with, from epoch 0; -1 when it keeps its own. */
  readonly nextProducerId: number
  readonly producerEpoch: number
  /** The epoch that the bump to `producerEpoch` replaced, when whoever had it may learn the new one; else -1. */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly state: TransactionState
  readonly partitions: Partitions
  /** -1 before the first transaction. */
  readonly startTimeMs: number
  readonly updateTimeMs: number
  /** The transaction.version that the client works with: from 2 on every end of a transaction bumps the epoch (KIP-890). */
  readonly clientVersion: number
}

export type Identity = { readonly producerId: number; readonly producerEpoch: number }

/** The transaction.version whose clients get the next epoch from EndTxn. */
export const TRANSACTIONS_V2 = 2

const MAX_EPOCH = 32767
/** No client gets the last epoch, so that a coordinator can always fence. */
export const LAST_CLIENT_EPOCH = MAX_EPOCH - 1
const NO_PARTITIONS: Partitions = new Map()

/** Whether `epoch` is the last one that a client may have: the next bump takes another producer id. */
export function isExhausted(epoch: number): boolean {
  return epoch >= LAST_CLIENT_EPOCH
}

/** Whether the end is decided and markers are being written. */
export function isPrepared({ state }: Transaction): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}

/** Whether nothing is open, so that the id may begin, go on to another epoch, or be forgotten. */
export function isIdle({ state }: Transaction): boolean {
  return state === 'Empty' || state === 'CompleteCommit' || state === 'CompleteAbort'
}

/** Who the producer is once the markers are written: what EndTxn answers. */
export function identityAfter(transaction: Transaction): Identity {
  const { producerId, producerEpoch, nextProducerId } = transaction
  return isPrepared(transaction) && nextProducerId !== -1
    ? { producerId: nextProducerId, producerEpoch: 0 }
    : { producerId, producerEpoch }
}

export function has(partitions: Partitions, topic: string, partition: number): boolean {
  return partitions.get(topic)?.has(partition) ?? false
}

export function newTransaction(
  transactionalId: string,
  producerId: number,
  timeoutMs: number,
  nowMs: number,
): Transaction {
  return {
    transactionalId,
    producerId,
    previousProducerId: -1,
    nextProducerId: -1,
    producerEpoch: 0,
    lastProducerEpoch: -1,
    timeoutMs,
    state: 'Empty',
    partitions: NO_PARTITIONS,
    startTimeMs: -1,
    updateTimeMs: nowMs,
    clientVersion: 0,
  }
}

/** A producer starts over. `isSameProducer`: it named the epoch it had, and may ask again should the answer be lost. */
export function withNextEpoch(from: Transaction, timeoutMs: number, isSameProducer: boolean, nowMs: number) {
  assert(isIdle(from) && !isExhausted(from.producerEpoch), 'an idle producer with an epoch left goes on to the next')
  return emptied(from, from.producerId, from.producerEpoch + 1, timeoutMs, isSameProducer, nowMs)
}

/** As `withNextEpoch`, when the id has no epoch left. */
export function withProducerId(
  from: Transaction,
  producerId: number,
  timeoutMs: number,
  isSameProducer: boolean,
  nowMs: number,
): Transaction {
  assert(isIdle(from), 'the producer id changes between transactions')
  return emptied(from, producerId, 0, timeoutMs, isSameProducer, nowMs)
}

function emptied(
  from: Transaction,
  producerId: number,
  producerEpoch: number,
  timeoutMs: number,
  isSameProducer: boolean,
  nowMs: number,
): Transaction {
  return {
    ...from,
    previousProducerId: from.producerId,
    producerId,
    producerEpoch,
    lastProducerEpoch: isSameProducer ? from.producerEpoch : -1,
    timeoutMs,
    state: 'Empty',
    partitions: NO_PARTITIONS,
    startTimeMs: -1,
    updateTimeMs: nowMs,
  }
}

/** A repeated InitProducerId: the epoch was bumped for it already. */
export function unchangedFor(from: Transaction, timeoutMs: number, nowMs: number): Transaction {
  assert(isIdle(from), 'only an idle producer starts over')
  return {
    ...from,
    previousProducerId: from.producerId,
    timeoutMs,
    state: 'Empty',
    partitions: NO_PARTITIONS,
    startTimeMs: -1,
    updateTimeMs: nowMs,
  }
}

export function withPartitions(
  from: Transaction,
  added: Iterable<readonly [topic: string, partition: number]>,
  clientVersion: number,
  nowMs: number,
): Transaction {
  assert(isIdle(from) || from.state === 'Ongoing', 'partitions join a transaction whose end is not decided')
  const partitions = new Map<string, Set<number>>()
  if (from.state === 'Ongoing') {
    for (const [topic, ofTopic] of from.partitions) partitions.set(topic, new Set(ofTopic))
  }
  for (const [topic, partition] of added) {
    const ofTopic = partitions.get(topic)
    if (ofTopic === undefined) partitions.set(topic, new Set([partition]))
    else ofTopic.add(partition)
  }
  return {
    ...from,
    previousProducerId: from.producerId,
    state: 'Ongoing',
    partitions,
    startTimeMs: from.state === 'Ongoing' ? from.startTimeMs : nowMs,
    updateTimeMs: nowMs,
    clientVersion,
  }
}

/**
 * The end is decided. From version 2 on the epoch is bumped with it, so that nothing of the transaction that arrives late can be taken
 * for a part of the next one; `nextProducerId` is the id to go on with when that was the last epoch, else -1.
 */
export function prepared(
  from: Transaction,
  isCommit: boolean,
  clientVersion: number,
  nextProducerId: number,
  nowMs: number,
): Transaction {
  assert(from.state === 'Ongoing' || (isIdle(from) && !isCommit), 'an ongoing transaction ends, or an empty one aborts')
  const bumps = clientVersion >= TRANSACTIONS_V2
  assert(!bumps || from.producerEpoch < MAX_EPOCH || !isCommit, 'nobody has the last epoch but a coordinator')
  return {
    ...from,
    previousProducerId: from.producerId,
    nextProducerId: bumps ? nextProducerId : -1,
    producerEpoch: bumps ? Math.min(from.producerEpoch + 1, MAX_EPOCH) : from.producerEpoch,
    lastProducerEpoch: bumps ? from.producerEpoch : from.lastProducerEpoch,
    state: isCommit ? 'PrepareCommit' : 'PrepareAbort',
    startTimeMs: from.state === 'Ongoing' ? from.startTimeMs : nowMs,
    partitions: from.state === 'Ongoing' ? from.partitions : NO_PARTITIONS,
    updateTimeMs: nowMs,
    clientVersion,
  }
}

/** All markers are written. */
export function completed(from: Transaction, nowMs: number): Transaction {
  assert(isPrepared(from), 'only what is prepared completes')
  return {
    ...from,
    ...identityAfter(from),
    previousProducerId: from.producerId,
    nextProducerId: -1,
    state: from.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    partitions: NO_PARTITIONS,
    updateTimeMs: nowMs,
  }
}
