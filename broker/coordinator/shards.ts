// The partitions of one internal topic that this broker leads, each with its state machine. Follows the metadata (it is a publisher's
// subscriber, behind replication/replicas.ts): a shard is loaded when this broker becomes the leader and dropped when it stops, when
// the leader epoch changes, or when the topic is deleted. Not here: what the machines do.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Uuid } from '../base/uuid.ts'
import type { MetadataDelta } from '../metadata/publisher.ts'
import { NO_LEADER, emptyImage, type MetadataImage, type TopicImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { LeaderClosedError } from '../replication/append-result.ts'
import type { Leader } from '../replication/leader.ts'
import { replicatedJournal, type RecordCodec } from '../replication/replicated-journal.ts'
import type { InternalTopic } from './internal-topic.ts'
import { partitionOfKey } from './partition-of-key.ts'
import { Shard, type ShardMachine } from './shard.ts'

export type ShardsOptions<State, R, M extends ShardMachine<State, R>> = {
  readonly clock: Clock
  readonly log: Logger
  readonly brokerId: number
  readonly topicName: InternalTopic
  /** `replicas.leader`. */
  readonly leader: (topicId: Uuid, partition: number) => Leader | ErrorCode
  readonly codec: RecordCodec<R>
  readonly machine: (partition: number, leaderEpoch: number) => M
  /** How long an answer may wait until its records are committed. */
  readonly commitTimeoutMs: number
}

type Led<Kept> = { readonly topicId: Uuid; readonly leaderEpoch: number; readonly shard: Kept }

/** Partitions that are read at the same time: enough to keep a disk busy, few enough to bound the memory. */
const MAX_LOADING = 4

export class Shards<State, R, M extends ShardMachine<State, R> = ShardMachine<State, R>> {
  readonly #options: ShardsOptions<State, R, M>
  readonly #led = new Map<number, Led<Shard<State, R, M>>>()
  readonly #waiting: Shard<State, R, M>[] = []
  readonly #idlers: (() => void)[] = []
  #loading = 0
  #image: MetadataImage = emptyImage

  constructor(options: ShardsOptions<State, R, M>) {
    this.#options = options
  }

  /** The topic, once it exists. */
  get topic(): TopicImage | undefined {
    return this.#image.topics.get(this.#options.topicName)
  }

  /** The partition that keeps `key`; -1 while the topic does not exist. */
  partitionOf(key: string): number {
    const { topic } = this
    return topic === undefined ? -1 : partitionOfKey(key, topic.partitions.length)
  }

  /**
   * The state machine that keeps `key`, or what a request for it is answered with: COORDINATOR_NOT_AVAILABLE without a topic or leader,
   * NOT_COORDINATOR when another broker leads, COORDINATOR_LOAD_IN_PROGRESS.
   */
  find(key: string): Shard<State, R, M> | ErrorCode {
    return this.at(this.partitionOf(key))
  }

  /** As `find`, by partition. */
  at(partition: number): Shard<State, R, M> | ErrorCode {
    const image = this.topic?.partitions[partition]
    if (image === undefined || image.leader === NO_LEADER) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    const led = this.#led.get(partition)
    if (led === undefined) return ErrorCode.NOT_COORDINATOR
    const { errorCode } = led.shard
    return errorCode === ErrorCode.NONE ? led.shard : errorCode
  }

  /** All that are led here, also those that are loading. */
  *all(): Generator<Shard<State, R, M>> {
    for (const { shard } of this.#led.values()) yield shard
  }

  /** Resolves when nothing is being loaded. */
  idle(): Promise<void> {
    if (this.#loading === 0 && this.#waiting.length === 0) return Promise.resolve()
    return new Promise(resolve => void this.#idlers.push(resolve))
  }

  /** The publisher's subscriber: subscribe it after the replicas, whose leaders it needs. */
  readonly apply = (delta: MetadataDelta, image: MetadataImage): void => {
    const before = this.topic
    this.#image = image
    const after = this.topic
    if (before !== undefined && before.topicId !== after?.topicId) this.#closeAll(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    if (after !== undefined && delta.changedTopics.has(after.topicId)) this.#reconcile(after)
  }

  /** The broker stops: nothing is answered any more. */
  close(): void {
    this.#closeAll(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  }

  #reconcile(topic: TopicImage): void {
    const { brokerId } = this.#options
    for (const { partition, leader, leaderEpoch } of topic.partitions) {
      const led = this.#led.get(partition)
      // A new epoch of this broker is a new reign: others may have led in between.
      if (led !== undefined && (leader !== brokerId || led.leaderEpoch !== leaderEpoch)) {
        this.#led.delete(partition)
        led.shard.close()
      }
      if (leader !== brokerId || this.#led.has(partition)) continue
      const shard = this.#newShard(topic, partition, leaderEpoch)
      this.#led.set(partition, { topicId: topic.topicId, leaderEpoch, shard })
      this.#waiting.push(shard)
    }
    this.#loadNext()
  }

  #loadNext(): void {
    while (this.#loading < MAX_LOADING) {
      const shard = this.#waiting.shift()
      if (shard === undefined) break
      if (shard.errorCode !== ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) continue
      this.#loading++
      void shard.load().finally(() => {
        this.#loading--
        this.#loadNext()
      })
    }
    if (this.#loading === 0) for (const resolve of this.#idlers.splice(0)) resolve()
  }

  #newShard({ topicId, name }: TopicImage, partition: number, leaderEpoch: number): Shard<State, R, M> {
    const { clock, log, leader, codec, machine, commitTimeoutMs } = this.#options
    return new Shard<State, R, M>({
      clock,
      log,
      topicName: name,
      partition,
      machine: machine(partition, leaderEpoch),
      journal: signal => {
        const leading = leader(topicId, partition)
        if (typeof leading === 'number') throw new LeaderClosedError(leading)
        return replicatedJournal(codec, { clock, leader: leading, signal })
      },
      refusal: () => {
        const leading = leader(topicId, partition)
        return typeof leading === 'number' ? leading : leading.ownRefusal
      },
      commitTimeoutMs,
    })
  }

  #closeAll(errorCode: ErrorCode): void {
    const led = [...this.#led.values()]
    this.#led.clear()
    this.#waiting.length = 0
    for (const { shard } of led) shard.close(errorCode)
  }
}
