// One cleaning of one log: reads the dirty part for its keys, then writes the log's sealed segments anew, group by group, with what
// batch-filter.ts keeps. The new file of a group is on the disk before one commit of the store puts it in the place of the old ones; those
// go at once, so there is never a second copy of more than one group. Whatever happens in between, a start finds the old files or the new one.
//
// Appends, reads, sealing, retention and truncation go on meanwhile: the log is taken only for the swap, which looks whether the
// segments are still those that were read. If not, the cleaning ends there; what it has swapped counts.
import { assert } from '../../base/assert.ts'
import { lastOffset } from '../../records/batch.ts'
import { storedAborted } from '../aborted-transactions.ts'
import type { LogCore } from '../log-core.ts'
import type { LogParts } from '../log-parts.ts'
import { encodeLogState } from '../log-state.ts'
import type { ProducerState } from '../producer-state.ts'
import { encodeSegment, segmentPath, type Segment } from '../segment.ts'
import { StorageError } from '../storage-error.ts'
import { BatchFilter, type LastOfProducer } from './batch-filter.ts'
import { groupSegments, type CleanablePart } from './cleanable.ts'
import { KeyIndex } from './key-index.ts'
import type { OffsetMap } from './offset-map.ts'
import { SegmentReader } from './segment-reader.ts'
import { SegmentWriter, type CleanedSegment } from './segment-writer.ts'
import type { Pace, Throttle } from './throttle.ts'
import { CleanedTransactions, type AbortedTransaction } from './transactions.ts'

/** What a cleaning works with. */
export type CleaningTools = {
  readonly map: OffsetMap
  /** Segments are read through it. */
  readonly buffer: Buffer
  readonly throttle: Throttle
  readonly pace: Pace
  /** The cleaning is to end soon. */
  readonly signal: AbortSignal
}

export type CleaningStats = {
  /** Exclusive: the log is clean up to here. */
  readonly cleanedOffset: number
  bytesRead: number
  bytesWritten: number
  recordsRead: number
  recordsKept: number
  invalidRecords: number
  /** Keys in the map. */
  keys: number
}

/**
 * Cleans `part` of the log. Resolves with null when the log changed too much meanwhile to go on, or is not compacted any more. Rejects with
 * StorageError, or with what a malformed batch made of itself.
 */
export async function cleanLog(
  core: LogCore,
  parts: LogParts,
  part: CleanablePart,
  tools: CleaningTools,
): Promise<CleaningStats | null> {
  try {
    return await new LogCleaning(core, parts, part, tools).run()
  } catch (error) {
    if (error instanceof Interrupted) return null
    throw error
  }
}

/** The cleaning ends early, and nobody did anything wrong. */
class Interrupted extends Error {}

class LogCleaning {
  readonly #core: LogCore
  readonly #parts: LogParts
  readonly #part: CleanablePart
  readonly #tools: CleaningTools
  readonly #nowMs: number
  /** What is cleaned, as long as the log has it. */
  readonly #segments: readonly Segment[]
  #bytesRead = 0
  #bytesWritten = 0

  constructor(core: LogCore, parts: LogParts, part: CleanablePart, tools: CleaningTools) {
    this.#core = core
    this.#parts = parts
    this.#part = part
    this.#tools = tools
    this.#nowMs = parts.clock.now()
    this.#segments = core.segments
  }

  async run(): Promise<CleaningStats> {
    const core = this.#core
    const { map } = this.#tools
    const { firstDirtyOffset, firstUncleanableOffset: roundEnd } = this.#part
    const mappedEnd = await this.#indexKeys()
    if (mappedEnd === firstDirtyOffset) {
      throw new Error(
        `the keys of one batch do not fit into the ${map.sizeBytes} bytes of log.cleaner.dedupe.buffer.size`,
      )
    }
    const transactions = new CleanedTransactions(0)
    const { deleteRetentionMs, segmentBytes } = core.config
    const nowMs = this.#nowMs
    const producers = lastOfProducers(core.producers)
    const rules = { newest: map, mappedEnd, roundEnd, nowMs, deleteRetentionMs, producers, transactions }
    const filter = new BatchFilter(rules)
    const groups = groupSegments(this.#segments, mappedEnd, segmentBytes)
    for (const [at, group] of groups.entries()) {
      const cleanedOffset = at + 1 === groups.length ? mappedEnd : null
      await this.#cleanGroup(group, filter, transactions, cleanedOffset)
    }
    const { recordsRead, recordsKept, invalidRecords } = filter.counts
    const [bytesRead, bytesWritten] = [this.#bytesRead, this.#bytesWritten]
    return {
      cleanedOffset: mappedEnd,
      bytesRead,
      bytesWritten,
      recordsRead,
      recordsKept,
      invalidRecords,
      keys: map.size,
    }
  }

  /** Fills the map. Resolves with where the part that it knows ends. */
  async #indexKeys(): Promise<number> {
    const { firstDirtyOffset, firstUncleanableOffset: end } = this.#part
    const transactions = new CleanedTransactions(firstDirtyOffset)
    const index = new KeyIndex(this.#tools.map, transactions, firstDirtyOffset)
    for (const segment of this.#segments) {
      if (segment.endOffset <= firstDirtyOffset) continue
      if (segment.baseOffset >= end) break
      transactions.add(await this.#abortedIn(segment.baseOffset, segment.endOffset))
      const position = await this.#positionOf(segment, firstDirtyOffset)
      for await (const batches of this.#chunks(segment, position)) {
        for (const batch of batches) {
          if (lastOffset(batch, 0) >= end || !(await this.#inTurns(index.add(batch)))) return index.mappedEnd
        }
      }
      index.reached(Math.min(segment.endOffset, end))
    }
    return index.mappedEnd
  }

  async #positionOf(segment: Segment, offset: number): Promise<number> {
    if (offset <= segment.baseOffset) return 0
    const index = await this.#parts.indexes.get(this.#core.keys, segment)
    if (index === null) throw new Interrupted()
    return index.stretch(index.indexOf(offset)).position
  }

  /** The batches of a segment, in pieces that are good until the next one is asked for. */
  async *#chunks(segment: Segment, position: number): AsyncGenerator<Buffer[], void, void> {
    const { buffer, throttle } = this.#tools
    const reader = new SegmentReader(this.#core, this.#parts, segment, { position, buffer, throttle })
    for (;;) {
      let batches: Buffer[] | null
      try {
        batches = await reader.next()
      } catch (error) {
        // The file was cut, or is gone with its records.
        if (!this.#isThere([segment])) throw new Interrupted()
        throw error
      }
      if (batches === null) return
      if (!this.#isThere([segment])) throw new Interrupted()
      for (const batch of batches) this.#bytesRead += batch.length
      yield batches
      await this.#breathe()
    }
  }

  // A generator of the pure core, with rests where it yields, and before it begins: small batches yield never, and there are a thousand in a piece.
  async #inTurns<T>(work: Generator<void, T, void>): Promise<T> {
    if (this.#tools.pace.isDue) await this.#breathe()
    for (;;) {
      const step = work.next()
      if (step.done === true) return step.value
      await this.#breathe()
    }
  }

  async #breathe(): Promise<void> {
    const { pace, signal } = this.#tools
    if (pace.isDue) await pace.rest()
    if (signal.aborted) throw new Interrupted()
  }

  /** Whether the log still has these segments, one behind the other, and is still compacted. */
  #isThere(segments: readonly Segment[]): boolean {
    const core = this.#core
    if (core.isRemoved || core.error !== null || !core.config.cleanupPolicy.has('compact')) return false
    const first = core.segments.indexOf(segments[0]!)
    return first >= 0 && segments.every((segment, at) => core.segments[first + at] === segment)
  }

  async #cleanGroup(
    group: readonly Segment[],
    filter: BatchFilter,
    transactions: CleanedTransactions,
    cleanedOffset: number | null,
  ): Promise<void> {
    const from = group[0]!.baseOffset
    let sizeBytes = 0
    for (const segment of group) sizeBytes += segment.sizeBytes
    if (!this.#parts.hasRoomFor(sizeBytes)) {
      throw new StorageError(`${sizeBytes} bytes are needed to clean ${this.#core.name}`, { code: 'ENOSPC' })
    }
    const aborted = await this.#abortedIn(from, group.at(-1)!.endOffset)
    transactions.add(aborted)
    const writer = new SegmentWriter(this.#core, this.#parts, group)
    let isSwapped = false
    try {
      for (const segment of group) await this.#filterInto(writer, segment, filter)
      const cleaned = await writer.finish()
      const needed = new Set(transactions.takeNeeded().map(({ lastOffset }) => lastOffset))
      const end = group.at(-1)!.endOffset
      const gone = aborted.filter(({ lastOffset: marker }) => marker >= from && marker < end && !needed.has(marker))
      isSwapped = await this.#core.exclusive(() => this.#swap(group, cleaned, gone, cleanedOffset))
    } finally {
      if (!isSwapped) await writer.discard()
    }
    if (!isSwapped) throw new Interrupted()
    await this.#removeFiles(group)
  }

  async #filterInto(writer: SegmentWriter, segment: Segment, filter: BatchFilter): Promise<void> {
    for await (const batches of this.#chunks(segment, 0)) {
      const kept: Buffer[] = []
      let sizeBytes = 0
      for (const batch of batches) {
        const rest = await this.#inTurns(filter.filter(batch))
        if (rest === null) continue
        kept.push(rest)
        sizeBytes += rest.length
      }
      await this.#tools.throttle.take(sizeBytes)
      await writer.write(kept)
      this.#bytesWritten += sizeBytes
    }
  }

  /** Puts the new segment in the place of the group. Needs the log to itself. Resolves with whether it did. */
  async #swap(
    group: readonly Segment[],
    cleaned: CleanedSegment | null,
    gone: readonly AbortedTransaction[],
    cleanedOffset: number | null,
  ): Promise<boolean> {
    const core = this.#core
    if (!this.#isThere(group)) return false
    const { keys } = core
    const end = group.at(-1)!.endOffset
    return this.#parts.writer.change({
      isSynced: true,
      fill: batch => {
        if (core.isRemoved) return false
        core.reshaping++
        for (const { baseOffset } of group) {
          batch.delete(keys.segment(baseOffset))
          batch.delete(keys.segmentIndex(baseOffset))
        }
        const inner = keys.producersBetween(group[0]!.baseOffset + 1, end)
        batch.deleteRange(inner.gte, inner.lt)
        for (const { lastOffset: marker } of gone) batch.delete(keys.aborted(marker))
        if (cleaned !== null) {
          batch.put(keys.segment(cleaned.segment.baseOffset), encodeSegment(cleaned.segment))
          batch.put(keys.segmentIndex(cleaned.segment.baseOffset), cleaned.index)
        }
        if (cleanedOffset !== null) {
          // What the store says of the log stays as true as it was: nothing else of it changes.
          batch.put(keys.state(), encodeLogState({ ...core.state(core.isStoredClean), cleanedOffset }))
        }
        return true
      },
      done: () => {
        core.aborted.forget(gone)
        // Memory still has what the file has not. Of an aborted record nobody could tell any more that it was.
        this.#parts.cache.dropBelow(core.tail, end)
        this.#show(group, cleaned, cleanedOffset)
      },
    })
  }

  // The swap is on the disk: the log is what it says.
  #show(group: readonly Segment[], cleaned: CleanedSegment | null, cleanedOffset: number | null): void {
    const core = this.#core
    const first = core.segments.indexOf(group[0]!)
    assert(first >= 0, 'nobody else changes the segments of a log meanwhile')
    const segments = core.segments.slice()
    segments.splice(first, group.length, ...(cleaned === null ? [] : [cleaned.segment]))
    core.segments = segments
    for (const { sizeBytes } of group) core.sealedBytes -= sizeBytes
    core.sealedBytes += cleaned?.segment.sizeBytes ?? 0
    if (cleanedOffset !== null) core.cleanedOffset = cleanedOffset
    core.reshaping--
    core.shapeVersion++
  }

  // At once: a reader that is in one of them finishes, or finds the log changed and starts again in the new one.
  async #removeFiles(group: readonly Segment[]): Promise<void> {
    const { pool, files, folders, indexes } = this.#parts
    for (const segment of group) {
      indexes.forget(segment.fileId)
      const path = segmentPath(folders.segments, this.#core, segment)
      await pool.close(path)
      await files.unlink(path)
    }
  }

  /** The aborted transactions with a batch in [from, to). */
  #abortedIn(from: number, to: number): Promise<AbortedTransaction[]> {
    return storedAborted(this.#parts.store, this.#core.keys, from, to)
  }
}

function lastOfProducers(producers: ProducerState): Map<number, LastOfProducer> {
  const last = new Map<number, LastOfProducer>()
  for (const { producerId, producerEpoch, batches } of producers.entries()) {
    last.set(producerId, { lastOffset: batches.at(-1)?.lastOffset ?? -1, producerEpoch })
  }
  return last
}
