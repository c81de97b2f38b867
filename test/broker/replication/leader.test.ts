import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { parseBrokerConfig } from '../../../broker/config/broker-config.ts'
import { topicConfig, type TopicConfig } from '../../../broker/config/topic-config.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { baseOffset, buildBatch, leaderEpoch } from '../../../broker/records/batch.ts'
import { Leader } from '../../../broker/replication/leader.ts'
import { produceLimits } from '../../../broker/replication/produce-limits.ts'
import type { PartitionState } from '../../../broker/replication/partition-state.ts'
import { ParkedFetch, ParkingLimit } from '../../../broker/replication/waiters.ts'
import { manualClock } from '../../manual-clock.ts'
import { MemoryLog } from './memory-log.ts'

const NOW = 1_700_000_000_000

function config(overrides: Record<string, string> = {}): TopicConfig {
  const parsed = parseBrokerConfig(new Map())
  if (!('config' in parsed)) throw new Error(parsed.errors.join(', '))
  return topicConfig(new Map(Object.entries(overrides)), parsed.config)
}

const alone: PartitionState = {
  brokerId: 1,
  leaderEpoch: 4,
  partitionEpoch: 9,
  replicas: [1],
  isr: [1],
  minInsyncReplicas: 1,
}

function lead(state: Partial<PartitionState> = {}, overrides: Record<string, string> = {}) {
  const clock = manualClock()
  const log = new MemoryLog('topic-id', 0, 'orders')
  const leader = new Leader(clock, 'orders', log.asPartitionLog, { ...alone, ...state }, config(overrides))
  log.onAdvance(() => leader.advance())
  return { clock, log, leader }
}

function batch(values: string[], init: { producerId?: number; baseSequence?: number } = {}): Buffer {
  const producer = init.producerId === undefined ? {} : { ...init, producerEpoch: 0 }
  return buildBatch({
    ...producer,
    records: values.map(value => ({ timestamp: NOW, key: Buffer.from('k'), value: Buffer.from(value) })),
  })
}

test('an append gets the next offsets and the leader epoch before anything waits', () => {
  const { leader, log } = lead()
  const first = batch(['a', 'b'])
  const second = batch(['c'])
  equal(leader.append(first, 1, NOW).baseOffset, 0)
  equal(leader.append(second, 1, NOW).baseOffset, 2)
  deepEqual([baseOffset(second, 0), leaderEpoch(second, 0), log.endOffset], [2, 4, 3])
})

test('an append counts as stored when the log has flushed it, and the high watermark moves with the flush', async () => {
  const { leader, log } = lead()
  log.isHeld = true
  const appended = leader.append(batch(['a', 'b']), -1, NOW)
  deepEqual([leader.highWatermark, log.endOffset], [0, 2])
  log.flushAll()
  await appended.stored
  equal(leader.highWatermark, 2)
  equal(leader.committed(appended.endOffset, 1000), ErrorCode.NONE)
})

test('a batch larger than a segment is RECORD_LIST_TOO_LARGE, and its producer is not even looked at', () => {
  const { leader, log } = lead({}, { 'internal.segment.bytes': '200' })
  const large = batch(['x'.repeat(200)], { producerId: 7, baseSequence: 5 })
  equal(leader.append(large, -1, NOW).errorCode, ErrorCode.RECORD_LIST_TOO_LARGE)
  equal(log.endOffset, 0)
  equal(leader.append(batch(['x'], { producerId: 7, baseSequence: 0 }), -1, NOW).errorCode, ErrorCode.NONE)
})

test('acks=all waits for the high watermark, not for the own flush', async () => {
  const { leader, clock } = lead({ replicas: [1, 2], isr: [1, 2] })
  const appended = leader.append(batch(['a']), -1, NOW)
  await appended.stored
  const outcome = leader.committed(appended.endOffset, 500)
  equal(leader.highWatermark, 0)
  leader.update({ ...alone, partitionEpoch: 10, replicas: [1, 2], isr: [1] }, leader.config)
  equal(await outcome, ErrorCode.NONE)
  equal(clock.timers, 0)
})

test('acks=all gives up after its time with REQUEST_TIMED_OUT', async () => {
  const { leader, clock } = lead({ replicas: [1, 2], isr: [1, 2] })
  const appended = leader.append(batch(['a']), -1, NOW)
  await appended.stored
  const outcome = leader.committed(appended.endOffset, 500)
  clock.advance(500)
  equal(await outcome, ErrorCode.REQUEST_TIMED_OUT)
})

test('acks=all is refused before the append while too few replicas are in sync, acks=1 is not', () => {
  const { leader, log } = lead({ replicas: [1, 2, 3], isr: [1], minInsyncReplicas: 2 })
  equal(leader.append(batch(['a']), -1, NOW).errorCode, ErrorCode.NOT_ENOUGH_REPLICAS)
  equal(log.endOffset, 0)
  equal(leader.append(batch(['a']), 1, NOW).errorCode, ErrorCode.NONE)
})

test('the high watermark stands still while too few replicas are in sync, so the last one cannot acknowledge alone', async () => {
  const { leader } = lead({ replicas: [1, 2], isr: [1], minInsyncReplicas: 2 })
  await leader.append(batch(['a']), 1, NOW).stored
  equal(leader.highWatermark, 0)
})

test('one replica with a minimum of three accepts acks=all', async () => {
  const { leader } = lead({ minInsyncReplicas: 3 })
  const appended = leader.append(batch(['a']), -1, NOW)
  await appended.stored
  equal(leader.committed(appended.endOffset, 0), ErrorCode.NONE)
})

test('a batch that an idempotent producer sends again is a success with its old offset', async () => {
  const { leader, log } = lead()
  await leader.append(batch(['x']), 1, NOW).stored
  await leader.append(batch(['a', 'b'], { producerId: 7, baseSequence: 0 }), 1, NOW).stored
  const again = leader.append(batch(['a', 'b'], { producerId: 7, baseSequence: 0 }), 1, NOW)
  deepEqual([again.errorCode, again.baseOffset, again.endOffset, again.stored], [ErrorCode.NONE, 1, 3, null])
  equal(log.endOffset, 3)
})

test('a duplicate of a batch that is not flushed yet waits for that flush', async () => {
  const { leader, log } = lead()
  log.isHeld = true
  const original = leader.append(batch(['a'], { producerId: 7, baseSequence: 0 }), 1, NOW)
  const again = leader.append(batch(['a'], { producerId: 7, baseSequence: 0 }), 1, NOW)
  let isStored = false
  const stored = again.stored!.then(() => (isStored = true))
  await Promise.resolve()
  equal(isStored, false)
  log.flushAll()
  await Promise.all([original.stored, stored])
})

test('a duplicate of a batch that is lost with the disk is not a success', async () => {
  const { leader, log } = lead()
  log.isHeld = true
  const original = leader.append(batch(['a'], { producerId: 7, baseSequence: 0 }), 1, NOW)
  const again = leader.append(batch(['a'], { producerId: 7, baseSequence: 0 }), 1, NOW)
  const outcomes = Promise.all([
    rejects(original.stored as Promise<unknown>),
    rejects(again.stored as Promise<unknown>),
  ])
  log.fail()
  leader.close(ErrorCode.KAFKA_STORAGE_ERROR)
  await outcomes
})

test('a gap in the sequence of a producer is OUT_OF_ORDER_SEQUENCE_NUMBER', () => {
  const { leader } = lead()
  leader.append(batch(['a'], { producerId: 7, baseSequence: 0 }), 1, NOW)
  const refused = leader.append(batch(['a'], { producerId: 7, baseSequence: 5 }), 1, NOW)
  deepEqual([refused.errorCode, refused.baseOffset], [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1])
})

test('records without a key are refused by a compacted topic, one by one', () => {
  const { leader, log } = lead({}, { 'cleanup.policy': 'compact' })
  const records = [
    { timestamp: NOW, key: Buffer.from('k'), value: null },
    { timestamp: NOW, key: null, value: null },
  ]
  const refused = leader.append(buildBatch({ records }), 1, NOW)
  equal(refused.errorCode, ErrorCode.INVALID_RECORD)
  deepEqual(refused.recordErrors.map(error => error.batchIndex), [1]) // prettier-ignore
  equal(log.endOffset, 0)
})

test('a topic with LogAppendTime stamps batches and says when', () => {
  const { leader } = lead({}, { 'message.timestamp.type': 'LogAppendTime' })
  equal(leader.append(batch(['a']), 1, NOW + 5).logAppendTimeMs, NOW + 5)
  equal(lead().leader.append(batch(['a']), 1, NOW + 5).logAppendTimeMs, -1)
})

test('a changed configuration counts from the next append on', () => {
  const { leader } = lead()
  leader.update(alone, config({ 'max.message.bytes': '70' }))
  equal(leader.append(batch(['a long value that does not fit']), 1, NOW).errorCode, ErrorCode.MESSAGE_TOO_LARGE)
})

test('reads end before the high watermark and say when an offset is out of range', async () => {
  const { leader, log } = lead()
  await leader.append(batch(['a']), 1, NOW).stored
  log.isHeld = true
  leader.append(batch(['b']), 1, NOW).stored?.catch(() => {})
  const read = (offset: number) => leader.read(offset, leader.highWatermark, 1000, true)
  equal((read(0) as Buffer[]).length, 1)
  deepEqual(read(1), [])
  deepEqual(read(2), [])
  equal(read(3), 'offset-out-of-range')
  equal(read(-1), 'offset-out-of-range')
  await log.deleteRecordsBefore(1)
  equal(read(0), 'offset-out-of-range')
})

test('a leader epoch of a request must be the current one', () => {
  const { leader } = lead()
  deepEqual([-1, 3, 4, 5].map(epoch => leader.checkLeaderEpoch(epoch)), [
    ErrorCode.NONE,
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.NONE,
    ErrorCode.UNKNOWN_LEADER_EPOCH,
  ]) // prettier-ignore
})

test('the history of epochs ends at the log end for the current one, at the start of the next for others', async () => {
  const { leader } = lead({ leaderEpoch: 2 })
  await leader.append(batch(['a', 'b']), 1, NOW).stored
  leader.update({ ...alone, leaderEpoch: 5, partitionEpoch: 10 }, leader.config)
  await leader.append(batch(['c']), 1, NOW).stored
  leader.update({ ...alone, leaderEpoch: 8, partitionEpoch: 11 }, leader.config)
  const end = (epoch: number) => {
    const { epoch: found, endOffset } = leader.endOffsetForEpoch(epoch)
    return [found, endOffset]
  }
  deepEqual([0, 2, 3, 5, 6, 8, 9].map(end), [[0, 0], [2, 2], [2, 2], [5, 3], [5, 3], [8, 3], [-1, -1]]) // prettier-ignore
})

test('an empty log knows its current epoch, and where it starts', () => {
  const { leader } = lead({ leaderEpoch: 2 })
  deepEqual(leader.endOffsetForEpoch(2), { epoch: 2, endOffset: 0 })
  deepEqual(leader.endOffsetForEpoch(1), { epoch: 1, endOffset: 0 })
  deepEqual(leader.endOffsetForEpoch(3), { epoch: -1, endOffset: -1 })
})

test('a new leader does not know the latest offset before its high watermark has reached the start of its epoch', async () => {
  const clock = manualClock()
  const log = new MemoryLog('topic-id', 0, 'orders')
  log.endOffset = 10
  log.flushedOffset = 4
  const leader = new Leader(clock, 'orders', log.asPartitionLog, alone, config())
  deepEqual([leader.highWatermark, leader.isLatestKnown], [4, false])
  log.flushedOffset = 10
  leader.advance()
  deepEqual([leader.highWatermark, leader.isLatestKnown], [10, true])
})

test('a parked fetch wakes as soon as its bytes are below the high watermark, not when they are appended', async () => {
  const { leader, log, clock } = lead()
  log.isHeld = true
  const fetch = new ParkedFetch(1, new ParkingLimit(10))
  fetch.watch(leader.watchers, 1000)
  let isAwake = false
  const parked = fetch.park(clock, 500, new AbortController().signal).then(() => (isAwake = true))
  const { stored } = leader.append(batch(['a']), 1, NOW)
  await Promise.resolve()
  equal(isAwake, false)
  log.flushAll()
  await Promise.all([stored, parked])
})

test('whoever waits for a leader that stops leading learns it', async () => {
  const { leader } = lead({ replicas: [1, 2], isr: [1, 2] })
  const appended = leader.append(batch(['a']), -1, NOW)
  await appended.stored
  const outcome = leader.committed(appended.endOffset, 500)
  leader.close(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  equal(await outcome, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  equal(leader.committed(appended.endOffset, 500), ErrorCode.NOT_LEADER_OR_FOLLOWER)
})

test('the limits of produced batches follow the topic', () => {
  const limits = produceLimits(
    config({ 'compression.type': 'zstd', 'compression.zstd.level': '7', 'cleanup.policy': 'compact' }),
  )
  deepEqual([limits.compressionType, limits.compressionLevel, limits.isCompacted], ['zstd', 7, true])
  equal(produceLimits(config({ 'compression.type': 'uncompressed' })).compressionType, 'none')
})
