// Producers whose every transaction can be told apart, speaking the protocol by hand, and a read_committed reader that checks what they have
// left behind: transactions are whole, and what was answered holds.
import { equal, ok } from 'node:assert/strict'
import { tcpTransport, type Address } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { AddPartitionsToTxn } from '../../broker/protocol/messages/add-partitions-to-txn.ts'
import { EndTxn } from '../../broker/protocol/messages/end-txn.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { FindCoordinator } from '../../broker/protocol/messages/find-coordinator.ts'
import { InitProducerId } from '../../broker/protocol/messages/init-producer-id.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { buildBatch, eachBatch, isControl, lastOffset, producerId, sizeOf } from '../../broker/records/batch.ts'
import { readEndTransactionMarker } from '../../broker/records/control.ts'
import { readRecords } from '../../broker/records/record.ts'
import { ErrorCode } from '../../broker/protocol/errors.ts'

/** Where a producer is; a test may want to kill the broker right then. */
export type Step = 'starts' | 'started' | 'adds' | 'added' | 'writes' | 'wrote' | 'ends' | 'ended'

type Outcome = 'committed' | 'aborted' | 'unknown'
type Told = { readonly values: string[]; outcome: Outcome }

const PAUSE_MS = 10
/** A transaction that nobody completes must fail the test. */
const PATIENCE_MS = 60_000
/** What a producer tries again: the coordinator is busy with its last transaction, or still loading. */
const RETRIED = new Set<number>([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
])

export class TransactionLoad {
  readonly transactionalId: string
  readonly told: Told[] = []
  committed = 0
  readonly #topic: string
  readonly #partitions: number
  /** As clients before transaction.version 2: partitions are added by a request, and the epoch stays from one transaction to the next. */
  readonly #isOld: boolean
  /** By partition. */
  #sequences: number[] = []
  readonly #next: () => number
  #count = 0

  /** `next` is a seeded source of numbers in [0, 1). */
  constructor(transactionalId: string, topic: string, partitions: number, next: () => number, isOld: boolean) {
    this.transactionalId = transactionalId
    this.#topic = topic
    this.#partitions = partitions
    this.#next = next
    this.#isOld = isOld
  }

  /** Starts, which ends what the last life has left open, and writes transactions until the connection is lost. */
  async runUntilLost(address: Address, onStep: (step: Step) => void): Promise<void> {
    const connection = await BrokerConnection.open(tcpTransport, address, this.transactionalId).catch(() => null)
    if (connection === null) return
    try {
      let producer = await this.#start(connection, onStep)
      while (producer !== null) producer = await this.#transaction(connection, producer, onStep)
    } finally {
      connection.close()
    }
  }

  /** Starts and stops: nothing of this producer is open afterwards. */
  async fence(address: Address): Promise<void> {
    const connection = await BrokerConnection.open(tcpTransport, address, this.transactionalId)
    ok((await this.#start(connection, () => {})) !== null)
    connection.close()
  }

  async #start(connection: BrokerConnection, onStep: (step: Step) => void): Promise<Producer | null> {
    const request = { transactionalId: this.transactionalId, transactionTimeoutMs: 60_000 }
    onStep('starts')
    const answer = await retried(() => connection.request(InitProducerId, 5, request))
    if (answer === null) return null
    equal(answer.errorCode, ErrorCode.NONE, 'a producer may start')
    this.#sequences = new Array<number>(this.#partitions).fill(0)
    onStep('started')
    return answer
  }

  /** Null when the connection was lost. */
  async #transaction(
    connection: BrokerConnection,
    producer: Producer,
    onStep: (step: Step) => void,
  ): Promise<Producer | null> {
    const told: Told = { values: [], outcome: 'unknown' }
    this.told.push(told)
    const name = `${this.transactionalId}/${this.#count++}`
    const count = 2 + Math.floor(this.#next() * (this.#partitions - 1))
    if (this.#isOld && !(await this.#add(connection, producer, count, onStep))) return null
    const writes = Array.from({ length: count }, (_, index) => {
      const value = `${name}/${index}`
      told.values.push(value)
      return this.#write(connection, producer, index, value, onStep)
    })
    if ((await Promise.all(writes)).includes(false)) return null
    const committed = this.#next() < 0.75
    const { producerId: id, producerEpoch } = producer
    const request = { transactionalId: this.transactionalId, producerId: id, producerEpoch, committed }
    onStep('ends')
    const answer = await retried(() => connection.request(EndTxn, this.#isOld ? 3 : 5, request))
    if (answer === null) return null
    equal(answer.errorCode, ErrorCode.NONE, 'a transaction may end')
    told.outcome = committed ? 'committed' : 'aborted'
    if (committed) this.committed++
    onStep('ended')
    if (this.#isOld) return producer
    // With every transaction in an epoch of its own, sequences begin at 0 each time.
    this.#sequences.fill(0)
    return answer
  }

  /** Puts the first partitions into the transaction; false when the connection was lost. */
  async #add(
    connection: BrokerConnection,
    { producerId: id, producerEpoch }: Producer,
    count: number,
    onStep: (step: Step) => void,
  ): Promise<boolean> {
    onStep('adds')
    const partitions = Array.from({ length: count }, (_, partition) => partition)
    const answer = await retried(async () => {
      const { resultsByTopicV3AndBelow } = await connection.request(AddPartitionsToTxn, 3, {
        v3AndBelowTransactionalId: this.transactionalId,
        v3AndBelowProducerId: id,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: this.#topic, partitions }],
      })
      return { errorCode: resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode }
    })
    if (answer === null) return false
    equal(answer.errorCode, ErrorCode.NONE, 'partitions may join a transaction')
    onStep('added')
    return true
  }

  async #write(
    connection: BrokerConnection,
    producer: Producer,
    partition: number,
    value: string,
    onStep: (step: Step) => void,
  ): Promise<boolean> {
    const padding = this.#next() < 0.1 ? 40_000 : 20
    const records = [{ timestamp: 1000, key: null, value: Buffer.from(value.padEnd(padding)) }]
    const { producerId: id, producerEpoch } = producer
    const baseSequence = this.#sequences[partition]!++
    const batch = { producerId: id, producerEpoch, isTransactional: true, baseSequence, records }
    const body = (): Parameters<typeof connection.request<typeof Produce>>[2] => ({
      transactionalId: this.transactionalId,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: this.#topic, partitionData: [{ index: partition, records: buildBatch(batch) }] }],
    })
    onStep('writes')
    const answer = await retried(async () => {
      const { responses } = await connection.request(Produce, this.#isOld ? 9 : 12, body())
      return responses[0]!.partitionResponses[0]!
    })
    if (answer === null) return false
    equal(answer.errorCode, ErrorCode.NONE, 'a healthy broker takes a batch of a transaction')
    onStep('wrote')
    return true
  }
}

type Producer = { readonly producerId: number; readonly producerEpoch: number }

/** Asks until the answer is a final one; null when the connection is lost. */
async function retried<T extends { readonly errorCode: number }>(ask: () => Promise<T>): Promise<T | null> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = await ask().catch(() => null)
    if (answer === null || !RETRIED.has(answer.errorCode)) return answer
    ok(performance.now() < deadline, `error ${answer.errorCode} goes away`)
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
}

/** Makes the coordinator's topic. */
export async function findCoordinator(address: Address): Promise<void> {
  const connection = await BrokerConnection.open(tcpTransport, address, 'find')
  const request = { keyType: 1, coordinatorKeys: ['x'] }
  const { coordinators } = await connection.request(FindCoordinator, 4, request)
  equal(coordinators[0]!.errorCode, ErrorCode.NONE)
  connection.close()
}

/**
 * The values that a read_committed reader gets from a partition, each once. Fails when a record is there twice, or when something is left
 * that holds readers up.
 */
export async function readCommitted(address: Address, topic: string, partition: number): Promise<Set<string>> {
  const connection = await BrokerConnection.open(tcpTransport, address, 'read')
  const values = new Set<string>()
  try {
    for (let fetchOffset = 0; ;) {
      const response = await connection.request(Fetch, 11, {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 50_000_000,
        isolationLevel: 1,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 50_000_000 }] }],
        forgottenTopicsData: [],
      })
      const fetched = response.responses[0]!.partitions[0]!
      equal(fetched.errorCode, ErrorCode.NONE)
      equal(fetched.lastStableOffset, fetched.highWatermark, `nothing is open in ${topic}-${partition}`)
      const records = fetched.records ?? Buffer.alloc(0)
      if (fetchOffset >= fetched.lastStableOffset) return values
      ok(records.length > 0, `${topic}-${partition} has records below its last stable offset`)
      fetchOffset = visible(records, fetched.abortedTransactions ?? [], values)
    }
  } finally {
    connection.close()
  }
}

type Aborted = { readonly producerId: number; readonly firstOffset: number }

/** As a consumer does it: skips a producer's batches from the first offset of an aborted transaction to its marker. Returns the next offset. */
function visible(records: Buffer, abortedTransactions: readonly Aborted[], values: Set<string>): number {
  const waiting = [...abortedTransactions].sort((one, other) => one.firstOffset - other.firstOffset)
  const aborted = new Set<number>()
  let nextOffset = -1
  for (const at of eachBatch(records)) {
    const batch = records.subarray(at, at + sizeOf(records, at))
    nextOffset = lastOffset(batch, 0) + 1
    while (waiting.length > 0 && waiting[0]!.firstOffset < nextOffset) aborted.add(waiting.shift()!.producerId)
    const id = producerId(batch, 0)
    if (isControl(batch, 0)) {
      if (readEndTransactionMarker(batch)?.result === 'abort') aborted.delete(id)
      continue
    }
    if (aborted.has(id)) continue
    for (const { value } of readRecords(batch)) {
      const text = String(value).trimEnd()
      ok(!values.has(text), `${text} is there twice`)
      values.add(text)
    }
  }
  return nextOffset
}

/** `partitions`: what a reader sees of each. A transaction wrote its n-th value to partition n. */
export function verify(loads: readonly TransactionLoad[], partitions: readonly ReadonlySet<string>[]): void {
  const known = new Set<string>()
  for (const { told } of loads) {
    for (const { values, outcome } of told) {
      for (const value of values) known.add(value)
      const seen = values.filter((value, index) => partitions[index]!.has(value)).length
      ok(seen === 0 || seen === values.length, `torn: ${seen} of ${values.join(', ')} can be read`)
      if (outcome === 'committed') equal(seen, values.length, `${values[0]} was committed and is lost`)
      if (outcome === 'aborted') equal(seen, 0, `${values[0]} was aborted and can be read`)
    }
  }
  for (const values of partitions) for (const value of values) ok(known.has(value), `${value} was never written`)
}
