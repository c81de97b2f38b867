// A producer as librdkafka is one: batches for each partition, several in flight, one request for all partitions of a leader, and retries that
// keep the order: what failed is sent again, from the first on, when nothing of that partition is in flight. When it gives up, or is killed, what
// it had in its queue is without an outcome, and another one begins.
import { ok } from 'node:assert/strict'
import { ErrorCode, isRetriable } from '../../../broker/protocol/errors.ts'
import { InitProducerId } from '../../../broker/protocol/messages/init-producer-id.ts'
import { Produce } from '../../../broker/protocol/messages/produce.ts'
import { buildBatch } from '../../../broker/records/batch.ts'
import { ClusterClient, NoAnswer } from './cluster-client.ts'
import type { History, PartitionHistory, Sent } from './history.ts'
import type { World } from './world.ts'

export type ProducerOptions = {
  readonly topic: string
  readonly topicId: string
  readonly partitions: number
  readonly isIdempotent: boolean
  /** Milliseconds between two batches of a partition, about. */
  readonly intervalMs: number
}

type Batch = {
  readonly sent: readonly Sent[]
  readonly sequence: number
  readonly madeMs: number
  isInFlight: boolean
  attempts: number
}

type Queue = {
  readonly partition: number
  readonly history: PartitionHistory
  readonly batches: Batch[]
  nextSequence: number
  nextNumber: number
  inFlight: number
  /** Something failed: nothing is sent until nothing is in flight. */
  mustDrain: boolean
}

const MAX_IN_FLIGHT = 5
const MAX_QUEUED = 20
const DELIVERY_TIMEOUT_MS = 60_000
const NOBODY = { producerId: -1, producerEpoch: -1 }
// After these the answer says nothing about what became of the append.
const DOUBTFUL = new Set<number>([
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.NETWORK_EXCEPTION,
])

export class Producer {
  readonly options: ProducerOptions
  readonly #client: ClusterClient
  readonly #world: World
  readonly #history: History
  #identity = NOBODY
  #life = 0
  #queues: Queue[] = []
  #leaders: ReadonlyMap<number, number> = new Map()
  #isOver = false
  /** The topic is deleted: nothing more is to be had. */
  isGone = false

  constructor(world: World, name: string, history: History, options: ProducerOptions) {
    this.#world = world
    this.#client = new ClusterClient(world, name)
    this.#history = history
    this.options = options
    this.#begin()
    world.let(this.#live())
  }

  /** Makes no more records. */
  end(): void {
    this.#isOver = true
  }

  /** Everything it made has an outcome. */
  get isDone(): boolean {
    return this.isGone || this.#queues.every(({ batches }) => batches.length === 0)
  }

  // As if it was killed and started again: what is under way is without an outcome.
  #restart(): void {
    for (const { batches } of this.#queues) {
      for (const { sent } of batches) for (const record of sent) record.state = 'unknown'
    }
    this.#begin()
  }

  #begin(): void {
    this.#life++
    this.#identity = NOBODY
    const { topicId, partitions } = this.options
    const known = this.#queues
    this.#queues = Array.from({ length: partitions }, (_, partition) => ({
      partition,
      history: this.#history.partition(topicId, partition),
      batches: [],
      nextSequence: 0,
      // Values are unique for ever.
      nextNumber: known[partition]?.nextNumber ?? 0,
      inFlight: 0,
      mustDrain: false,
    }))
    for (const queue of this.#queues) this.#world.let(this.#make(queue))
  }

  async #make(queue: Queue): Promise<void> {
    const { dice } = this.#world
    const life = this.#life
    while (this.#life === life && !this.#isOver && !this.isGone) {
      await this.#client.sleep(dice.spread(0.1, 2) * this.options.intervalMs)
      if (queue.batches.length >= MAX_QUEUED || this.#life !== life || this.#isOver) continue
      const count = dice.chance(0.7) ? 1 : 1 + dice.below(5)
      const sent = Array.from({ length: count }, () => {
        const number = queue.nextNumber++
        const value = `${this.#client.name}.${life}/${queue.partition}/${number}`
        return this.#history.sends(
          queue.history,
          value,
          `${this.#client.name}.${life}`,
          number,
          this.options.isIdempotent,
        )
      })
      queue.batches.push({
        sent,
        sequence: queue.nextSequence,
        madeMs: this.#world.nowMs,
        isInFlight: false,
        attempts: 0,
      })
      queue.nextSequence += count
    }
  }

  async #live(): Promise<void> {
    while (!this.isGone) {
      await this.#client.sleep(this.#world.dice.spread(1, 50))
      const life = this.#life
      try {
        if (this.options.isIdempotent && this.#identity.producerId < 0) await this.#identify(life)
        if (this.#leaders.size === 0) await this.#look()
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        await this.#client.sleep(this.#world.dice.spread(10, 500))
        continue
      }
      if (this.#life !== life || (this.options.isIdempotent && this.#identity.producerId < 0)) continue
      if (this.#gaveUp()) this.#restart()
      else this.#sendAll()
    }
    this.#client.close()
  }

  #gaveUp(): boolean {
    // In the end everything must get through.
    const limitMs = this.#world.isHostile ? DELIVERY_TIMEOUT_MS : Infinity
    return this.#queues.some(({ batches }) => batches.length > 0 && this.#world.nowMs - batches[0]!.madeMs > limitMs)
  }

  async #identify(life: number): Promise<void> {
    const answer = await this.#client.ask(null, InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 0 })
    if (answer.errorCode !== ErrorCode.NONE) {
      ok(isRetriable(answer.errorCode), `InitProducerId is answered with ${answer.errorCode}`)
      return
    }
    if (this.#life === life) this.#identity = answer
  }

  async #look(): Promise<void> {
    const [topic] = await this.#client.metadata([this.options.topic])
    if (topic === undefined || topic.errorCode !== ErrorCode.NONE || topic.topicId !== this.options.topicId) {
      if (this.#history.gone.has(this.options.topicId)) this.isGone = true
      return
    }
    this.#leaders = topic.leaders
  }

  #sendAll(): void {
    const byNode = new Map<number, [Queue, Batch][]>()
    for (const queue of this.#queues) {
      if (queue.mustDrain && queue.inFlight > 0) continue
      queue.mustDrain = false
      const batch = queue.batches.find(({ isInFlight }) => !isInFlight)
      if (batch === undefined || queue.inFlight >= MAX_IN_FLIGHT) continue
      const nodeId = this.#leaders.get(queue.partition) ?? -1
      if (nodeId < 0) {
        this.#leaders = new Map()
        continue
      }
      byNode.set(nodeId, [...(byNode.get(nodeId) ?? []), [queue, batch]])
    }
    for (const [nodeId, parts] of byNode) this.#world.let(this.#send(nodeId, parts))
  }

  async #send(nodeId: number, parts: readonly [Queue, Batch][]): Promise<void> {
    const life = this.#life
    for (const [queue, batch] of parts) {
      batch.isInFlight = true
      batch.attempts++
      queue.inFlight++
    }
    const { topicId } = this.options
    const body = {
      transactionalId: null,
      acks: -1,
      timeoutMs: 3000,
      topicData: [
        {
          topicId,
          partitionData: parts.map(([{ partition }, batch]) => ({ index: partition, records: this.#encode(batch) })),
        },
      ],
    }
    let answers: readonly { index: number; errorCode: number; baseOffset: number }[] | null
    try {
      const answer = await this.#client.ask(nodeId, Produce, 13, body)
      answers = answer.responses.flatMap(({ partitionResponses }) => partitionResponses)
      ok(answers.length === parts.length, 'every partition of a request is answered')
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      answers = null
    }
    if (this.#life !== life) return
    for (const [queue, batch] of parts) {
      queue.inFlight--
      batch.isInFlight = false
      const answer = answers?.find(({ index }) => index === queue.partition)
      this.#settle(queue, batch, answer?.errorCode ?? ErrorCode.NETWORK_EXCEPTION, answer?.baseOffset ?? -1)
    }
  }

  #settle(queue: Queue, batch: Batch, errorCode: number, baseOffset: number): void {
    const { isIdempotent } = this.options
    const isDuplicate = isIdempotent && errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER
    if (errorCode === ErrorCode.NONE || isDuplicate) {
      queue.batches.splice(queue.batches.indexOf(batch), 1)
      for (const [at, sent] of batch.sent.entries()) {
        this.#history.acks(queue.history, sent, isDuplicate || baseOffset < 0 ? -1 : baseOffset + at)
      }
      return
    }
    queue.mustDrain = true
    this.#leaders = new Map()
    const isFirst = queue.batches[0] === batch
    if (errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) {
      // Those behind one that failed fail too. The first one has everything before it acknowledged.
      ok(!isFirst, `${queue.history.name}: ${batch.sent[0]!.value} is out of order, but all before it are acknowledged`)
      return
    }
    const isOfTopic = errorCode === ErrorCode.UNKNOWN_TOPIC_ID || errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    ok(
      isOfTopic || isRetriable(errorCode),
      `${queue.history.name}: ${batch.sent[0]!.value} is answered with ${errorCode}`,
    )
    if (!this.#world.isHostile || !this.#world.dice.chance(0.02)) return
    // Gives up on a batch without sending it again: with a definite refusal it must not be there.
    if (isIdempotent || batch.attempts > 1 || DOUBTFUL.has(errorCode)) return
    queue.batches.splice(queue.batches.indexOf(batch), 1)
    for (const sent of batch.sent) sent.state = 'refused'
  }

  #encode(batch: Batch): Buffer {
    const { isIdempotent } = this.options
    const timestamp = this.#client.process.clock.now()
    return buildBatch({
      ...(isIdempotent ? { ...this.#identity, baseSequence: batch.sequence } : {}),
      records: batch.sent.map(({ value, number }) => ({
        timestamp,
        value: Buffer.from(value + ' '.repeat(number % 11 === 0 ? 3000 : number % 5)),
      })),
    })
  }
}
