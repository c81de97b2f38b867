// A machine's journal over one partition log: records in record batch v2, one batch for each append so that they are atomic. This is
// the journal of a single broker: an append is committed when it is flushed here. See machine/journal.ts for the contract.
import type { Clock } from '../base/clock.ts'
import type { Codec, Journal } from '../machine/journal.ts'
import { buildBatch, eachBatch, isControl, readHeader, sizeOf } from '../records/batch.ts'
import { readRecords } from '../records/record.ts'
import type { RecordInit } from '../records/record-writer.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { StorageError } from '../storage/storage-error.ts'

export type PartitionJournalOptions = {
  readonly clock: Clock
  readonly log: PartitionLog
  /** The epoch that is stamped on what is appended; it may grow between appends. */
  readonly leaderEpoch: () => number
}

const REPLAY_CHUNK_BYTES = 1024 * 1024

/** Rejects as the log does, with StorageError; a record that the codec does not understand rejects `replay` with what it threw. */
export function partitionJournal<R>(codec: Codec<R>, options: PartitionJournalOptions): Required<Journal<R>> {
  const { clock, log, leaderEpoch } = options
  let tail: Promise<void> = Promise.resolve()
  let isBroken = false

  function append(records: readonly R[]): Promise<void> {
    if (isBroken) return Promise.reject(new StorageError('an earlier append failed: replay first'))
    if (records.length === 0) return tail
    const appended = appendBatch(records)
    tail = Promise.all([tail, appended]).then(() => {})
    tail.catch(() => {
      isBroken = true
    })
    return tail
  }

  function appendBatch(records: readonly R[]): Promise<void> {
    const timestamp = clock.now()
    const encoded: RecordInit[] = []
    for (const record of records) encoded.push({ timestamp, ...codec.encode(record) })
    const batch = buildBatch({ baseOffset: log.endOffset, leaderEpoch: leaderEpoch(), records: encoded })
    const header = readHeader(batch, 0)
    const appended = log.append(batch, header)
    // A log that is full for a moment refuses at once and may take the next append: that one must not follow the gap.
    if (log.endOffset !== header.lastOffset + 1) isBroken = true
    return appended
  }

  return {
    append,

    async appendSnapshot(records) {
      const startOffset = log.endOffset
      await append(records)
      await log.deleteRecordsBefore(startOffset)
    },

    async replay(onRecord) {
      await tail.catch(() => {})
      tail = Promise.resolve()
      await log.flush()
      let offset = log.logStartOffset
      while (offset < log.endOffset) {
        const chunks = await log.read(offset, {
          maxBytes: REPLAY_CHUNK_BYTES,
          endOffset: log.endOffset,
          minOneBatch: true,
        })
        if (typeof chunks === 'string') {
          throw new StorageError(`the log of ${log.topicName}-${log.partition} has no batch at offset ${offset}`)
        }
        // Compaction left nothing from here to the end.
        if (chunks.length === 0) break
        for (const chunk of chunks) offset = replayChunk(chunk, codec, onRecord)
      }
      isBroken = false
    },
  }
}

/** Returns the offset after the last batch. */
function replayChunk<R>(chunk: Buffer, codec: Codec<R>, onRecord: (record: R) => void): number {
  let nextOffset = -1
  for (const at of eachBatch(chunk)) {
    nextOffset = readHeader(chunk, at).lastOffset + 1
    if (isControl(chunk, at)) continue
    for (const stored of readRecords(chunk.subarray(at, at + sizeOf(chunk, at)))) {
      const record = codec.decode(stored.key, stored.value)
      if (record !== null) onRecord(record)
    }
  }
  return nextOffset
}
