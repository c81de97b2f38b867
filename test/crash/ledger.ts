// A producer that notes what was acknowledged and at which offset, on a broker that may refuse, and the check that all of it is
// there: contiguous offsets, nothing that was never sent, every acknowledged record where it was acknowledged. load.ts is the
// same for a broker that only ever dies.
import { equal, ok } from 'node:assert/strict'
import { tcpTransport, type Address } from '../../broker/base/transport.ts'
import { BrokerConnection, ConnectionLost } from '../../broker/client/connection.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { ListOffsets } from '../../broker/protocol/messages/list-offsets.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { buildBatch, eachBatch, isCrcValid, sizeOf } from '../../broker/records/batch.ts'
import { readRecords } from '../../broker/records/record.ts'
import { ask } from '../../bench/peers/admin.ts'

const IN_FLIGHT = 5

export class Ledger {
  readonly topic: string
  readonly partition: number
  /** Offset -> the record that was acknowledged there. */
  readonly acknowledged = new Map<number, string>()
  readonly #valueBytes: number
  readonly #unknown = new Set<string>()
  #sequence = 0

  constructor(topic: string, partition: number, valueBytes: number) {
    this.topic = topic
    this.partition = partition
    this.#valueBytes = valueBytes
  }

  get lastAcknowledged(): number {
    return Math.max(...this.acknowledged.keys())
  }

  /** Produces one record and resolves with the error code. Rejects with ConnectionLost. */
  async produce(connection: BrokerConnection): Promise<number> {
    const id = `${this.topic}/${this.partition}/${this.#sequence++}/`
    const value = Buffer.alloc(Math.max(this.#valueBytes, id.length), '.')
    value.write(id)
    this.#unknown.add(id)
    const records = buildBatch({ records: [{ timestamp: 1_000, key: null, value }] })
    const response = await connection.request(Produce, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: this.topic, partitionData: [{ index: this.partition, records }] }],
    })
    const { errorCode, baseOffset } = response.responses[0]!.partitionResponses[0]!
    if (errorCode === 0) {
      ok(!this.acknowledged.has(baseOffset), `offset ${baseOffset} is given out once`)
      this.acknowledged.set(baseOffset, id)
      this.#unknown.delete(id)
    }
    return errorCode
  }

  /** Produces, several records in flight, until one is refused, the connection is lost or `isEnough`; resolves with the refusal, null without one. */
  async produceUntilRefused(address: Address, isEnough: () => boolean = () => false): Promise<number | null> {
    const connection = await BrokerConnection.open(tcpTransport, address, 'ledger')
    let refusal: number | null = null
    const run = async (): Promise<void> => {
      while (refusal === null && !isEnough()) {
        const errorCode = await this.produce(connection).catch((error: unknown) => {
          if (error instanceof ConnectionLost) return 0
          throw error
        })
        if (connection.isLost) return
        if (errorCode !== 0) refusal ??= errorCode
      }
    }
    try {
      await Promise.all(Array.from({ length: IN_FLIGHT }, run))
      return refusal
    } finally {
      connection.close()
    }
  }

  /** Reads the whole log and checks it. Returns how many records there are. */
  async verify(address: Address): Promise<number> {
    const start = await offsetAt(address, this.topic, this.partition, EARLIEST)
    const found = await this.#readFrom(address, start)
    for (const [offset, id] of this.acknowledged) {
      if (offset >= start) equal(found.get(offset), id, `offset ${offset} of ${this.topic}-${this.partition}`)
    }
    const known = new Set(this.acknowledged.values())
    for (const [offset, id] of found) {
      ok(known.has(id) || this.#unknown.has(id), `offset ${offset} holds ${id}, which was never sent`)
    }
    return found.size
  }

  async #readFrom(address: Address, start: number): Promise<Map<number, string>> {
    const found = new Map<number, string>()
    const connection = await BrokerConnection.open(tcpTransport, address, 'ledger')
    try {
      for (let next = start; ;) {
        const { records, highWatermark } = await fetchFrom(connection, this.topic, this.partition, next)
        for (const at of eachBatch(records)) {
          ok(isCrcValid(records, at), 'a batch is not damaged')
          for (const { offset, value } of readRecords(records.subarray(at, at + sizeOf(records, at)))) {
            if (offset < next) continue
            equal(offset, next++, 'offsets have no gaps')
            const text = value!.toString('latin1')
            const id = text.slice(0, text.lastIndexOf('/') + 1)
            equal(text.length, Math.max(this.#valueBytes, id.length), 'a record is there as a whole')
            found.set(offset, id)
          }
        }
        if (next >= highWatermark) return found
      }
    } finally {
      connection.close()
    }
  }
}

export const EARLIEST = -2
export const LATEST = -1

export async function offsetAt(address: Address, topic: string, partition: number, timestamp: number): Promise<number> {
  const response = await ask(address, ListOffsets, 5, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
  })
  const { errorCode, offset } = response.topics[0]!.partitions[0]!
  equal(errorCode, 0, `the offsets of ${topic}-${partition}`)
  return offset
}

/** One fetch of one partition that must succeed. */
export async function fetchFrom(
  connection: BrokerConnection,
  topic: string,
  partition: number,
  fetchOffset: number,
  maxWaitMs = 500,
) {
  const found = await tryFetch(connection, topic, partition, fetchOffset, maxWaitMs)
  equal(found.errorCode, 0, `reading ${topic}-${partition} at ${fetchOffset}`)
  return { records: found.records ?? Buffer.alloc(0), highWatermark: found.highWatermark }
}

export async function tryFetch(
  connection: BrokerConnection,
  topic: string,
  partition: number,
  fetchOffset: number,
  maxWaitMs = 500,
) {
  const response = await connection.request(Fetch, 11, {
    maxWaitMs,
    minBytes: 1,
    maxBytes: 8_000_000,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 8_000_000 }] }],
    forgottenTopicsData: [],
  })
  return response.responses[0]!.partitions[0]!
}
