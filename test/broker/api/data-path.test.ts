// Random sequences of produce, fetch, delete records and list offsets against a model that is nothing but an array of batches.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { deleteRecords } from '../../../broker/api/delete-records.ts'
import { fetch } from '../../../broker/api/fetch.ts'
import { listOffsets } from '../../../broker/api/list-offsets.ts'
import { produce } from '../../../broker/api/produce.ts'
import { silentLogger } from '../../../broker/base/log.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { DeleteRecords } from '../../../broker/protocol/messages/delete-records.ts'
import { Fetch } from '../../../broker/protocol/messages/fetch.ts'
import { ListOffsets } from '../../../broker/protocol/messages/list-offsets.ts'
import { Produce } from '../../../broker/protocol/messages/produce.ts'
import { buildBatch, eachBatch, sizeOf } from '../../../broker/records/batch.ts'
import type { Compression } from '../../../broker/records/compression.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { nodeFiles } from '../../../broker/storage/files.ts'
import { defaultLogLimits, LogDirectory, type LogLimits } from '../../../broker/storage/log-directory.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import { manualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'
import { testBroker, type TestBroker } from './fixture.ts'

const NOW = 1_700_000_000_000
const TOPIC = 'orders'
const PARTITIONS = 3
const COMPRESSIONS: readonly Compression[] = ['none', 'none', 'none', 'gzip', 'snappy', 'lz4', 'zstd']

type Entry = { readonly offset: number; readonly timestamp: number; readonly value: string }
type Sent = { readonly bytes: Buffer; readonly baseOffset: number }
/** What a partition must hold. */
type Model = {
  batches: Entry[][]
  logStartOffset: number
  endOffset: number
  sequence: number
  /** The batches of its idempotent producer that are remembered. */
  remembered: Sent[]
}

class Checker {
  readonly broker: TestBroker
  readonly models: Model[] = []
  readonly #next: () => number
  readonly #isInMemory: boolean
  #values = 0

  constructor(broker: TestBroker, seed: number, isInMemory: boolean) {
    this.broker = broker
    this.#isInMemory = isInMemory
    this.#next = seededNumbers(seed)
    for (let partition = 0; partition < PARTITIONS; partition++) {
      this.models.push({ batches: [], logStartOffset: 0, endOffset: 0, sequence: 0, remembered: [] })
    }
  }

  #below(bound: number): number {
    return Math.floor(this.#next() * bound)
  }

  async step(): Promise<void> {
    const index = this.#below(PARTITIONS)
    const choice = this.#next()
    const isSlow = this.#next() < 0.3
    if (this.#isInMemory) this.broker.log(TOPIC, index).readsAreSlow = isSlow
    if (choice < 0.35) await this.#produce(index)
    else if (choice < 0.4) await this.#produceAgain(index)
    else if (choice < 0.8) await this.#fetch(index)
    else if (choice < 0.9) await this.#listOffsets(index)
    else await this.#deleteRecords(index)
  }

  async #send(index: number, records: Buffer): Promise<number> {
    const { topicId } = this.broker.context.image().topics.get(TOPIC)!
    const response = await this.broker.ask(Produce, produce, 13, {
      acks: this.#next() < 0.5 ? -1 : 1,
      timeoutMs: 1000,
      topicData: [{ topicId, partitionData: [{ index, records: Buffer.from(records) }] }],
    })
    const [answer] = response.responses[0]!.partitionResponses
    equal(answer!.errorCode, ErrorCode.NONE)
    equal(answer!.logStartOffset, this.models[index]!.logStartOffset)
    return answer!.baseOffset
  }

  async #produce(index: number): Promise<void> {
    const model = this.models[index]!
    const entries: Entry[] = []
    const count = 1 + this.#below(4)
    for (let at = 0; at < count; at++) {
      const value = `${this.#values++}`.padEnd(this.#below(60), '.')
      entries.push({ offset: model.endOffset + at, timestamp: NOW - 1000 + this.#below(1000), value })
    }
    const isIdempotent = this.#next() < 0.5
    const bytes = buildBatch({
      compression: COMPRESSIONS[this.#below(COMPRESSIONS.length)]!,
      ...(isIdempotent ? { producerId: 77, producerEpoch: 0, baseSequence: model.sequence } : {}),
      records: entries.map(({ timestamp, value }) => ({ timestamp, value: Buffer.from(value) })),
    })
    equal(await this.#send(index, bytes), model.endOffset)
    if (isIdempotent) {
      model.sequence += count
      model.remembered = [...model.remembered, { bytes, baseOffset: model.endOffset }].slice(-5)
    }
    model.batches.push(entries)
    model.endOffset += count
  }

  async #produceAgain(index: number): Promise<void> {
    const { remembered } = this.models[index]!
    const sent = remembered[this.#below(remembered.length)]
    if (sent !== undefined) equal(await this.#send(index, sent.bytes), sent.baseOffset)
  }

  async #fetch(index: number): Promise<void> {
    const model = this.models[index]!
    const { topicId } = this.broker.context.image().topics.get(TOPIC)!
    const fetchOffset = model.logStartOffset - 1 + this.#below(model.endOffset - model.logStartOffset + 3)
    const partitionMaxBytes = this.#below(1000)
    const response = await this.broker.ask(Fetch, fetch, 18, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1 << 20,
      topics: [{ topicId, partitions: [{ partition: index, fetchOffset, partitionMaxBytes }] }],
      forgottenTopicsData: [],
      rackId: '',
    } as never)
    const [answer] = response.responses[0]!.partitions
    if (fetchOffset < model.logStartOffset || fetchOffset > model.endOffset) {
      equal(answer!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
      return
    }
    deepEqual([answer!.errorCode, answer!.highWatermark], [ErrorCode.NONE, model.endOffset])
    equal(answer!.logStartOffset, model.logStartOffset)
    this.#checkRecords(model, fetchOffset, partitionMaxBytes, answer!.records!)
  }

  #checkRecords(model: Model, fetchOffset: number, maxBytes: number, bytes: Buffer): void {
    const found: Entry[][] = []
    let end = 0
    for (const at of eachBatch(bytes)) {
      end = at + sizeOf(bytes, at)
      const records = readRecords(bytes.subarray(at, end))
      found.push(records.map(({ offset, timestamp, value }) => ({ offset, timestamp, value: String(value) })))
    }
    equal(end, bytes.length, 'an answer ends with a whole batch')
    const from = model.batches.findIndex(batch => batch.at(-1)!.offset >= fetchOffset)
    if (from === -1) {
      equal(found.length, 0)
      return
    }
    ok(found.length > 0, 'there is at least one batch')
    ok(found.length === 1 || bytes.length <= maxBytes, 'more than one batch keeps to the limit')
    deepEqual(found, model.batches.slice(from, from + found.length))
  }

  async #listOffsets(index: number): Promise<void> {
    const model = this.models[index]!
    const timestamp = this.#next() < 0.3 ? -1 - this.#below(3) : NOW - 1010 + this.#below(1020)
    const response = await this.broker.ask(ListOffsets, listOffsets, 11, {
      replicaId: -1,
      topics: [{ name: TOPIC, partitions: [{ partitionIndex: index, timestamp }] }],
    })
    const [answer] = response.topics[0]!.partitions
    equal(answer!.errorCode, ErrorCode.NONE)
    if (timestamp === -1) equal(answer!.offset, model.endOffset)
    else if (timestamp === -2) equal(answer!.offset, model.logStartOffset)
    else this.#checkTime(model, timestamp, answer!)
  }

  #checkTime(model: Model, timestamp: number, answer: { offset: number; timestamp: number }): void {
    const entries = model.batches.flat().filter(({ offset }) => offset >= model.logStartOffset)
    const latest = entries.reduce((most, entry) => Math.max(most, entry.timestamp), -1)
    const expected =
      timestamp === -3
        ? entries.find(entry => entry.timestamp === latest)
        : entries.find(entry => entry.timestamp >= timestamp)
    deepEqual([answer.offset, answer.timestamp], [expected?.offset ?? -1, expected?.timestamp ?? -1])
  }

  async #deleteRecords(index: number): Promise<void> {
    const model = this.models[index]!
    const span = model.endOffset - model.logStartOffset
    const offset =
      this.#next() < 0.5 ? model.logStartOffset + this.#below(3) : this.#below(span + 3) + model.logStartOffset - 1
    const response = await this.broker.ask(DeleteRecords, deleteRecords, 2, {
      topics: [{ name: TOPIC, partitions: [{ partitionIndex: index, offset }] }],
      timeoutMs: 1000,
    })
    const [answer] = response.topics[0]!.partitions
    const before = offset === -1 ? model.endOffset : offset
    if (before > model.endOffset) {
      equal(answer!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
      return
    }
    model.logStartOffset = Math.max(model.logStartOffset, before)
    deepEqual([answer!.errorCode, answer!.lowWatermark], [ErrorCode.NONE, model.logStartOffset])
    model.batches = model.batches.filter(batch => batch.at(-1)!.offset >= model.logStartOffset)
  }
}

for (let seed = 1; seed <= 20; seed++) {
  test(`whatever clients do, the log is the array of what they sent (in memory, seed ${seed})`, async () => {
    const broker = await testBroker()
    await broker.createTopic(TOPIC, { partitions: PARTITIONS })
    const checker = new Checker(broker, seed, true)
    for (let step = 0; step < 300; step++) await checker.step()
  })
}

/** Limits so small that records go every way: into the store and into files, sealed and not, from the cache and from the disk. */
const limits: LogLimits = {
  ...defaultLogLimits,
  inlineGroupBytes: 150,
  inlineLogBytes: 100,
  ownFileBytes: 400,
  ownFileUnsyncedBytes: 200,
  stagingFileBytes: 3000,
  moveBytes: 500,
  cacheBytes: 2000,
  diskReserveBytes: 0,
}

for (let seed = 1; seed <= 10; seed++) {
  test(`whatever clients do, the log is the array of what they sent (on disk, seed ${seed})`, async () => {
    const path = await mkdtemp(join(tmpdir(), 'flotilla-data-path-'))
    const clock = manualClock()
    const store = openMemoryStore()
    const directory = { path, isCleanStart: true }
    const logs = await LogDirectory.open({ directory, store, files: nodeFiles, clock, log: silentLogger, limits })
    try {
      const broker = await testBroker({ clock, logDirectory: logs })
      await broker.createTopic(TOPIC, { partitions: PARTITIONS, configs: { 'segment.bytes': '1048576', 'internal.segment.bytes': '2000' } }) // prettier-ignore
      const checker = new Checker(broker, seed, false)
      for (let step = 0; step < 300; step++) await checker.step()
    } finally {
      await logs.close()
      await rm(path, { recursive: true, force: true })
    }
  })
}
