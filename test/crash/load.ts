// A load whose every record can be told apart, and the check that a log holds what it must: one connection per partition
// produces batches with up to five in flight, notes what was acknowledged at which offset, and never sends anything twice.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { tcpTransport, type Address } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { eachBatch, buildBatch, isCrcValid, sizeOf } from '../../broker/records/batch.ts'
import { readRecords } from '../../broker/records/record.ts'

const IN_FLIGHT = 5
const LONGEST_NAME = 40

/** One batch that was sent: the names of its values, and where it was acknowledged (null: outcome unknown). */
type Sent = { readonly values: readonly string[]; baseOffset: number | null }

// Hundreds of kills leave gigabytes of records: what is remembered of a value is its name, "partition/number/size", which says all that is in it.
function valueOf(name: string): Buffer {
  const value = Buffer.alloc(Number(name.slice(name.lastIndexOf('/') + 1)), '.')
  value.write(name)
  return value
}

/** The name of a value that was read back. Throws when anything in it is not as it was sent. */
function nameOf(value: Buffer): string {
  const name = /^\d+\/\d+\/\d+/.exec(value.toString('latin1', 0, LONGEST_NAME))?.[0]
  ok(name !== undefined && valueOf(name).equals(value), `a value is damaged: ${value.toString('latin1', 0, 60)}`)
  return name
}

export class PartitionLoad {
  readonly topic: string
  readonly partition: number
  readonly #next: () => number
  /** Everything sent, in order; what could not be found in the log is taken out by `verify`. */
  #sent: Sent[] = []
  /** Everything that is known to be in the log, by offset. */
  readonly #known: string[] = []
  #sequence = 0
  acknowledged = 0

  /** `next` is a seeded source of numbers in [0, 1). */
  constructor(topic: string, partition: number, next: () => number) {
    this.topic = topic
    this.partition = partition
    this.#next = next
  }

  /** Produces until the connection is lost. */
  async produceUntilLost(address: Address): Promise<void> {
    const connection = await BrokerConnection.open(tcpTransport, address, 'crash').catch(() => null)
    if (connection === null) return
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => this.#produce(connection)))
  }

  async #produce(connection: BrokerConnection): Promise<void> {
    while (!connection.isLost) {
      const sent: Sent = { values: this.#values(), baseOffset: null }
      this.#sent.push(sent)
      const records = sent.values.map(value => ({ timestamp: 1_000, key: null, value: valueOf(value) }))
      const body = {
        transactionalId: null,
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: this.topic, partitionData: [{ index: this.partition, records: buildBatch({ records }) }] }],
      }
      const response = await connection.request(Produce, 9, body).catch(() => null)
      if (response === null) return
      const { errorCode, baseOffset } = response.responses[0]!.partitionResponses[0]!
      equal(errorCode, 0, 'a healthy broker acknowledges')
      sent.baseOffset = baseOffset
      this.acknowledged += sent.values.length
    }
  }

  /** Mostly small batches, now and then one that goes to a segment file. */
  #values(): string[] {
    const size = this.#next() < 0.2 ? 40_000 : 200
    return Array.from(
      { length: 1 + Math.floor(this.#next() * 20) },
      () => `${this.partition}/${this.#sequence++}/${size}`,
    )
  }

  /**
   * Reads the log on from what is known and checks it: contiguous offsets, only what was sent, in the order it was sent, whole
   * batches, and every acknowledged batch at the offset it was acknowledged with.
   */
  async verify(address: Address): Promise<void> {
    const from = this.#known.length
    const read = await this.#readFrom(address, from)
    const found = new Set<Sent>()
    const firstValue = new Map(this.#sent.map(sent => [sent.values[0]!, sent]))
    let order = -1
    for (let at = 0; at < read.length;) {
      const sent = firstValue.get(read[at]!)
      ok(sent !== undefined, `offset ${from + at} holds ${read[at]}, which was not sent, or was there before`)
      ok(this.#sent.indexOf(sent) > order, 'batches are in the order in which they were sent')
      order = this.#sent.indexOf(sent)
      deepEqual(read.slice(at, at + sent.values.length), sent.values, 'a batch is there as a whole')
      if (sent.baseOffset !== null) equal(from + at, sent.baseOffset, 'a record is where it was acknowledged')
      found.add(sent)
      at += sent.values.length
    }
    for (const sent of this.#sent)
      ok(sent.baseOffset === null || found.has(sent), `offset ${sent.baseOffset} was acknowledged and is lost`)
    this.#known.push(...read)
    this.#sent = []
  }

  /** Reads everything again, from the start. */
  async verifyAll(address: Address): Promise<void> {
    await this.verify(address)
    const read = await this.#readFrom(address, 0)
    equal(read.length, this.#known.length)
    for (let i = 0; i < read.length; i++) equal(read[i], this.#known[i])
  }

  async #readFrom(address: Address, offset: number): Promise<string[]> {
    const connection = await BrokerConnection.open(tcpTransport, address, 'verify')
    const values: string[] = []
    try {
      for (;;) {
        const { records, highWatermark } = await this.#fetch(connection, offset + values.length)
        for (const at of eachBatch(records)) {
          equal(isCrcValid(records, at), true, 'a batch is not damaged')
          for (const record of readRecords(records.subarray(at, at + sizeOf(records, at)))) {
            if (record.offset < offset + values.length) continue
            equal(record.offset, offset + values.length, 'offsets have no gaps')
            values.push(nameOf(record.value!))
          }
        }
        if (offset + values.length >= highWatermark) return values
      }
    } finally {
      connection.close()
    }
  }

  async #fetch(connection: BrokerConnection, fetchOffset: number) {
    const response = await connection.request(Fetch, 11, {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 50_000_000,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        { topic: this.topic, partitions: [{ partition: this.partition, fetchOffset, partitionMaxBytes: 50_000_000 }] },
      ],
      forgottenTopicsData: [],
    })
    const partition = response.responses[0]!.partitions[0]!
    equal(partition.errorCode, 0)
    return { records: partition.records ?? Buffer.alloc(0), highWatermark: partition.highWatermark }
  }
}
