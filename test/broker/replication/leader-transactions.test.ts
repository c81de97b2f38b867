import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { parseBrokerConfig } from '../../../broker/config/broker-config.ts'
import { topicConfig } from '../../../broker/config/topic-config.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { baseOffset, buildBatch, leaderEpoch, producerEpoch } from '../../../broker/records/batch.ts'
import { readEndTransactionMarker } from '../../../broker/records/control.ts'
import { Leader } from '../../../broker/replication/leader.ts'
import type { PartitionState } from '../../../broker/replication/partition-state.ts'
import type { EndTransaction } from '../../../broker/replication/transactions.ts'
import { ParkedFetch, ParkingLimit } from '../../../broker/replication/waiters.ts'
import { manualClock } from '../../manual-clock.ts'
import { MemoryLog } from './memory-log.ts'

const NOW = 1_700_000_000_000

const alone: PartitionState = {
  brokerId: 1,
  leaderEpoch: 4,
  partitionEpoch: 9,
  replicas: [1],
  isr: [1],
  minInsyncReplicas: 1,
}

function lead(state: Partial<PartitionState> = {}) {
  const parsed = parseBrokerConfig(new Map())
  if (!('config' in parsed)) throw new Error(parsed.errors.join(', '))
  const clock = manualClock()
  const log = new MemoryLog('topic-id', 0, 'orders')
  const config = topicConfig(new Map(), parsed.config)
  const leader = new Leader(clock, 'orders', log.asPartitionLog, { ...alone, ...state }, config)
  log.onAdvance(() => leader.advance())
  return { clock, log, leader }
}

function write(leader: Leader, producerId: number, baseSequence = 0, epoch = 0) {
  const records = [{ timestamp: NOW, key: null, value: Buffer.from('v') }]
  const batch = buildBatch({ producerId, producerEpoch: epoch, baseSequence, isTransactional: true, records })
  return leader.append(batch, 1, NOW)
}

function end(fields: Partial<EndTransaction> = {}): EndTransaction {
  return { producerId: 7, producerEpoch: 0, coordinatorEpoch: 3, isCommit: true, transactionVersion: 0, ...fields }
}

test('a marker is one control batch with the epochs of producer, coordinator and leader', async () => {
  const { leader, log } = lead()
  await write(leader, 7).stored
  const written = leader.appendMarker(end({ isCommit: false, producerEpoch: 1, transactionVersion: 2 }), NOW)
  deepEqual([written.errorCode, written.baseOffset, written.endOffset], [ErrorCode.NONE, 1, 2])
  await written.stored
  const [marker] = (await log.read(1, { maxBytes: 1000, endOffset: 2, minOneBatch: true })) as Buffer[]
  deepEqual(readEndTransactionMarker(marker!), { result: 'abort', coordinatorEpoch: 3 })
  deepEqual([baseOffset(marker!, 0), leaderEpoch(marker!, 0), producerEpoch(marker!, 0)], [1, 4, 1])
})

test('a late marker and one of an old coordinator are refused and change nothing', async () => {
  const { leader, log } = lead()
  await write(leader, 7, 0, 5).stored
  await leader.appendMarker(end({ producerEpoch: 6, transactionVersion: 2 }), NOW).stored
  equal(leader.appendMarker(end({ producerEpoch: 5 }), NOW).errorCode, ErrorCode.INVALID_PRODUCER_EPOCH)
  const fenced = leader.appendMarker(end({ producerEpoch: 6, coordinatorEpoch: 2 }), NOW)
  equal(fenced.errorCode, ErrorCode.TRANSACTION_COORDINATOR_FENCED)
  equal(log.endOffset, 2)
})

test('a marker needs enough replicas in sync, as it must not be lost', () => {
  const { leader, log } = lead({ replicas: [1, 2], isr: [1], minInsyncReplicas: 2 })
  equal(leader.appendMarker(end(), NOW).errorCode, ErrorCode.NOT_ENOUGH_REPLICAS)
  equal(log.endOffset, 0)
})

test('the last stable offset stays at the first open transaction until its marker is below the high watermark', async () => {
  const { leader, log } = lead()
  await write(leader, 8, 0).stored
  await write(leader, 7, 0).stored
  await leader.appendMarker(end({ producerId: 8 }), NOW).stored
  await write(leader, 9, 0).stored
  deepEqual([leader.highWatermark, leader.lastStableOffset], [4, 1])
  log.isHeld = true
  const marker = leader.appendMarker(end(), NOW)
  equal(leader.lastStableOffset, 1)
  log.flushAll()
  await marker.stored
  deepEqual([leader.highWatermark, leader.lastStableOffset], [5, 3])
})

test('deleting the beginning of an open transaction moves the last stable offset to the log start', async () => {
  const { leader, log } = lead()
  for (const sequence of [0, 1, 2]) await write(leader, 7, sequence).stored
  equal(leader.lastStableOffset, 0)
  await log.deleteRecordsBefore(2)
  equal(leader.lastStableOffset, 2)
})

test('a read_committed fetch sleeps through the batches of a transaction and wakes with its marker', async () => {
  const { leader, clock } = lead()
  const fetch = new ParkedFetch(100, new ParkingLimit(10))
  fetch.watch(leader.stableWatchers, 1000)
  let isAwake = false
  const parked = fetch.park(clock, 500, new AbortController().signal).then(() => (isAwake = true))
  for (const sequence of [0, 1, 2]) await write(leader, 7, sequence).stored
  await Promise.resolve()
  equal(isAwake, false)
  await Promise.all([leader.appendMarker(end(), NOW).stored, parked])
  equal(isAwake, true)
})

test('a read_committed fetch is not woken by what lies behind an open transaction', async () => {
  const { leader, clock } = lead()
  await write(leader, 7).stored
  const fetch = new ParkedFetch(1, new ParkingLimit(10))
  fetch.watch(leader.stableWatchers, 1000)
  const parked = fetch.park(clock, 500, new AbortController().signal)
  await write(leader, 8).stored
  await leader.appendMarker(end({ producerId: 8 }), NOW).stored
  equal(leader.stableWatchers.size, 1)
  await leader.appendMarker(end(), NOW).stored
  await parked
})

test('whoever waits for the last stable offset of a leader that stops leading is woken', async () => {
  const { leader, clock } = lead()
  const fetch = new ParkedFetch(1, new ParkingLimit(10))
  fetch.watch(leader.stableWatchers, 1000)
  const parked = fetch.park(clock, 500, new AbortController().signal)
  leader.close(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  await parked
})

test('a batch of the next transaction continues the sequence, or begins with 0 when the marker raised the epoch', async () => {
  const { leader } = lead()
  write(leader, 7, 0)
  leader.appendMarker(end(), NOW)
  equal(write(leader, 7, 5).errorCode, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  equal(write(leader, 7, 1).errorCode, ErrorCode.NONE)
  leader.appendMarker(end({ producerEpoch: 1, transactionVersion: 2 }), NOW)
  equal(write(leader, 7, 2).errorCode, ErrorCode.INVALID_PRODUCER_EPOCH)
  equal(write(leader, 7, 2, 1).errorCode, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  equal(write(leader, 7, 0, 1).errorCode, ErrorCode.NONE)
})
