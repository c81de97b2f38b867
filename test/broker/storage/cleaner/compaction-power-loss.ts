// The power-loss check of compaction. A script, made from a seed, appends records of few keys to compacted partitions, some in transactions, cleans them, cuts them above
// their high watermark, deletes records, stops and starts again, on twins of a disk whose power goes at a chosen change. Then the
// directory is opened again, and every log must be what compaction may leave of what was appended:
//
// - every record is one that was appended, at its offset; the newest of each key is there, and all that were never stable enough to be cleaned
// - everything that was acknowledged under a strict flush policy, or that `syncedOffset` claimed, counts as appended
// - no record of an aborted transaction is seen by who wants committed records only, and none of a committed one is missing
// - producers are what the batches said, gone or not; no file is there that belongs to nobody
// - and it goes on: more appends, another cleaning, a clean stop, another start.
import { deepEqual, equal, ok } from 'node:assert/strict'
import type { LogConfig } from '../../../../broker/config/topic-config.ts'
import { baseOffset, lastOffset, readHeader } from '../../../../broker/records/batch.ts'
import { buildEndTransactionMarker, readEndTransactionMarker } from '../../../../broker/records/control.ts'
import { readRecords } from '../../../../broker/records/record.ts'
import { ALL_SEGMENTS } from '../../../../broker/storage/keys.ts'
import type { PartitionLog } from '../../../../broker/storage/partition-log.ts'
import { ProducerState, type ProducerEntry } from '../../../../broker/storage/producer-state.ts'
import { decodeSegment, fileIdOf } from '../../../../broker/storage/segment.ts'
import { append, batchOf, CONFIG, openDirectory, readAll, settled, TOPIC } from '../log-fixture.ts'
import { PowerLossWorld, type Script } from '../power-loss-world.ts'
import { stableOffsetOf, transactionsIn } from '../transaction-model.ts'
import { recordOf } from './history.ts'

type Line = { readonly offset: number; readonly key: string; readonly value: string | null }

/** What a partition was given. */
type Ledger = {
  lines: Line[]
  batches: Buffer[]
  /** Exclusive: must be there. */
  guaranteedOffset: number
  minStartOffset: number
  maxStartOffset: number
  /** Exclusive: what may have been cleaned. */
  highWatermark: number
  /** A truncation to this offset was begun. */
  ceiling: number
}

const COMPACTED: LogConfig = {
  ...CONFIG,
  cleanupPolicy: new Set(['compact'] as const),
  deleteRetentionMs: 1000,
  minCleanableDirtyRatio: 0,
}

const CONFIGS: readonly LogConfig[] = [
  { ...COMPACTED, segmentBytes: 900 },
  { ...COMPACTED, segmentBytes: 1500, flushMessages: -1 },
  { ...COMPACTED, segmentBytes: 2500, cleanupPolicy: new Set(['compact', 'delete'] as const) },
]

class World extends PowerLossWorld {
  readonly ledgers = new Map<number, Ledger>()
  #value = 0

  protected async openLogs(isCleanStart: boolean): Promise<void> {
    const { store, files, clock } = this
    this.logs = await openDirectory({ store, files, clock, isCleanStart, limits: { producerIdExpirationMs: Infinity } })
    for (const log of this.logs.logs()) {
      log.configure(CONFIGS[log.partition]!)
      log.deletableOffset = Math.min(this.ledgers.get(log.partition)!.highWatermark, log.endOffset)
    }
  }

  protected begin(): void {
    for (let partition = 0; partition < CONFIGS.length; partition++) this.#log(partition)
  }

  #log(partition: number): PartitionLog {
    const known = this.logs.log(TOPIC, partition)
    if (known !== undefined) return known
    this.ledgers.set(partition, {
      lines: [],
      batches: [],
      guaranteedOffset: 0,
      minStartOffset: 0,
      maxStartOffset: 0,
      highWatermark: 0,
      ceiling: Infinity,
    })
    const log = this.logs.create(TOPIC, partition, 'orders', CONFIGS[partition]!)
    log.deletableOffset = 0
    return log
  }

  protected async step(): Promise<void> {
    const choice = this.pick(100)
    const log = this.#log(this.pick(CONFIGS.length))
    const ledger = this.ledgers.get(log.partition)!
    if (choice < 50) await this.#appendSome()
    else if (choice < 54) await log.flush()
    else if (choice < 72) await this.#clean()
    else if (choice < 78) await this.#truncate(log, ledger)
    else if (choice < 84) await this.#deleteRecords(log, ledger)
    else if (choice < 92) await this.#passTime()
    else if (choice < 95) await this.reopen()
    else if (choice < 98) await this.die()
    else await settled()
  }

  protected note(): void {
    for (const log of this.logs.logs()) promise(this.ledgers.get(log.partition)!, log.syncedOffset)
  }

  async #appendSome(): Promise<void> {
    const waits: Promise<void>[] = []
    for (let count = 2 + this.pick(8); count > 0; count--) {
      const log = this.#log(this.pick(CONFIGS.length))
      waits.push(this.append(log, this.ledgers.get(log.partition)!))
    }
    if (this.pick(3) > 0) await Promise.all(waits)
    else for (const wait of waits) wait.catch(() => {})
  }

  // Producers 12 to 14 write in transactions.
  append(log: PartitionLog, ledger: Ledger): Promise<void> {
    const producerId = this.pick(3) === 0 ? -1 : 10 + this.pick(5)
    const isTransactional = producerId >= 12
    const isOpen = log.producers.hasOpenTransaction(producerId, 0)
    if (isOpen && this.pick(2) === 0) return this.#appendTo(log, ledger, this.#marker(producerId))
    const texts = Array.from({ length: 1 + this.pick(3) }, () => {
      const key = `key-${this.pick(6)}`
      return this.pick(5) === 0 ? key : `${key}=${this.#value++}${'.'.repeat(this.pick(200))}`
    })
    const batch = batchOf(0, 0, {
      producerId,
      producerEpoch: producerId < 0 ? -1 : 0,
      baseSequence: producerId < 0 ? -1 : this.#value,
      isTransactional,
      records: texts.map(text => recordOf(text, 1000 + this.#value)),
    })
    return this.#appendTo(log, ledger, batch)
  }

  #marker(producerId: number): Buffer {
    const result = this.pick(2) === 0 ? 'commit' : 'abort'
    return buildEndTransactionMarker({
      result,
      coordinatorEpoch: 1,
      producerId,
      producerEpoch: 0,
      timestamp: 1000 + this.#value,
    })
  }

  #appendTo(log: PartitionLog, ledger: Ledger, batch: Buffer): Promise<void> {
    const stored = append(log, batch)
    ledger.batches.push(batch)
    ledger.lines.push(...linesOf(batch))
    const endOffset = log.endOffset
    const isStrict = CONFIGS[log.partition]!.flushMessages === 1
    return stored.then(() => {
      if (isStrict && ledger.batches.includes(batch)) promise(ledger, endOffset)
    })
  }

  async #clean(): Promise<void> {
    for (const log of this.logs.logs()) {
      const ledger = this.ledgers.get(log.partition)!
      if (this.pick(4) > 0) ledger.highWatermark = Math.max(ledger.highWatermark, log.syncedOffset)
      log.deletableOffset = ledger.highWatermark
      log.producers.settleBelow(ledger.highWatermark)
    }
    const cleaned = this.logs.runCleaner()
    // Often the next step begins while it runs.
    if (this.pick(3) > 0) await cleaned
    equal(this.logs.cleanerView().uncleanablePartitions, 0)
  }

  // A follower is cut above what was replicated to all.
  async #truncate(log: PartitionLog, ledger: Ledger): Promise<void> {
    const from = Math.max(ledger.highWatermark, log.logStartOffset)
    if (log.endOffset <= from) return
    const target = from + this.pick(log.endOffset - from)
    ledger.ceiling = baseOfBatchWith(ledger.batches, target)
    promise(ledger, 0)
    await log.truncate(target)
    ledger.ceiling = Infinity
    ledger.lines = ledger.lines.filter(({ offset }) => offset < log.endOffset)
    ledger.batches = ledger.batches.filter(batch => baseOffset(batch, 0) < log.endOffset)
  }

  async #deleteRecords(log: PartitionLog, ledger: Ledger): Promise<void> {
    if (ledger.highWatermark <= log.logStartOffset) return
    const target = log.logStartOffset + this.pick(ledger.highWatermark - log.logStartOffset + 1)
    ledger.maxStartOffset = Math.max(ledger.maxStartOffset, target)
    await log.deleteRecordsBefore(target)
    ledger.minStartOffset = Math.max(ledger.minStartOffset, target)
  }

  async #passTime(): Promise<void> {
    for (const log of this.logs.logs()) this.ledgers.get(log.partition)!.maxStartOffset = log.endOffset
    this.clock.advance([500, 2500, 16_000][this.pick(3)]!)
    await settled()
    for (const log of this.logs.logs()) {
      const ledger = this.ledgers.get(log.partition)!
      ledger.minStartOffset = log.logStartOffset
      ledger.maxStartOffset = log.logStartOffset
    }
  }

  async check(): Promise<void> {
    for (const log of this.logs.logs()) await checkLog(log, this.ledgers.get(log.partition)!)
    await this.#checkFiles()
  }

  async #checkFiles(): Promise<void> {
    const segments = (await this.store.scan({ ...ALL_SEGMENTS, limit: 1000 })).map(decodeSegment)
    const found = new Set((await this.files.list('/data/segments')).map(fileIdOf))
    for (const { fileId, baseOffset } of segments) ok(found.has(fileId), `the file of segment ${baseOffset} is there`)
    ok(found.size <= segments.length + CONFIGS.length, `${found.size} files for ${segments.length} segments`)
  }

  async goOn(): Promise<void> {
    for (let turn = 0; turn < 12; turn++) {
      for (let partition = 0; partition < CONFIGS.length; partition++) {
        await this.append(this.#log(partition), this.ledgers.get(partition)!)
      }
    }
    await this.logs.runCleaner()
    await this.reopen()
    await this.logs.close()
    await this.store.close()
  }
}

function promise(ledger: Ledger, endOffset: number): void {
  ledger.guaranteedOffset = Math.min(ledger.ceiling, Math.max(ledger.guaranteedOffset, endOffset))
}

function linesOf(batch: Buffer): Line[] {
  if (readHeader(batch).isControl) return []
  return readRecords(batch).map(({ offset, key, value }) => ({
    offset,
    key: key!.toString(),
    value: value?.toString() ?? null,
  }))
}

function baseOfBatchWith(batches: readonly Buffer[], offset: number): number {
  const found = batches.find(batch => baseOffset(batch, 0) <= offset && lastOffset(batch, 0) >= offset)
  return found === undefined ? offset : baseOffset(found, 0)
}

async function checkLog(log: PartitionLog, ledger: Ledger): Promise<void> {
  const name = `partition ${log.partition}`
  equal(log.isOffline, false, `${name} is online`)
  ok(log.logStartOffset >= ledger.minStartOffset && log.logStartOffset <= ledger.maxStartOffset, `${name}: log start`)
  ok(log.endOffset >= ledger.guaranteedOffset, `${name} ends at ${log.endOffset}, not ${ledger.guaranteedOffset}`)
  const appended = ledger.batches.filter(batch => baseOffset(batch, 0) < log.endOffset)
  const lines = ledger.lines.filter(({ offset }) => offset < log.endOffset)
  if (log.endOffset !== log.logStartOffset) equal(log.endOffset, lastOffset(appended.at(-1)!, 0) + 1)
  const visible = lines.filter(({ offset }) => offset >= log.logStartOffset)
  const batches = await readAll(log)
  for (const [at, batch] of batches.entries())
    if (at > 0) ok(readHeader(batch).baseOffset > lastOffset(batches[at - 1]!, 0))
  const found = batches.flatMap(linesOf).filter(({ offset }) => offset >= log.logStartOffset)
  const was = new Map(visible.map(line => [line.offset, line]))
  for (const line of found) deepEqual(line, was.get(line.offset), `${name}, offset ${line.offset}`)
  const stableOffset = stableOffsetOf(appended, Math.min(ledger.highWatermark, log.endOffset), log.logStartOffset)
  const isCommitted = committedLines(appended)
  deepEqual(viewOf(found.filter(isCommitted)), viewOf(visible.filter(isCommitted)), `${name}: the newest of each key`)
  const read = await readCommitted(log, batches, stableOffset)
  for (const line of read) ok(isCommitted(line), `${name}: offset ${line.offset} is of an aborted transaction`)
  const isStable = ({ offset }: Line): boolean => offset < stableOffset
  deepEqual(
    viewOf(read),
    viewOf(visible.filter(line => isCommitted(line) && isStable(line))),
    `${name}: the newest committed`,
  )
  const unclean = (line: Line): boolean => !isStable(line)
  deepEqual(found.filter(unclean), visible.filter(unclean), `${name}: what was never stable`)
  const producers = new ProducerState()
  for (const batch of appended) producers.apply(readHeader(batch), readEndTransactionMarker(batch))
  deepEqual(sorted(log.producers), sorted(producers), `${name}: producers`)
  ledger.batches = appended
  ledger.lines = lines
  ledger.ceiling = Infinity
  promise(ledger, log.syncedOffset)
  ledger.highWatermark = Math.min(ledger.highWatermark, log.endOffset)
  ledger.minStartOffset = log.logStartOffset
  ledger.maxStartOffset = log.logStartOffset
}

/** Whether a line belongs to no transaction that was aborted or is open. */
function committedLines(batches: readonly Buffer[]): (line: Line) => boolean {
  const gone = new Set<number>()
  for (const { producerId, firstOffset, lastOffset: end, outcome } of transactionsIn(batches)) {
    if (outcome === 'commit') continue
    for (const batch of batches) {
      const header = readHeader(batch)
      if (header.producerId !== producerId || header.baseOffset < firstOffset || header.baseOffset >= end) continue
      for (const { offset } of linesOf(batch)) gone.add(offset)
    }
  }
  return ({ offset }) => !gone.has(offset)
}

/** What a consumer that wants committed records only makes of the batches and the aborted transactions that it is told of. */
async function readCommitted(log: PartitionLog, batches: readonly Buffer[], stableOffset: number): Promise<Line[]> {
  const lines: Line[] = []
  const starts = [...(await log.abortedTransactions(log.logStartOffset, stableOffset))]
  starts.sort((a, b) => a.firstOffset - b.firstOffset)
  const aborted = new Set<number>()
  for (const batch of batches) {
    const { lastOffset: last, producerId, isControl, isTransactional } = readHeader(batch)
    if (last >= stableOffset) break
    while (starts[0] !== undefined && starts[0].firstOffset <= last) aborted.add(starts.shift()!.producerId)
    if (isControl && readEndTransactionMarker(batch)?.result === 'abort') aborted.delete(producerId)
    if (isControl || (isTransactional && aborted.has(producerId))) continue
    lines.push(...linesOf(batch).filter(({ offset }) => offset >= log.logStartOffset))
  }
  return lines
}

function viewOf(lines: readonly Line[]): [string, string | null][] {
  const view = new Map<string, string | null>()
  for (const { key, value } of lines) {
    if (value === null) view.delete(key)
    else view.set(key, value)
  }
  return [...view].sort(([a], [b]) => (a < b ? -1 : 1))
}

function sorted(producers: ProducerState): ProducerEntry[] {
  return [...producers.entries()].sort((a, b) => a.producerId - b.producerId)
}

/** The script of a seed. */
export const compactionScript: Script = (seed, steps) => new World(seed, steps)
