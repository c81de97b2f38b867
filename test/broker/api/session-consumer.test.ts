// A consumer that lives on one fetch session, as Java's does: it names only what changed, forgets and adds partitions at random, and
// must still get every record once and in order, whatever the limits of its answers.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { fetch } from '../../../broker/api/fetch.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { Fetch } from '../../../broker/protocol/messages/fetch.ts'
import { eachBatch, sizeOf } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { seededNumbers } from '../../seeded.ts'
import { batchOf, testBroker, type TestBroker } from './fixture.ts'

const TOPIC = 'orders'
const PARTITIONS = 8

class SessionConsumer {
  readonly received: string[][] = Array.from({ length: PARTITIONS }, () => [])
  readonly #broker: TestBroker
  readonly #topicId: string
  readonly #next: () => number
  readonly #positions: number[] = new Array<number>(PARTITIONS).fill(0)
  /** What the session was told last of each partition; null for those that are not in it. */
  readonly #told: (number | null)[] = new Array<number | null>(PARTITIONS).fill(null)
  readonly #paused = new Set<number>()
  #sessionId = 0
  #epoch = 0

  constructor(broker: TestBroker, topicId: string, next: () => number) {
    this.#broker = broker
    this.#topicId = topicId
    this.#next = next
  }

  pause(partition: number): void {
    this.#paused.add(partition)
  }

  resumeAll(): void {
    this.#paused.clear()
  }

  async poll(maxBytes: number): Promise<void> {
    const wanted: number[] = []
    const forgotten: number[] = []
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const isWanted = !this.#paused.has(partition)
      if (isWanted && this.#told[partition] !== this.#positions[partition]) wanted.push(partition)
      if (!isWanted && this.#told[partition] !== null) forgotten.push(partition)
    }
    for (const partition of wanted) this.#told[partition] = this.#positions[partition]!
    for (const partition of forgotten) this.#told[partition] = null
    const response = await this.#broker.ask(Fetch, fetch, 18, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes,
      sessionId: this.#sessionId,
      sessionEpoch: this.#epoch,
      topics: [{ topicId: this.#topicId, partitions: wanted.map(partition => this.#asked(partition)) }],
      forgottenTopicsData: [{ topicId: this.#topicId, partitions: forgotten }],
      rackId: '',
    } as never)
    equal(response.errorCode, ErrorCode.NONE)
    this.#sessionId = response.sessionId
    this.#epoch = response.sessionId === 0 ? 0 : this.#epoch + 1
    if (response.sessionId === 0) this.#told.fill(null)
    for (const { partitions } of response.responses) {
      for (const { partitionIndex, errorCode, records } of partitions) {
        equal(errorCode, ErrorCode.NONE)
        ok(!this.#paused.has(partitionIndex), 'a forgotten partition is not served')
        this.#take(partitionIndex, records!)
      }
    }
  }

  #asked(partition: number) {
    const fetchOffset = this.#positions[partition]!
    return { partition, fetchOffset, partitionMaxBytes: 1 + Math.floor(this.#next() * 300) }
  }

  #take(partition: number, bytes: Buffer): void {
    for (const at of eachBatch(bytes)) {
      for (const { offset, value } of readRecords(bytes.subarray(at, at + sizeOf(bytes, at)))) {
        if (offset < this.#positions[partition]!) continue
        equal(offset, this.#positions[partition], 'no record is left out')
        this.received[partition]!.push(String(value))
        this.#positions[partition] = offset + 1
      }
    }
  }
}

for (let seed = 1; seed <= 10; seed++) {
  test(`a consumer on one session gets every record once and in order (seed ${seed})`, async () => {
    const next = seededNumbers(seed)
    const broker = await testBroker({ maxFetchSessions: seed === 10 ? 0 : 10 })
    const topicId = await broker.createTopic(TOPIC, { partitions: PARTITIONS })
    const consumer = new SessionConsumer(broker, topicId, next)
    const sent: string[][] = Array.from({ length: PARTITIONS }, () => [])
    for (let step = 0; step < 400; step++) {
      const partition = Math.floor(next() * PARTITIONS)
      const leader = broker.context.replicas.leader(topicId, partition)
      if (typeof leader === 'number') throw new Error('no leader')
      const values = Array.from({ length: 1 + Math.floor(next() * 3) }, (_, index) => `${step}.${index}`)
      await leader.append(batchOf(values), 1, broker.clock.now()).stored
      sent[partition]!.push(...values)
      if (next() < 0.1) consumer.pause(Math.floor(next() * PARTITIONS))
      if (next() < 0.1) consumer.resumeAll()
      broker.log(TOPIC, partition).readsAreSlow = next() < 0.4
      if (next() < 0.7) await consumer.poll(Math.floor(next() * 1000))
    }
    consumer.resumeAll()
    for (let round = 0; round < 3000 && consumer.received.flat().length < sent.flat().length; round++) {
      await consumer.poll(200)
    }
    deepEqual(consumer.received, sent)
  })
}

test('a partition that never runs dry does not starve the others of the session', async () => {
  const broker = await testBroker()
  const topicId = await broker.createTopic(TOPIC, { partitions: PARTITIONS })
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const leader = broker.context.replicas.leader(topicId, partition)
    if (typeof leader === 'number') throw new Error('no leader')
    const batches = partition === 0 ? 500 : 1
    for (let each = 0; each < batches; each++) await leader.append(batchOf(['a']), 1, broker.clock.now()).stored
  }
  const consumer = new SessionConsumer(broker, topicId, () => 0.99)
  for (let round = 0; round < PARTITIONS + 2; round++) await consumer.poll(1)
  for (let partition = 1; partition < PARTITIONS; partition++) equal(consumer.received[partition]!.length, 1)
})
