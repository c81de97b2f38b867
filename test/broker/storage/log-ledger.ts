// What the power-loss check knows of one partition: what was appended, what was promised, and what may have become of it. Compares that
// with the log that came back.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { baseOffset, lastOffset, leaderEpoch, readHeader } from '../../../broker/records/batch.ts'
import { readEndTransactionMarker } from '../../../broker/records/control.ts'
import { LeaderEpochs } from '../../../broker/storage/leader-epochs.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { ProducerState, type ProducerEntry } from '../../../broker/storage/producer-state.ts'
import { readAll } from './log-fixture.ts'
import { checkTransactions } from './transaction-model.ts'

/** What a partition may hold. */
export type Ledger = {
  /** Everything appended, but for what a finished truncation took away. */
  batches: Buffer[]
  /** Exclusive: must be there. */
  guaranteedOffset: number
  /** The log start lies between them. */
  minStartOffset: number
  maxStartOffset: number
  /** A removal or creation was begun: it need not be there. */
  mayBeGone: boolean
  isRemoved: boolean
  /** A truncation to this offset was begun: nothing above it is promised any more. */
  ceiling: number
  /** A restart at this offset was begun. */
  restartOffset: number | null
  /** The log that had this name before and whose removal was begun. */
  former: Ledger | null
  epoch: number
}

/** Nothing was appended yet, and the log itself need not be there. */
export function emptyLedger(): Ledger {
  return {
    batches: [],
    guaranteedOffset: 0,
    minStartOffset: 0,
    maxStartOffset: 0,
    mayBeGone: true,
    isRemoved: false,
    ceiling: Infinity,
    restartOffset: null,
    former: null,
    epoch: 1,
  }
}

/** Everything below `endOffset` must be there, unless a truncation was begun below it. */
export function promise(ledger: Ledger, endOffset: number): void {
  ledger.guaranteedOffset = Math.min(ledger.ceiling, Math.max(ledger.guaranteedOffset, endOffset))
}

/** The base offset of the batch that contains `offset`; `offset` itself when none does. */
export function offsetOfBatchWith(batches: readonly Buffer[], offset: number): number {
  for (const batch of batches)
    if (baseOffset(batch, 0) <= offset && lastOffset(batch, 0) >= offset) return baseOffset(batch, 0)
  return offset
}

/** Compares a log with its ledger, and takes what is there for granted from here on. */
export async function checkLog(log: PartitionLog, ledger: Ledger): Promise<void> {
  const name = `partition ${log.partition}`
  equal(log.isOffline, false, `${name} is online`)
  if (
    ledger.restartOffset !== null &&
    log.logStartOffset === ledger.restartOffset &&
    log.endOffset === ledger.restartOffset
  ) {
    ledger.batches = []
  } else {
    ok(
      log.logStartOffset >= ledger.minStartOffset,
      `${name} starts at ${log.logStartOffset}, not before ${ledger.minStartOffset}`,
    )
    ok(
      log.logStartOffset <= ledger.maxStartOffset,
      `${name} starts at ${log.logStartOffset}, not after ${ledger.maxStartOffset}`,
    )
  }
  ok(
    log.endOffset >= ledger.guaranteedOffset,
    `${name} ends at ${log.endOffset}, but ${ledger.guaranteedOffset} was promised`,
  )
  const expected = ledger.batches.filter(batch => baseOffset(batch, 0) < log.endOffset)
  const visible = expected.filter(batch => lastOffset(batch, 0) >= log.logStartOffset)
  const found = await readAll(log)
  deepEqual(found.map(describeBatch), visible.map(describeBatch), `${name} has a prefix of what was appended`)
  for (const [at, batch] of found.entries()) ok(batch.equals(visible[at]!), `${name}, bytes at ${baseOffset(batch, 0)}`)
  const last = expected.at(-1)
  if (last !== undefined && log.endOffset !== log.logStartOffset) equal(log.endOffset, lastOffset(last, 0) + 1)
  checkEpochs(log, expected)
  checkProducers(log, expected)
  await checkTransactions(log, expected)
  ledger.batches = expected
  ledger.ceiling = Infinity
  promise(ledger, log.syncedOffset)
  ledger.minStartOffset = log.logStartOffset
  ledger.maxStartOffset = log.logStartOffset
  ledger.restartOffset = null
  ledger.mayBeGone = false
  ledger.isRemoved = false
}

function describeBatch(batch: Buffer): string {
  return `${baseOffset(batch, 0)}-${lastOffset(batch, 0)} epoch ${leaderEpoch(batch, 0)}, ${batch.length} bytes`
}

function checkEpochs(log: PartitionLog, batches: readonly Buffer[]): void {
  // What an empty log says about epochs depends on whether batches that nobody was told of were there for a moment.
  if (log.logStartOffset === log.endOffset) return
  const epochs = new LeaderEpochs()
  for (const batch of batches) epochs.assign(leaderEpoch(batch, 0), baseOffset(batch, 0))
  epochs.truncateFromStart(log.logStartOffset)
  deepEqual(log.leaderEpochs.entries(), epochs.entries(), `partition ${log.partition}: leader epochs`)
}

function checkProducers(log: PartitionLog, batches: readonly Buffer[]): void {
  const producers = new ProducerState()
  for (const batch of batches) producers.apply(readHeader(batch), readEndTransactionMarker(batch))
  deepEqual(sorted(log.producers), sorted(producers), `partition ${log.partition}: producers`)
}

function sorted(producers: ProducerState): ProducerEntry[] {
  return [...producers.entries()].sort((a, b) => a.producerId - b.producerId)
}
