// The partitions of this broker: topic id and number -> log and leader. Follows the metadata (it is a publisher's subscriber), so that
// logs exist for what is assigned here and leaders for what is led here; everything else about a partition is leader.ts and storage/.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Uuid } from '../base/uuid.ts'
import type { TopicConfig } from '../config/topic-config.ts'
import type { MetadataDelta } from '../metadata/publisher.ts'
import {
  emptyImage,
  NO_LEADER,
  topicById,
  type MetadataImage,
  type PartitionImage,
  type TopicImage,
} from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { LogDirectory } from '../storage/log-directory.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { Fetchers } from './fetchers.ts'
import { Follower } from './follower.ts'
import { Leader } from './leader.ts'
import type { PartitionState } from './partition-state.ts'
import { ParkingLimit } from './waiters.ts'

export type ReplicasOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly brokerId: number
  readonly logs: LogDirectory
  /** The configuration in force for a topic: its own over the broker's, dynamic broker settings included. */
  readonly topicConfig: (topic: TopicImage, image: MetadataImage) => TopicConfig
  /** Logs of partitions that are not in the metadata by nature: the metadata log itself. */
  readonly exemptTopicIds?: ReadonlySet<Uuid>
  /** Partitions that parked fetch requests may watch at once; above it a fetch is answered at once with what there is. */
  readonly maxWatchedPartitions?: number
}

/** What a broker that is not alone needs besides. */
export type Replication = {
  readonly fetchers: Fetchers
  /** The ISR of a partition led here may have to change. */
  readonly onIsrDue: (leader: Leader) => void
}

const DEFAULT_MAX_WATCHED_PARTITIONS = 1_000_000

/** A partition that is assigned to this broker. */
type Replica = {
  /** Null when it could not be created because the log directory has failed. */
  log: PartitionLog | null
  leader: Leader | null
  follower: Follower | null
  /** A follower has the log until nothing of it is on its way to the disk any more; only then there is another leader or follower. */
  isSettling: boolean
  /** As last known by whoever was leader or follower here; the log start when nobody was. */
  highWatermark: number
}

export class Replicas {
  readonly parkingLimit: ParkingLimit
  readonly #options: ReplicasOptions
  readonly #topics = new Map<Uuid, Replica[]>()
  #image: MetadataImage = emptyImage
  #replication: Replication | null = null

  constructor(options: ReplicasOptions) {
    this.#options = options
    this.parkingLimit = new ParkingLimit(options.maxWatchedPartitions ?? DEFAULT_MAX_WATCHED_PARTITIONS)
    options.logs.onOffline(() => this.#closeAll())
  }

  /**
   * The leader of a partition, or why there is none here: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, or
   * KAFKA_STORAGE_ERROR when the log of this replica is offline.
   */
  leader(topicId: Uuid, partition: number): Leader | ErrorCode {
    const replica = this.#topics.get(topicId)?.[partition]
    if (replica === undefined) {
      return topicById(this.#image, topicId)?.partitions[partition] === undefined
        ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        : ErrorCode.NOT_LEADER_OR_FOLLOWER
    }
    if (replica.log === null || replica.log.isOffline) return ErrorCode.KAFKA_STORAGE_ERROR
    return replica.leader ?? ErrorCode.NOT_LEADER_OR_FOLLOWER
  }

  /**
   * As `leader`, for those who only read: there still is one when the disk takes no writes any more. Records below the high watermark
   * are what they were.
   */
  reader(topicId: Uuid, partition: number): Leader | ErrorCode {
    const replica = this.#topics.get(topicId)?.[partition]
    if (replica?.leader && replica.log !== null && !replica.log.isUnreadable) return replica.leader
    return this.leader(topicId, partition)
  }

  /** Lets this broker follow others, from now on. Call it before the first image. */
  replicate(replication: Replication): void {
    this.#replication = replication
  }

  /** Partitions that are followed here. */
  *followers(): Generator<Follower> {
    for (const replicas of this.#topics.values()) {
      for (const replica of replicas) if (replica?.follower) yield replica.follower
    }
  }

  /** All partitions that are led here. */
  *leaders(): Generator<Leader> {
    for (const replicas of this.#topics.values()) {
      for (const replica of replicas) if (replica?.leader) yield replica.leader
    }
  }

  /** The publisher: makes this broker's partitions what `image` says. Give it to `loader.subscribe`. */
  readonly apply = (delta: MetadataDelta, image: MetadataImage): void => {
    this.#image = image
    for (const [topicId, topic] of delta.deletedTopics) this.#remove(topicId, topic.name)
    for (const topicId of delta.changedTopics) this.#reconcile(topicId)
    if (delta.changedBrokerConfigs.size > 0) {
      for (const topicId of this.#topics.keys()) if (!delta.changedTopics.has(topicId)) this.#reconcile(topicId)
    }
  }

  /**
   * Removes logs whose partition is not assigned to this broker any more (deleted while it was down). Call it once, when the image is
   * complete. An image without any topic removes nothing: that rather means that the metadata is not what it should be.
   */
  async removeStrays(): Promise<void> {
    const { logs, log, exemptTopicIds } = this.#options
    const strays: PartitionLog[] = []
    for (const stored of logs.logs()) {
      if (exemptTopicIds?.has(stored.topicId)) continue
      if (this.#topics.get(stored.topicId)?.[stored.partition] === undefined) strays.push(stored)
    }
    if (strays.length === 0) return
    const names = strays.map(({ topicName, partition, topicId }) => `${topicName}-${partition} (${topicId})`)
    if (this.#image.topics.size === 0) {
      log.error({ partitions: names }, 'The metadata knows no topic, but there are partition logs: keeping them')
      return
    }
    log.warn({ partitions: names }, 'Removing partition logs that the metadata does not assign to this broker')
    await Promise.all(strays.map(stray => logs.remove(stray.topicId, stray.partition)))
  }

  #reconcile(topicId: Uuid): void {
    const topic = topicById(this.#image, topicId)
    if (topic === undefined) return
    const { brokerId, topicConfig } = this.#options
    const config = topicConfig(topic, this.#image)
    let replicas = this.#topics.get(topicId)
    for (const partition of topic.partitions) {
      if (partition.replicas.includes(brokerId)) {
        if (replicas === undefined) this.#topics.set(topicId, (replicas = []))
        const replica = (replicas[partition.partition] ??= newReplica())
        this.#reconcilePartition(replica, topic, partition, config)
      } else if (replicas?.[partition.partition] !== undefined) {
        this.#drop(topicId, partition.partition, replicas[partition.partition]!, ErrorCode.NOT_LEADER_OR_FOLLOWER)
        delete replicas[partition.partition]
      }
    }
  }

  #reconcilePartition(replica: Replica, topic: TopicImage, partition: PartitionImage, config: TopicConfig): void {
    const log = (replica.log ??= this.#openLog(replica, topic, partition.partition, config))
    if (log === null) return
    log.configure(config)
    if (partition.leader === this.#options.brokerId) this.#lead(replica, log, topic, partition, config)
    else this.#follow(replica, log, topic, partition)
  }

  #lead(replica: Replica, log: PartitionLog, topic: TopicImage, partition: PartitionImage, config: TopicConfig): void {
    const { brokerId, clock } = this.#options
    const state = stateOf(brokerId, partition, config)
    if (replica.leader !== null) return replica.leader.update(state, config)
    if (replica.follower !== null) void this.#settle(replica, topic.topicId, partition.partition)
    if (replica.isSettling) return
    const { highWatermark } = replica
    const start =
      this.#replication === null ? { highWatermark } : { highWatermark, onIsrDue: this.#replication.onIsrDue }
    replica.leader = new Leader(clock, topic.name, log, state, config, start)
  }

  #follow(
    replica: Replica,
    log: PartitionLog,
    topic: TopicImage,
    { partition, leader, leaderEpoch }: PartitionImage,
  ): void {
    if (replica.leader !== null) {
      replica.highWatermark = replica.leader.highWatermark
      replica.leader.close(ErrorCode.NOT_LEADER_OR_FOLLOWER)
      replica.leader = null
    }
    const { follower } = replica
    if (follower !== null && (follower.leaderId !== leader || follower.leaderEpoch !== leaderEpoch)) {
      void this.#settle(replica, topic.topicId, partition)
    }
    if (this.#replication === null || replica.follower !== null || replica.isSettling || leader === NO_LEADER) return
    const next = new Follower(this.#options.log, log, { leaderId: leader, leaderEpoch }, replica.highWatermark)
    replica.follower = next
    void this.#start(next)
  }

  async #start(follower: Follower): Promise<void> {
    try {
      await follower.start()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const { topicName: topic, partition } = follower.log
      this.#options.log.error({ topic, partition, error }, 'Cannot follow with a log that has failed')
      return
    }
    if (!follower.isClosed) this.#replication?.fetchers.add(follower)
  }

  /** Ends the follower of a partition, and then makes the replica what the newest image says. */
  async #settle(replica: Replica, topicId: Uuid, partition: number): Promise<void> {
    const follower = replica.follower!
    replica.isSettling = true
    replica.follower = null
    this.#replication?.fetchers.remove(follower)
    await follower.close()
    replica.highWatermark = follower.highWatermark
    replica.isSettling = false
    if (this.#topics.get(topicId)?.[partition] !== replica) return
    this.#reconcile(topicId)
  }

  #openLog(replica: Replica, topic: TopicImage, partition: number, config: TopicConfig): PartitionLog | null {
    const { logs, log } = this.#options
    try {
      const opened = logs.log(topic.topicId, partition) ?? logs.create(topic.topicId, partition, topic.name, config)
      opened.onAdvance(() => replica.leader?.advance())
      return opened
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      log.error({ topic: topic.name, partition, error }, 'Cannot create the log of a partition')
      return null
    }
  }

  #remove(topicId: Uuid, topicName: string): void {
    const replicas = this.#topics.get(topicId)
    if (replicas === undefined) return
    this.#topics.delete(topicId)
    this.#options.log.info({ topic: topicName, topicId }, 'Removing the partitions of a deleted topic')
    for (const [partition, replica] of replicas.entries()) {
      if (replica !== undefined) this.#drop(topicId, partition, replica, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    }
  }

  // A removal that fails leaves a log behind that is a stray at the next start; the log directory itself is then offline.
  #drop(topicId: Uuid, partition: number, replica: Replica, errorCode: ErrorCode): void {
    replica.leader?.close(errorCode)
    replica.leader = null
    if (replica.follower !== null) {
      this.#replication?.fetchers.remove(replica.follower)
      void replica.follower.close()
      replica.follower = null
    }
    const { logs, log } = this.#options
    logs.remove(topicId, partition).catch((error: unknown) => {
      log.error({ topicId, partition, error }, 'Cannot remove the log of a partition')
    })
  }

  #closeAll(): void {
    for (const leader of this.leaders()) leader.close(ErrorCode.KAFKA_STORAGE_ERROR)
  }
}

function newReplica(): Replica {
  return { log: null, leader: null, follower: null, isSettling: false, highWatermark: 0 }
}

function stateOf(brokerId: number, partition: PartitionImage, config: TopicConfig): PartitionState {
  return {
    brokerId,
    leaderEpoch: partition.leaderEpoch,
    partitionEpoch: partition.partitionEpoch,
    replicas: partition.replicas,
    isr: partition.isr,
    minInsyncReplicas: config.minInsyncReplicas,
  }
}
