// Random histories of transactions on one real partition log: several producers write, commit and abort, the log is cut, deleted from the front, sealed,
// restarted. After every step the last stable offset, the aborted transactions, and what a read_committed consumer is left with after it has
// filtered must be what a plain model says. FLOTILLA_SEED=n runs another history.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { parseBrokerConfig } from '../../../broker/config/broker-config.ts'
import { topicConfig } from '../../../broker/config/topic-config.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { baseOffset, buildBatch, lastOffset, readHeader } from '../../../broker/records/batch.ts'
import { readEndTransactionMarker } from '../../../broker/records/control.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { Leader } from '../../../broker/replication/leader.ts'
import type { AbortedTransaction } from '../../../broker/storage/aborted-transactions.ts'
import type { LogDirectory } from '../../../broker/storage/log-directory.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { manualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'
import { CrashingFiles } from '../storage/crashing-files.ts'
import { CONFIG, openDirectory, settled, splitBatches, TOPIC } from '../storage/log-fixture.ts'
import { checkTransactions, stableOffsetOf, transactionsIn } from '../storage/transaction-model.ts'

const STEPS = 120
const HISTORIES = 12
const first = Number(process.env['FLOTILLA_SEED'] ?? 1)

/** What a producer of the model would send next. */
type Producer = { readonly id: number; epoch: number; sequence: number; readonly raisesEpoch: boolean }

class History {
  readonly #random: () => number
  readonly #store = openMemoryStore()
  readonly #files = new CrashingFiles()
  readonly #clock = manualClock()
  readonly #config
  readonly #producers: Producer[] = []
  /** Everything that was appended and not cut. */
  batches: Buffer[] = []
  #values = 0
  #logs!: LogDirectory
  #log!: PartitionLog
  #leader!: Leader

  constructor(seed: number) {
    this.#random = seededNumbers(seed)
    const parsed = parseBrokerConfig(new Map())
    if (!('config' in parsed)) throw new Error(parsed.errors.join(', '))
    this.#config = topicConfig(new Map(), parsed.config)
    for (let id = 1; id <= 5; id++) this.#producers.push({ id, epoch: 0, sequence: 0, raisesEpoch: id % 2 === 0 })
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count)
  }

  async run(): Promise<void> {
    this.#logs = await openDirectory({ store: this.#store, files: this.#files, clock: this.#clock })
    this.#log = this.#logs.create(TOPIC, 0, 'orders', { ...CONFIG, segmentBytes: 2500 })
    this.#lead()
    for (let step = 0; step < STEPS; step++) {
      await this.#step()
      await this.#check()
    }
    await this.#logs.close()
  }

  #lead(): void {
    const state = { brokerId: 1, leaderEpoch: 1, partitionEpoch: 1, replicas: [1], isr: [1], minInsyncReplicas: 1 }
    const leader = new Leader(this.#clock, 'orders', this.#log, state, this.#config)
    this.#log.onAdvance(() => leader.advance())
    this.#leader = leader
  }

  async #step(): Promise<void> {
    const choice = this.#pick(100)
    const producer = this.#producers[this.#pick(this.#producers.length)]!
    if (choice < 55) await this.#write(producer)
    else if (choice < 75) await this.#end(producer)
    else if (choice < 85) await this.#writePlain()
    else if (choice < 90) await settled()
    else if (choice < 93) await this.#deleteRecords()
    else if (choice < 96) await this.#restart()
    else await this.#cut()
  }

  async #write(producer: Producer): Promise<void> {
    const count = 1 + this.#pick(3)
    const { id: producerId, epoch: producerEpoch, sequence: baseSequence } = producer
    const records = this.#records(count)
    const batch = buildBatch({ producerId, producerEpoch, baseSequence, isTransactional: true, records })
    await this.#append(batch)
    producer.sequence += count
  }

  #records(count: number) {
    const size = [10, 60, 500][this.#pick(3)]!
    return Array.from({ length: count }, () => {
      const value = Buffer.alloc(size)
      value.writeUInt32BE(this.#values++)
      return { timestamp: 1000, key: null, value }
    })
  }

  async #writePlain(): Promise<void> {
    await this.#append(buildBatch({ records: this.#records(1 + this.#pick(3)) }))
  }

  async #append(batch: Buffer): Promise<void> {
    const { errorCode, stored } = this.#leader.append(batch, -1, 1000)
    equal(errorCode, ErrorCode.NONE)
    this.batches.push(batch)
    await stored
  }

  async #end(producer: Producer): Promise<void> {
    const { id: producerId, raisesEpoch } = producer
    if (raisesEpoch) {
      producer.epoch++
      producer.sequence = 0
    }
    const end = { producerId, producerEpoch: producer.epoch, coordinatorEpoch: 0, isCommit: this.#pick(2) === 0 }
    const {
      errorCode,
      stored,
      baseOffset: offset,
    } = this.#leader.appendMarker({ ...end, transactionVersion: raisesEpoch ? 2 : 0 }, 1000)
    equal(errorCode, ErrorCode.NONE)
    await stored
    const [marker] = (await this.#log.read(offset, {
      maxBytes: 1,
      endOffset: offset + 1,
      minOneBatch: true,
    })) as Buffer[]
    this.batches.push(marker!)
  }

  async #deleteRecords(): Promise<void> {
    const { logStartOffset, endOffset } = this.#log
    await this.#log.deleteRecordsBefore(logStartOffset + this.#pick(endOffset - logStartOffset + 1))
  }

  async #restart(): Promise<void> {
    await this.#logs.close()
    this.#logs = await openDirectory({
      store: this.#store,
      files: this.#files,
      clock: this.#clock,
      isCleanStart: this.#pick(2) === 0,
    })
    this.#log = this.#logs.log(TOPIC, 0)!
    this.#log.configure({ ...CONFIG, segmentBytes: 2500 })
    this.#lead()
  }

  /** As a follower that becomes the leader with fewer records. */
  async #cut(): Promise<void> {
    const { logStartOffset, endOffset } = this.#log
    if (endOffset === logStartOffset) return
    const target = endOffset - this.#pick(Math.min(15, endOffset - logStartOffset))
    await this.#log.truncate(target)
    this.batches = this.batches.filter(batch => baseOffset(batch, 0) < this.#log.endOffset)
    // A batch across the log start went whole, and with it the log began anew: nothing is known of any producer.
    if (this.#log.endOffset <= logStartOffset) this.batches = []
    this.#lead()
    for (const producer of this.#producers) this.#goOnFrom(producer)
  }

  #goOnFrom(producer: Producer): void {
    const entry = this.#log.producers.get(producer.id)
    producer.epoch = entry?.producerEpoch ?? 0
    producer.sequence = (entry?.batches.at(-1)?.lastSequence ?? -1) + 1
  }

  async #check(): Promise<void> {
    const { highWatermark, lastStableOffset } = this.#leader
    const { logStartOffset, endOffset } = this.#log
    equal(highWatermark, endOffset)
    equal(lastStableOffset, stableOffsetOf(this.batches, highWatermark, logStartOffset), 'last stable offset')
    await checkTransactions(this.#log, this.batches)
    const from = logStartOffset + this.#pick(endOffset - logStartOffset + 1)
    deepEqual(await this.#consume(from), this.#committedFrom(from, lastStableOffset), `read_committed from ${from}`)
  }

  /** The values that belong to no aborted transaction, of records in [from, to). */
  #committedFrom(from: number, to: number): number[] {
    const aborted = transactionsIn(this.batches).filter(({ outcome }) => outcome === 'abort')
    const values: number[] = []
    for (const batch of this.batches) {
      const { producerId, isTransactional, isControl, baseOffset: at } = readHeader(batch)
      const isAborted = aborted.some(
        one => one.producerId === producerId && one.firstOffset <= at && at < one.lastOffset,
      )
      if (isControl || (isTransactional && isAborted)) continue
      for (const { offset, value } of readRecords(batch)) {
        if (offset >= from && offset < to) values.push(value!.readUInt32BE(0))
      }
    }
    return values
  }

  /** Reads as kafka-clients' CompletedFetch does: in small pieces, each with the aborted transactions of its range. */
  async #consume(from: number): Promise<number[]> {
    const values: number[] = []
    const { lastStableOffset } = this.#leader
    for (let next = from; next < lastStableOffset;) {
      const read = await this.#leader.read(next, lastStableOffset, 100 + this.#pick(2000), true)
      if (typeof read === 'string') throw new Error(read)
      const batches = splitBatches(read)
      if (batches.length === 0) break
      const upTo = lastOffset(batches.at(-1)!, 0) + 1
      ok(upTo <= lastStableOffset, 'no record above the last stable offset')
      filter(batches, await this.#log.abortedTransactions(next, upTo), next, values)
      next = upTo
    }
    return values
  }
}

function filter(
  batches: readonly Buffer[],
  aborted: readonly AbortedTransaction[],
  from: number,
  values: number[],
): void {
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const skipped = new Set<number>()
  for (const batch of batches) {
    const { producerId, isTransactional, isControl } = readHeader(batch)
    while (waiting.length > 0 && waiting[0]!.firstOffset <= lastOffset(batch, 0))
      skipped.add(waiting.shift()!.producerId)
    if (isControl) {
      if (readEndTransactionMarker(batch)?.result === 'abort') skipped.delete(producerId)
    } else if (!isTransactional || !skipped.has(producerId)) {
      for (const { offset, value } of readRecords(batch)) if (offset >= from) values.push(value!.readUInt32BE(0))
    }
  }
}

for (let seed = first; seed < first + HISTORIES; seed++) {
  test(`read_committed consumers see what was committed, and nothing else, in history ${seed}`, async () => {
    await new History(seed).run()
  })
}
