// A machine's journal over a partition that this broker leads: what coordinators keep their state in. An append is one batch, and it is
// committed when the high watermark has passed it, so it holds for replicated partitions too. Records may belong to a producer's
// transaction (KIP-98): they are one transactional batch, and the marker that ends the transaction is a record as well. Not here: the
// metadata log, which no leader serves (metadata/metadata-log.ts); what the records mean.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Journal } from '../machine/journal.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { buildBatch, eachBatch, isControl, isTransactional, lastOffset, sizeOf } from '../records/batch.ts'
import { producerEpoch, producerId } from '../records/batch.ts'
import { buildEndTransactionMarker, readEndTransactionMarker, type EndTransactionMarker } from '../records/control.ts'
import { readRecords } from '../records/record.ts'
import type { RecordInit } from '../records/record-writer.ts'
import { LeaderClosedError } from './append-result.ts'
import type { Leader } from './leader.ts'

/** The producer whose transaction a record is part of. */
export type TransactionOf = { readonly producerId: number; readonly producerEpoch: number }

/** A record as it is stored. Null values are tombstones. A marker ends the producer's transaction and has neither key nor value. */
export type StoredRecord =
  | { readonly key: Buffer; readonly value: Buffer | null; readonly transaction?: TransactionOf | null }
  | { readonly marker: EndTransactionMarker & TransactionOf }

/** How records of a kind are kept in a partition of an internal topic. */
export type RecordCodec<R> = {
  encode(record: R): StoredRecord
  /** Null for what means nothing to the state machine; throws on bytes that this version does not understand. */
  decode(key: Buffer, value: Buffer | null, transaction: TransactionOf | null): R | null
  /** As `decode`, for the end of a producer's transaction. */
  decodeMarker(marker: EndTransactionMarker & TransactionOf): R | null
}

export type ReplicatedJournalOptions = {
  readonly clock: Clock
  readonly leader: Leader
  /** Ends a replay early: it rejects. */
  readonly signal?: AbortSignal
}

const REPLAY_CHUNK_BYTES = 1024 * 1024
/** A replay lets others run when it has kept the event loop for this long. */
const REPLAY_TURN_MS = 10

/**
 * Rejects with LeaderClosedError when the leader does not take an append or stops leading, and with StorageError when the log fails.
 * All records of one append belong to the same transaction or to none, and a marker stands alone.
 */
export function replicatedJournal<R>(codec: RecordCodec<R>, options: ReplicatedJournalOptions): Journal<R> {
  const { leader, clock } = options
  let tail: Promise<void> = Promise.resolve()
  let isBroken = false

  function append(records: readonly R[]): Promise<void> {
    if (isBroken) return Promise.reject(new LeaderClosedError(ErrorCode.NOT_LEADER_OR_FOLLOWER))
    if (records.length === 0) return tail
    const appended = appendBatch(leader, encodeBatch(codec, records, clock.now()))
    // A log that refuses one append may take the next: that one must not follow the gap.
    if (appended === null) isBroken = true
    const committed = appended ?? Promise.reject(new LeaderClosedError(ErrorCode.NOT_ENOUGH_REPLICAS))
    tail = Promise.all([tail, committed]).then(() => {})
    tail.catch(() => {
      isBroken = true
    })
    return tail
  }

  return {
    append,

    async replay(onRecord) {
      await tail.catch(() => {})
      tail = Promise.resolve()
      await replayLog(codec, options, onRecord)
      isBroken = false
    },
  }
}

/** Null when the batch was refused. */
function appendBatch(leader: Leader, batch: Buffer): Promise<void> | null {
  const { log } = leader
  const { errorCode, endOffset, stored } = leader.appendOwn(batch)
  if (errorCode !== ErrorCode.NONE) return null
  const committed = untilCommitted(leader, endOffset, stored)
  if (log.endOffset === endOffset) return committed
  committed.catch(() => {})
  return null
}

async function untilCommitted(leader: Leader, endOffset: number, stored: Promise<unknown> | null): Promise<void> {
  await stored
  // Without a time: who waits gives up by itself, and the outcome is not known until then.
  const errorCode = await leader.committed(endOffset, null)
  if (errorCode !== ErrorCode.NONE) throw new LeaderClosedError(errorCode)
}

function encodeBatch<R>(codec: RecordCodec<R>, records: readonly R[], timestamp: number): Buffer {
  const encoded: RecordInit[] = []
  let transaction: TransactionOf | null = null
  for (const [index, record] of records.entries()) {
    const stored = codec.encode(record)
    if ('marker' in stored) {
      assert(records.length === 1, 'the end of a transaction is appended alone')
      return buildEndTransactionMarker({ ...stored.marker, timestamp })
    }
    const of = stored.transaction ?? null
    if (index === 0) transaction = of
    assert(isSame(of, transaction), 'the records of one append belong to one transaction')
    encoded.push({ timestamp, key: stored.key, value: stored.value })
  }
  if (transaction === null) return buildBatch({ records: encoded })
  return buildBatch({ ...transaction, isTransactional: true, baseSequence: 0, records: encoded })
}

function isSame(one: TransactionOf | null, other: TransactionOf | null): boolean {
  return one?.producerId === other?.producerId && one?.producerEpoch === other?.producerEpoch
}

async function replayLog<R>(
  codec: RecordCodec<R>,
  { leader, clock, signal }: ReplicatedJournalOptions,
  onRecord: (record: R) => void,
): Promise<void> {
  const { log } = leader
  // Whatever is in the log of a leader will be committed; what is not yet must not be answered from.
  const { endOffset } = log
  await untilCommitted(leader, endOffset, log.flush())
  let turnEndsMs = clock.monotonic() + REPLAY_TURN_MS
  for (let offset = log.logStartOffset; offset < endOffset;) {
    const read = await log.read(offset, { maxBytes: REPLAY_CHUNK_BYTES, endOffset, minOneBatch: true })
    if (signal?.aborted === true) throw new LeaderClosedError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    // Compaction and retention move on while the replay reads: what they took away is not part of the state.
    if (typeof read === 'string' && offset < log.logStartOffset) offset = log.logStartOffset
    else if (typeof read === 'string') throw noBatchAt(leader, offset)
    else if (read.length === 0) return
    else for (const chunk of read) offset = replayChunk(chunk, codec, onRecord)
    if (clock.monotonic() < turnEndsMs) continue
    await new Promise<void>(resolve => void clock.after(0, resolve))
    turnEndsMs = clock.monotonic() + REPLAY_TURN_MS
  }
}

function noBatchAt({ topicName, log }: Leader, offset: number): Error {
  return new Error(`the log of ${topicName}-${log.partition} has no batch at offset ${offset}`)
}

/** Returns the offset after the last batch. */
function replayChunk<R>(chunk: Buffer, codec: RecordCodec<R>, onRecord: (record: R) => void): number {
  let nextOffset = -1
  for (const at of eachBatch(chunk)) {
    const batch = chunk.subarray(at, at + sizeOf(chunk, at))
    nextOffset = lastOffset(chunk, at) + 1
    const of = { producerId: producerId(batch, 0), producerEpoch: producerEpoch(batch, 0) }
    if (isControl(batch, 0)) {
      const marker = readEndTransactionMarker(batch)
      const record = marker === null ? null : codec.decodeMarker({ ...marker, ...of })
      if (record !== null) onRecord(record)
      continue
    }
    const transaction = isTransactional(batch, 0) ? of : null
    for (const { key, value } of readRecords(batch)) {
      const record = key === null ? null : codec.decode(key, value, transaction)
      if (record !== null) onRecord(record)
    }
  }
  return nextOffset
}
