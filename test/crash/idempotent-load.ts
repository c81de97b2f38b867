// An idempotent producer as clients are: it asks for an id, sends its very first record alone, then one batch for each partition in a
// request and several requests before the first is answered. When its connection is cut it sends again what was not acknowledged,
// first one batch of a partition at a time, as Kafka's own client does. A healthy broker refuses none of it.
import { equal } from 'node:assert/strict'
import { tcpTransport, type Address } from '../../broker/base/transport.ts'
import { BrokerConnection, ConnectionLost } from '../../broker/client/connection.ts'
import { errorName, type ErrorCode } from '../../broker/protocol/errors.ts'
import { InitProducerId } from '../../broker/protocol/messages/init-producer-id.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { buildBatch } from '../../broker/records/batch.ts'

const IN_FLIGHT = 5
const VALUE = Buffer.alloc(1_000, 'x')

export type IdempotentLoadOptions = {
  readonly topic: string
  readonly partitions: number
  /** So many batches for each partition. */
  readonly batches: number
  /** The share of requests after which the connection is cut. */
  readonly cutShare: number
  /** A seeded source of numbers in [0, 1). */
  readonly next: () => number
}

/** One partition as the producer sees it. */
type Lane = {
  readonly index: number
  readonly sizes: readonly number[]
  /** How many batches were acknowledged, and how many were sent on this connection or before. */
  acknowledged: number
  sent: number
  /** Batches below this were sent on a connection that is gone: one at a time until they are acknowledged. */
  unsure: number
}

/** Produces everything; resolves when all of it is acknowledged. Rejects with the first error of a batch, or an offset that is wrong. */
export async function produceIdempotently(address: Address, options: IdempotentLoadOptions): Promise<void> {
  const { partitions, batches, next } = options
  const lanes: Lane[] = Array.from({ length: partitions }, (_, index) => ({
    index,
    sizes: Array.from({ length: batches }, () => (next() < 0.3 ? 1 : Math.ceil(next() * 63))),
    acknowledged: 0,
    sent: 0,
    unsure: 0,
  }))
  const producerId = await newProducerId(address)
  const first = lanes[Math.floor(next() * partitions)]!
  let isFirst = true
  while (lanes.some(lane => lane.acknowledged < batches)) {
    const run = new Run(await BrokerConnection.open(tcpTransport, address, 'idempotent'), producerId, options)
    if (isFirst) run.send([first])
    isFirst = false
    await run.produce(lanes)
    for (const lane of lanes) {
      lane.unsure = lane.sent
      lane.sent = lane.acknowledged
    }
  }
}

async function newProducerId(address: Address): Promise<number> {
  const connection = await BrokerConnection.open(tcpTransport, address, 'idempotent')
  const { errorCode, producerId } = await connection.request(InitProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 60_000,
    producerId: -1,
    producerEpoch: -1,
  })
  connection.close()
  equal(errorCode, 0)
  return producerId
}

/** What happens on one connection. */
class Run {
  readonly #connection: BrokerConnection
  readonly #producerId: number
  readonly #options: IdempotentLoadOptions
  readonly #pending = new Set<Promise<void>>()

  constructor(connection: BrokerConnection, producerId: number, options: IdempotentLoadOptions) {
    this.#connection = connection
    this.#producerId = producerId
    this.#options = options
  }

  /** Until everything is acknowledged or the connection is cut. */
  async produce(lanes: readonly Lane[]): Promise<void> {
    const { next, batches, cutShare } = this.#options
    while (!this.#connection.isLost) {
      const ready = lanes.filter(lane => lane.sent < batches && maySend(lane) && next() < 0.8)
      if (ready.length > 0) this.send(ready)
      if (next() < cutShare) this.#connection.close()
      else if (this.#pending.size >= IN_FLIGHT || (ready.length === 0 && this.#pending.size > 0))
        await Promise.race(this.#pending)
      else if (lanes.every(lane => lane.acknowledged === batches)) this.#connection.close()
      else await new Promise(resolve => setTimeout(resolve, next() * 3))
    }
    await Promise.all(this.#pending)
  }

  /** Sends the next batch of these partitions in one request. */
  send(lanes: readonly Lane[]): void {
    const { topic } = this.#options
    const ordinals = new Map(lanes.map(lane => [lane.index, lane.sent++]))
    const partitionData = lanes.map(lane => ({
      index: lane.index,
      records: this.#batch(lane, ordinals.get(lane.index)!),
    }))
    const body = { transactionalId: null, acks: -1, timeoutMs: 30_000, topicData: [{ name: topic, partitionData }] }
    const pending = this.#connection
      .request(Produce, 9, body)
      .then(({ responses }) => {
        const answers = responses[0]!.partitionResponses
        equal(answers.length, lanes.length, 'every partition is answered')
        for (const [at, { index, errorCode, baseOffset, errorMessage }] of answers.entries()) {
          const lane = lanes[at]!
          const ordinal = ordinals.get(index)!
          const what = `batch ${ordinal} of ${topic}-${index}, producer ${this.#producerId}`
          equal(errorName(errorCode as ErrorCode), 'NONE', `${what}: ${errorMessage}`)
          equal(baseOffset, firstRecordOf(lane, ordinal), what)
          lane.acknowledged = Math.max(lane.acknowledged, ordinal + 1)
        }
      })
      .catch((error: unknown) => {
        if (!(error instanceof ConnectionLost)) throw error
      })
    const settled = pending.finally(() => this.#pending.delete(settled))
    this.#pending.add(settled)
  }

  #batch(lane: Lane, ordinal: number): Buffer {
    const timestamp = Date.now()
    return buildBatch({
      producerId: this.#producerId,
      producerEpoch: 0,
      baseSequence: firstRecordOf(lane, ordinal),
      records: Array.from({ length: lane.sizes[ordinal]! }, () => ({ timestamp, key: null, value: VALUE })),
    })
  }
}

function maySend(lane: Lane): boolean {
  return lane.sent >= lane.unsure || lane.sent === lane.acknowledged
}

/** Nobody else writes to the topic, so offsets are sequences. */
function firstRecordOf(lane: Lane, ordinal: number): number {
  let records = 0
  for (let at = 0; at < ordinal; at++) records += lane.sizes[at]!
  return records
}
