// What is true of the transactions in a list of batches, found the plain way: the oracle of tests that append, cut, delete and restart.
import { equal, deepEqual } from 'node:assert/strict'
import { readHeader } from '../../../broker/records/batch.ts'
import { readEndTransactionMarker } from '../../../broker/records/control.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'

export type ModelTransaction = {
  readonly producerId: number
  readonly firstOffset: number
  /** Of its marker; Infinity while it is open. */
  readonly lastOffset: number
  readonly outcome: 'open' | 'commit' | 'abort'
}

/** All transactions with batches, those that have ended in the order of their markers, then the open ones in the order of their beginnings. */
export function transactionsIn(batches: readonly Buffer[]): ModelTransaction[] {
  const open = new Map<number, number>()
  const ended: ModelTransaction[] = []
  for (const batch of batches) {
    const { producerId, baseOffset, isTransactional, isControl } = readHeader(batch)
    const marker = readEndTransactionMarker(batch)
    const firstOffset = open.get(producerId)
    if (!isControl && isTransactional && firstOffset === undefined) open.set(producerId, baseOffset)
    if (marker === null || firstOffset === undefined) continue
    open.delete(producerId)
    ended.push({ producerId, firstOffset, lastOffset: baseOffset, outcome: marker.result })
  }
  for (const [producerId, firstOffset] of open)
    ended.push({ producerId, firstOffset, lastOffset: Infinity, outcome: 'open' })
  return ended
}

/** The last stable offset of a log with these batches and this high watermark. */
export function stableOffsetOf(batches: readonly Buffer[], highWatermark: number, logStartOffset: number): number {
  let stable = highWatermark
  for (const { firstOffset, lastOffset } of transactionsIn(batches))
    if (lastOffset >= highWatermark) stable = Math.min(stable, Math.max(firstOffset, logStartOffset))
  return stable
}

/** The aborted transactions with a record in [from, to), in the order of their markers. */
export function abortedIn(
  batches: readonly Buffer[],
  from: number,
  to: number,
): { producerId: number; firstOffset: number; lastOffset: number }[] {
  return transactionsIn(batches)
    .filter(({ outcome, firstOffset, lastOffset }) => outcome === 'abort' && lastOffset >= from && firstOffset < to)
    .map(({ producerId, firstOffset, lastOffset }) => ({ producerId, firstOffset, lastOffset }))
}

/** `batches` is everything that was appended and not cut, also what was deleted from the front. All of it must be committed. */
export async function checkTransactions(log: PartitionLog, batches: readonly Buffer[]): Promise<void> {
  const { logStartOffset, endOffset } = log
  const name = `${log.topicName}-${log.partition}`
  equal(log.producers.firstOpenOffset, firstOpen(batches), `${name}: first open transaction`)
  const ranges: [number, number][] = [[logStartOffset, endOffset]]
  for (const { firstOffset, lastOffset } of transactionsIn(batches)) {
    ranges.push([firstOffset, firstOffset + 1], [firstOffset + 1, endOffset], [logStartOffset, firstOffset])
    if (lastOffset < endOffset) ranges.push([lastOffset, endOffset], [lastOffset + 1, endOffset])
  }
  for (const [from, to] of ranges) {
    if (from < logStartOffset || from >= to) continue
    const found = (await log.abortedTransactions(from, to)).map(({ producerId, firstOffset, lastOffset }) => ({
      producerId,
      firstOffset,
      lastOffset,
    }))
    deepEqual(found, abortedIn(batches, from, to), `${name}: aborted transactions in ${from} to ${to}`)
  }
}

function firstOpen(batches: readonly Buffer[]): number {
  return transactionsIn(batches).find(({ outcome }) => outcome === 'open')?.firstOffset ?? -1
}
