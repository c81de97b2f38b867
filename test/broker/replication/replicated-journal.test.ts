// What every journal must do is test/contract/journal.ts; this is what a led partition adds: the high watermark and transactions.
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { topicConfig } from '../../../broker/config/topic-config.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { baseSequence, isControl, isTransactional, leaderEpoch, recordCount } from '../../../broker/records/batch.ts'
import { Leader } from '../../../broker/replication/leader.ts'
import {
  replicatedJournal,
  type RecordCodec,
  type TransactionOf,
} from '../../../broker/replication/replicated-journal.ts'
import { manualClock } from '../../manual-clock.ts'
import { brokerConfig } from '../api/fixture.ts'
import { MemoryLog } from './memory-log.ts'

type Entry =
  | { readonly key: string; readonly value: string | null; readonly transaction?: TransactionOf }
  | { readonly ended: TransactionOf; readonly result: 'commit' | 'abort' }

const codec: RecordCodec<Entry> = {
  encode: entry =>
    'ended' in entry
      ? { marker: { ...entry.ended, result: entry.result, coordinatorEpoch: 3 } }
      : {
          key: Buffer.from(entry.key),
          value: entry.value === null ? null : Buffer.from(entry.value),
          transaction: entry.transaction ?? null,
        },
  decode: (key, value, transaction) => ({
    key: String(key),
    value: value === null ? null : String(value),
    ...(transaction === null ? {} : { transaction }),
  }),
  decodeMarker: ({ producerId, producerEpoch, result }) => ({ ended: { producerId, producerEpoch }, result }),
}

const PRODUCER = { producerId: 7, producerEpoch: 2 }

function setUp(isr: readonly number[] = [1], minInsyncReplicas = 1) {
  const clock = manualClock()
  const log = new MemoryLog('topic-id', 0, '__consumer_offsets')
  const state = { brokerId: 1, leaderEpoch: 4, partitionEpoch: 1, replicas: [1, 2], isr, minInsyncReplicas }
  const config = topicConfig(new Map(), brokerConfig({}))
  const leader = new Leader(clock, '__consumer_offsets', log.asPartitionLog, state, config)
  log.onAdvance(() => leader.advance())
  return { clock, log, leader, state, config, journal: replicatedJournal(codec, { clock, leader }) }
}

async function replayed({ clock, leader }: ReturnType<typeof setUp>): Promise<Entry[]> {
  const entries: Entry[] = []
  await replicatedJournal(codec, { clock, leader }).replay(entry => entries.push(entry))
  return entries
}

test('an append is committed when the high watermark has passed it, not when it is on this disk', async () => {
  const { journal, leader, state, config, log } = setUp([1, 2])
  let isCommitted = false
  const committing = journal.append([{ key: 'a', value: '1' }]).then(() => (isCommitted = true))
  await new Promise(resolve => setImmediate(resolve))
  deepEqual([isCommitted, log.flushedOffset, leader.highWatermark], [false, 1, 0])
  leader.update({ ...state, partitionEpoch: 2, isr: [1] }, config)
  await committing
  equal(leader.highWatermark, 1)
})

test('whoever waits for a leader that stops leading is told that the outcome is not known', async () => {
  const { journal, leader } = setUp([1, 2])
  const appending = journal.append([{ key: 'a', value: '1' }])
  await new Promise(resolve => setImmediate(resolve))
  leader.close(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  await rejects(appending, { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })
  await rejects(journal.append([]))
})

test('a partition with too few replicas in sync takes nothing', async () => {
  const { journal, leader } = setUp([1], 2)
  equal(leader.ownRefusal, ErrorCode.NOT_ENOUGH_REPLICAS)
  await rejects(journal.append([{ key: 'a', value: '1' }]))
})

test('tombstones and transactions come back as what they were', async () => {
  const parts = setUp()
  const entries: Entry[] = [
    { key: 'a', value: '1' },
    { key: 'a', value: null },
    { key: 'b', value: '2', transaction: PRODUCER },
    { ended: PRODUCER, result: 'commit' },
    { key: 'b', value: '3', transaction: { ...PRODUCER, producerId: 8 } },
    { ended: { ...PRODUCER, producerId: 8 }, result: 'abort' },
  ]
  for (const entry of entries) await parts.journal.append([entry])
  deepEqual(await replayed(parts), entries)
})

test('the records of a transaction are a transactional batch of its producer, as Kafka writes them', async () => {
  const parts = setUp()
  const { journal, log } = parts
  await journal.append([
    { key: 'a', value: '1', transaction: PRODUCER },
    { key: 'b', value: '2', transaction: PRODUCER },
  ])
  deepEqual([parts.leader.lastStableOffset, log.producers.get(7)?.producerEpoch], [0, 2])
  await journal.append([{ ended: PRODUCER, result: 'commit' }])
  equal(parts.leader.lastStableOffset, 3)
  const read = await log.read(0, { maxBytes: 1e6, endOffset: 3, minOneBatch: true })
  if (typeof read === 'string') throw new Error(read)
  deepEqual(
    read.map(batch => [
      isTransactional(batch, 0),
      isControl(batch, 0),
      recordCount(batch, 0),
      baseSequence(batch, 0),
      leaderEpoch(batch, 0),
    ]),
    [
      [true, false, 2, 0, 4],
      [true, true, 1, -1, 4],
    ],
  )
})

test('records of different transactions are no one append', async () => {
  const { journal } = setUp()
  const mixed: Entry[] = [
    { key: 'a', value: '1', transaction: PRODUCER },
    { key: 'b', value: '2' },
  ]
  await rejects(async () => journal.append(mixed), /belong to one transaction/)
})

test('a replay that nobody needs any more ends', async () => {
  const { journal, clock, leader, log } = setUp()
  await journal.append([{ key: 'a', value: '1' }])
  log.readsAreSlow = true
  const abort = new AbortController()
  const replaying = replicatedJournal(codec, { clock, leader, signal: abort.signal }).replay(() => {})
  abort.abort()
  await rejects(replaying, { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })
})
