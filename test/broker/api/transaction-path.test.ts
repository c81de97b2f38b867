// Random sequences of transactional and other requests, some of them in flight together, against a model that is nothing but a list of records.
// Logs with small limits on twins of a disk, so that what is read comes from memory, the store, staging and segments. After each fetch a
// consumer does what kafka-clients does with the aborted transactions, and must be left with what was committed.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { produce } from '../../../broker/api/produce.ts'
import { writeTxnMarkers } from '../../../broker/api/write-txn-markers.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { Produce } from '../../../broker/protocol/messages/produce.ts'
import { WriteTxnMarkers } from '../../../broker/protocol/messages/write-txn-markers.ts'
import { eachBatch, lastOffset, readHeader, sizeOf } from '../../../broker/records/batch.ts'
import { readEndTransactionMarker } from '../../../broker/records/control.ts'
import { readRecords } from '../../../broker/records/record.ts'
import type { TransactionGate } from '../../../broker/replication/transactions.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { manualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'
import { CrashingFiles } from '../storage/crashing-files.ts'
import { openDirectory, settled } from '../storage/log-fixture.ts'
import { get, partitionsOf } from './fetching.ts'
import { batchOf, testBroker, type TestBroker } from './fixture.ts'

const TOPIC = 'orders'
const PARTITIONS = 3
const STEPS = 150
const first = Number(process.env['FLOTILLA_SEED'] ?? 1)

type Transaction = { outcome: 'open' | 'commit' | 'abort' }
type Entry = { readonly offset: number; readonly value: string; readonly transaction: Transaction | null }
type Producer = {
  readonly id: number
  readonly version: 1 | 2
  epoch: number
  /** The next sequence in each partition. */
  sequences: number[]
  transaction: Transaction | null
  touched: Set<number>
}

/** Admits everything, a moment later. */
const gate: TransactionGate = {
  async admit({ partitions }) {
    await settled()
    return partitions.map(() => ErrorCode.NONE)
  },
}

class Checker {
  readonly #broker: TestBroker
  readonly #random: () => number
  readonly #entries: Entry[][] = []
  readonly #endOffsets: number[] = []
  readonly #producers: Producer[] = []
  #values = 0

  constructor(broker: TestBroker, seed: number) {
    this.#broker = broker
    this.#random = seededNumbers(seed)
    for (let partition = 0; partition < PARTITIONS; partition++) {
      this.#entries.push([])
      this.#endOffsets.push(0)
    }
    for (let id = 1; id <= 4; id++) {
      const version = id % 2 === 0 ? 2 : 1
      this.#producers.push({ id, version, epoch: 0, sequences: [0, 0, 0], transaction: null, touched: new Set() })
    }
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count)
  }

  async step(): Promise<void> {
    const choice = this.#pick(100)
    const producer = this.#producers[this.#pick(this.#producers.length)]!
    if (choice < 40) await this.#write(producer)
    else if (choice < 55) await this.#writePlain()
    else if (choice < 75) await this.#end(producer)
    else await this.#read()
  }

  /** Up to five requests in flight, each with a batch for some of the partitions. */
  async #write(producer: Producer): Promise<void> {
    const transaction = (producer.transaction ??= { outcome: 'open' })
    const sent: Promise<void>[] = []
    for (let count = 1 + this.#pick(5); count > 0; count--) {
      const partitions = [0, 1, 2].filter(() => this.#pick(2) === 0)
      if (partitions.length > 0) sent.push(this.#send(partitions, producer, transaction))
    }
    await Promise.all(sent)
  }

  #writePlain(): Promise<void> {
    return this.#send([this.#pick(PARTITIONS)], null, null)
  }

  async #send(
    partitions: readonly number[],
    producer: Producer | null,
    transaction: Transaction | null,
  ): Promise<void> {
    const { topicId } = this.#broker.context.image().topics.get(TOPIC)!
    const sent = new Map<number, string[]>()
    const partitionData = partitions.map(index => {
      const values = Array.from({ length: 1 + this.#pick(3) }, () => this.#value())
      sent.set(index, values)
      producer?.touched.add(index)
      return {
        index,
        records: batchOf(values, producer === null ? {} : this.#identity(producer, index, values.length)),
      }
    })
    const version = producer === null ? 13 : producer.version === 2 ? 13 : 11
    const response = await this.#broker.ask(Produce, produce, version, {
      transactionalId: producer === null ? null : `id-${producer.id}`,
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: TOPIC, topicId, partitionData }],
    })
    for (const { index, errorCode, baseOffset } of response.responses[0]!.partitionResponses) {
      equal(errorCode, ErrorCode.NONE)
      const values = sent.get(index)!
      for (const [at, value] of values.entries())
        this.#entries[index]!.push({ offset: baseOffset + at, value, transaction })
      this.#endOffsets[index] = Math.max(this.#endOffsets[index]!, baseOffset + values.length)
    }
  }

  #value(): string {
    return `${this.#values++}`.padEnd([4, 40, 400][this.#pick(3)]!, '.')
  }

  #identity(producer: Producer, partition: number, count: number) {
    const baseSequence = producer.sequences[partition]!
    producer.sequences[partition] = baseSequence + count
    return { producerId: producer.id, producerEpoch: producer.epoch, baseSequence, isTransactional: true }
  }

  async #end(producer: Producer): Promise<void> {
    const { transaction, touched } = producer
    if (transaction === null || touched.size === 0) return
    const isCommit = this.#pick(2) === 0
    if (producer.version === 2) {
      producer.epoch++
      producer.sequences = [0, 0, 0]
    }
    const response = await this.#broker.ask(WriteTxnMarkers, writeTxnMarkers, 2, {
      markers: [
        {
          producerId: producer.id,
          producerEpoch: producer.epoch,
          transactionResult: isCommit,
          coordinatorEpoch: 0,
          transactionVersion: producer.version,
          topics: [{ name: TOPIC, partitionIndexes: [...touched] }],
        },
      ],
    })
    for (const { partitionIndex, errorCode } of response.markers[0]!.topics[0]!.partitions) {
      equal(errorCode, ErrorCode.NONE)
      this.#endOffsets[partitionIndex]!++
    }
    transaction.outcome = isCommit ? 'commit' : 'abort'
    producer.transaction = null
    touched.clear()
  }

  async #read(): Promise<void> {
    const maxBytes = 1 + this.#pick(3000)
    const wanted = [0, 1, 2].map(partition => ({
      topic: TOPIC,
      partition,
      offset: this.#pick(this.#endOffsets[partition]! + 1),
      maxBytes,
    }))
    const response = await get(this.#broker, wanted, { isolationLevel: 1, maxBytes: 1 + this.#pick(8000) })
    for (const answer of partitionsOf(response)) {
      const { partitionIndex, errorCode, lastStableOffset, records, abortedTransactions } = answer
      equal(errorCode, ErrorCode.NONE)
      equal(lastStableOffset, this.#stableOffset(partitionIndex), 'last stable offset')
      const { offset } = wanted[partitionIndex]!
      const { values, endOffset } = consumed(records!, abortedTransactions!, offset)
      ok(endOffset <= Math.max(lastStableOffset, offset))
      const expected = this.#entries[partitionIndex]!.filter(
        entry => entry.offset >= offset && entry.offset < endOffset && entry.transaction?.outcome !== 'abort',
      )
      expected.sort((a, b) => a.offset - b.offset)
      deepEqual(values, expected.map(({ value }) => value)) // prettier-ignore
    }
  }

  #stableOffset(partition: number): number {
    const open = this.#entries[partition]!.filter(({ transaction }) => transaction?.outcome === 'open')
    return Math.min(this.#endOffsets[partition]!, ...open.map(({ offset }) => offset))
  }
}

/** What kafka-clients gives to its user of one answer, and where it goes on (CompletedFetch). */
function consumed(
  records: Buffer,
  aborted: readonly { producerId: number; firstOffset: number }[],
  fetchOffset: number,
): { values: string[]; endOffset: number } {
  const ahead = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const skipped = new Set<number>()
  const values: string[] = []
  let endOffset = fetchOffset
  for (const at of eachBatch(records)) {
    const batch = records.subarray(at, at + sizeOf(records, at))
    const { producerId, isTransactional, isControl } = readHeader(batch)
    endOffset = lastOffset(batch, 0) + 1
    while (ahead.length > 0 && ahead[0]!.firstOffset < endOffset) skipped.add(ahead.shift()!.producerId)
    if (isControl) {
      if (readEndTransactionMarker(batch)?.result === 'abort') skipped.delete(producerId)
    } else if (!isTransactional || !skipped.has(producerId)) {
      for (const { offset, value } of readRecords(batch)) if (offset >= fetchOffset) values.push(String(value))
    }
  }
  return { values, endOffset }
}

for (let seed = first; seed < first + 8; seed++) {
  test(`whatever producers do, a read_committed consumer is left with what they committed (seed ${seed})`, async () => {
    const clock = manualClock()
    const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles(), clock })
    const broker = await testBroker({ clock, logDirectory: logs, transactions: gate })
    await broker.createTopic(TOPIC, { partitions: PARTITIONS, configs: { 'segment.bytes': '1048576', 'internal.segment.bytes': '4000' } }) // prettier-ignore
    const checker = new Checker(broker, seed)
    for (let step = 0; step < STEPS; step++) await checker.step()
    await logs.close()
  })
}
