// A consumer of all partitions of a topic: reads from the start to the end and, now and then, again. Everything it reads goes into the history.
import { ok } from 'node:assert/strict'
import { ErrorCode, isRetriable } from '../../../broker/protocol/errors.ts'
import { Fetch } from '../../../broker/protocol/messages/fetch.ts'
import { eachBatch, isCrcValid, sizeOf } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { ClusterClient, NoAnswer } from './cluster-client.ts'
import type { History } from './history.ts'
import type { World } from './world.ts'

export type ConsumerOptions = { readonly topic: string; readonly topicId: string; readonly partitions: number }

const MAX_WAIT_MS = 500

type Answered = {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly records: Buffer | null
}

export class Consumer {
  readonly #world: World
  readonly #client: ClusterClient
  readonly #history: History
  readonly #options: ConsumerOptions
  #positions: number[]
  #leaders: ReadonlyMap<number, number> = new Map()
  /** The topic is deleted: nothing more is to be had. */
  isGone = false

  constructor(world: World, name: string, history: History, options: ConsumerOptions) {
    this.#world = world
    this.#client = new ClusterClient(world, name)
    this.#history = history
    this.#options = options
    this.#positions = Array.from({ length: options.partitions }, () => 0)
    world.let(this.#live())
  }

  /** Everything that was acknowledged has been read. */
  get isAtEnd(): boolean {
    const { topicId } = this.#options
    return (
      this.isGone ||
      this.#positions.every((position, at) => {
        const { ackedEnd, readEnd } = this.#history.partition(topicId, at)
        return position >= Math.max(ackedEnd, readEnd)
      })
    )
  }

  /** Reads everything again. */
  rewind(): void {
    this.#positions = this.#positions.map(() => 0)
  }

  async #live(): Promise<void> {
    while (!this.isGone) {
      try {
        if (this.#leaders.size === 0) await this.#look()
        const nodes = new Set([...this.#leaders.values()].filter(nodeId => nodeId >= 0))
        await Promise.all([...nodes].map(nodeId => this.#fetch(nodeId)))
        if (nodes.size === 0) this.#leaders = new Map()
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        this.#leaders = new Map()
      }
      await this.#client.sleep(this.#world.dice.spread(5, 300))
      if (this.#world.dice.fails(0.002)) this.rewind()
    }
    this.#client.close()
  }

  async #look(): Promise<void> {
    const { topic, topicId } = this.#options
    const [found] = await this.#client.metadata([topic])
    if (found?.errorCode === ErrorCode.NONE && found.topicId === topicId) this.#leaders = found.leaders
    else if (this.#history.gone.has(topicId)) this.isGone = true
  }

  async #fetch(nodeId: number): Promise<void> {
    const { topicId } = this.#options
    const positions = this.#positions
    const partitions = [...this.#leaders].filter(([, leader]) => leader === nodeId).map(([partition]) => partition)
    const body = {
      maxWaitMs: MAX_WAIT_MS,
      minBytes: 1,
      sessionId: 0,
      topics: [
        {
          topicId,
          partitions: partitions.map(partition => ({
            partition,
            fetchOffset: positions[partition]!,
            partitionMaxBytes: 8192,
          })),
        },
      ],
      forgottenTopicsData: [],
    }
    const answer = await this.#client.ask(nodeId, Fetch, 16, body)
    ok(answer.errorCode === ErrorCode.NONE, `Fetch is answered with ${answer.errorCode}`)
    for (const { partitions } of answer.responses) for (const found of partitions) this.#take(positions, found)
  }

  #take(positions: number[], { partitionIndex, errorCode, highWatermark, records }: Answered): void {
    const history = this.#history.partition(this.#options.topicId, partitionIndex)
    if (errorCode !== ErrorCode.NONE) {
      this.#leaders = new Map()
      // It was acknowledged, or read below the high watermark: it must be in the log of whoever leads.
      ok(
        errorCode !== ErrorCode.OFFSET_OUT_OF_RANGE,
        `${history.name}: offset ${positions[partitionIndex]} is out of range, but everything before it was read`,
      )
      const isOfTopic = errorCode === ErrorCode.UNKNOWN_TOPIC_ID || errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      ok(isOfTopic || isRetriable(errorCode), `${history.name}: Fetch is answered with ${errorCode}`)
      return
    }
    if (records === null) return
    for (const at of eachBatch(records)) {
      // The last batch may be cut off.
      if (at + 61 > records.length || at + sizeOf(records, at) > records.length) return
      const batch = records.subarray(at, at + sizeOf(records, at))
      ok(isCrcValid(batch), `${history.name}: a batch is damaged`)
      for (const { offset, value } of readRecords(batch)) {
        const position = positions[partitionIndex]!
        if (offset < position) continue
        ok(offset === position, `${history.name}: offset ${position} is missing, ${offset} follows`)
        ok(
          offset < highWatermark,
          `${history.name}: offset ${offset} was read above the high watermark ${highWatermark}`,
        )
        this.#history.readsAt(history, offset, String(value).trimEnd())
        positions[partitionIndex] = position + 1
      }
    }
  }

  /** When it has read everything since `rewind`: all that must be there is there, once and in order. */
  check(): void {
    if (this.isGone) return
    for (const [partition, end] of this.#positions.entries()) {
      const place = this.#history.partition(this.#options.topicId, partition)
      this.#history.checkWhole(
        place,
        Array.from({ length: end }, (_, offset) => place.read.get(offset)!),
      )
    }
  }
}
