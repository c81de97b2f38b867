// A log in memory for the tests of the cleaner's core: batches one behind the other, producers and transactions as a broker would have them,
// and a cleaning made of the pure parts alone.
import {
  baseOffset,
  buildBatch,
  lastOffset,
  readHeader,
  sizeOf,
  type BatchInit,
} from '../../../../broker/records/batch.ts'
import { buildEndTransactionMarker, readEndTransactionMarker } from '../../../../broker/records/control.ts'
import { readRecords, type Record, type RecordInit } from '../../../../broker/records/record.ts'
import { BatchFilter, type CleaningRules } from '../../../../broker/storage/cleaner/batch-filter.ts'
import { KeyIndex } from '../../../../broker/storage/cleaner/key-index.ts'
import { OffsetMap } from '../../../../broker/storage/cleaner/offset-map.ts'
import { CleanedTransactions, type AbortedTransaction } from '../../../../broker/storage/cleaner/transactions.ts'
import { ProducerState } from '../../../../broker/storage/producer-state.ts'

export type Reading = { readonly offset: number; readonly key: string | null; readonly value: string | null }

export class History {
  batches: Buffer[] = []
  producers = new ProducerState()
  aborted: AbortedTransaction[] = []
  logStartOffset = 0
  endOffset = 0
  cleanedOffset = 0

  append(init: BatchInit): Buffer {
    const batch = buildBatch({ leaderEpoch: 1, ...init, baseOffset: this.endOffset })
    this.#take(batch)
    return batch
  }

  /** One batch of records "key=value", or "key" for a tombstone. */
  put(texts: readonly string[], init: Partial<BatchInit> = {}, timestamp = 1000): Buffer {
    return this.append({ ...init, records: texts.map(text => recordOf(text, timestamp)) })
  }

  end(producerId: number, producerEpoch: number, result: 'commit' | 'abort', timestamp = 1000): Buffer {
    const firstOffset = this.producers.get(producerId)!.currentTransactionStartOffset
    const baseOffset = this.endOffset
    if (result === 'abort' && firstOffset >= 0) this.aborted.push({ producerId, firstOffset, lastOffset: baseOffset })
    const marker = { result, coordinatorEpoch: 0, producerId, producerEpoch, timestamp, baseOffset, leaderEpoch: 1 }
    const batch = buildEndTransactionMarker(marker)
    this.#take(batch)
    return batch
  }

  #take(batch: Buffer): void {
    this.batches.push(batch)
    this.producers.apply(readHeader(batch), readEndTransactionMarker(batch))
    this.endOffset = lastOffset(batch, 0) + 1
  }

  get stableOffset(): number {
    const open = this.producers.firstOpenOffset
    return open < 0 ? this.endOffset : open
  }

  /** DeleteRecords: the log starts at `offset`; batches that end before `removedBelow`, which is not above it, go with their segments. */
  deleteBefore(offset: number, removedBelow: number): void {
    this.logStartOffset = Math.max(this.logStartOffset, offset)
    this.batches = this.batches.filter(batch => lastOffset(batch, 0) >= removedBelow)
    this.aborted = this.aborted.filter(transaction => transaction.lastOffset >= this.logStartOffset)
  }

  /** A start that has only the log: what is known of producers is what its batches tell. */
  restart(): void {
    this.producers = new ProducerState()
    for (const batch of this.batches) this.producers.apply(readHeader(batch), readEndTransactionMarker(batch))
  }

  /** Cleans up to `roundEnd`, as far as a map of `mapBytes` reaches. Returns what was kept of each batch. */
  clean(nowMs: number, options: { roundEnd?: number; mapBytes?: number; deleteRetentionMs?: number } = {}): void {
    const { roundEnd = this.stableOffset, mapBytes = 100_000, deleteRetentionMs = 1000 } = options
    const map = new OffsetMap(mapBytes, 0.9)
    const dirty = new CleanedTransactions(this.cleanedOffset)
    dirty.add(this.aborted)
    const index = new KeyIndex(map, dirty, this.cleanedOffset)
    for (const batch of this.batches) {
      if (lastOffset(batch, 0) < this.cleanedOffset) continue
      if (baseOffset(batch, 0) >= roundEnd || !run(index.add(batch))) break
    }
    const transactions = new CleanedTransactions(this.batches.length === 0 ? 0 : baseOffset(this.batches[0]!, 0))
    transactions.add(this.aborted.slice(0, 1))
    // As with a log of several groups, some are added twice.
    transactions.add(this.aborted)
    const rules: CleaningRules = {
      newest: map,
      mappedEnd: index.mappedEnd,
      roundEnd,
      nowMs,
      deleteRetentionMs,
      producers: lastOfProducers(this.producers),
      transactions,
    }
    const filter = new BatchFilter(rules)
    const kept: Buffer[] = []
    for (const batch of this.batches) kept.push(...[run(filter.filter(batch))].filter(one => one !== null))
    const gone = new Set(this.aborted)
    for (const needed of transactions.takeNeeded()) gone.delete(needed)
    this.aborted = this.aborted.filter(one => !gone.has(one))
    this.batches = kept
    this.cleanedOffset = Math.max(this.cleanedOffset, index.mappedEnd)
  }

  /** What a consumer gets from `from` on. */
  read(isolation: 'read_uncommitted' | 'read_committed', position = 0): Reading[] {
    const from = Math.max(position, this.logStartOffset)
    const found: Reading[] = []
    const isCommitted = isolation === 'read_committed'
    const end = isCommitted ? this.stableOffset : this.endOffset
    const starts = this.aborted.filter(({ lastOffset }) => lastOffset >= from)
    const aborting = new Set<number>()
    for (const batch of this.batches) {
      const header = readHeader(batch)
      if (header.lastOffset < from || header.baseOffset >= end) continue
      for (const { producerId, firstOffset } of [...starts]) {
        if (firstOffset > header.lastOffset) continue
        aborting.add(producerId)
        starts.splice(starts.findIndex(start => start.firstOffset === firstOffset), 1) // prettier-ignore
      }
      if (header.isControl) {
        if (readEndTransactionMarker(batch)?.result === 'abort') aborting.delete(header.producerId)
        continue
      }
      if (isCommitted && header.isTransactional && aborting.has(header.producerId)) continue
      for (const record of readRecords(batch)) if (record.offset >= from) found.push(readingOf(record))
    }
    return found
  }
}

export function lastOfProducers(producers: ProducerState): Map<number, { lastOffset: number; producerEpoch: number }> {
  const last = new Map<number, { lastOffset: number; producerEpoch: number }>()
  for (const { producerId, producerEpoch, batches } of producers.entries())
    last.set(producerId, { lastOffset: batches.at(-1)?.lastOffset ?? -1, producerEpoch })
  return last
}

/** Runs a generator to its end. */
export function run<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

export function recordOf(text: string, timestamp = 1000): RecordInit {
  const at = text.indexOf('=')
  const key = at < 0 ? text : text.slice(0, at)
  return {
    timestamp,
    key: key === '' ? null : Buffer.from(key),
    value: at < 0 ? null : Buffer.from(text.slice(at + 1)),
  }
}

function readingOf({ offset, key, value }: Record): Reading {
  return { offset, key: key?.toString() ?? null, value: value?.toString() ?? null }
}

/** "offset key=value" of every record in the batches. */
export function contentsOf(batches: readonly Buffer[]): string[] {
  return batches.flatMap(batch =>
    readRecords(batch.subarray(0, sizeOf(batch, 0))).map(record => {
      const { offset, key, value } = readingOf(record)
      return value === null ? `${offset} ${key}` : `${offset} ${key}=${value}`
    }),
  )
}
