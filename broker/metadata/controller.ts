// The one broker that decides about the cluster's metadata: runs the decide functions of this folder over the metadata journal, and
// publishes every committed image. Not here: the rules (topics.ts, configs.ts, brokers.ts), and who is the controller (election/).
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { topicConfig } from '../config/topic-config.ts'
import type { Journal } from '../machine/journal.ts'
import { Runtime, StateLostError } from '../machine/runtime.ts'
import { alterPartitions, type AlteredPartitions, type AlterPartitionDemand } from './alter-partition.ts'
import { allocateProducerIds, registerBroker, setFenced, unregisterBroker } from './brokers.ts'
import type { ProducerIdBlock, Registered, Registration } from './brokers.ts'
import { alterConfigs, incrementalAlterConfigs } from './configs.ts'
import type { AlterConfigsOptions, AlteredResource, ConfigOperations, ConfigReplacement } from './configs.ts'
import { alterClientQuotas, type AlteredQuota, type QuotaAlteration } from './client-quotas.ts'
import { electLeaders, type ElectedTopic, type TopicPartitions } from './elections.ts'
import { supportedFeatures } from './features.ts'
import { emptyImage, type MetadataImage, type TopicImage } from './image.ts'
import { createPartitions } from './partitions.ts'
import type { ChargePartitions, CreatedPartitions, PartitionsToCreate } from './partitions.ts'
import { Publisher, type Subscriber } from './publisher.ts'
import { alterPartitionReassignments, type ReassignedTopic, type TopicReassignment } from './reassignments.ts'
import type { MetadataRecord } from './records.ts'
import type { Outcome } from './refusal.ts'
import { replay, seal, type MetadataState } from './replay.ts'
import { alterScramCredentials } from './scram-credentials.ts'
import type { AlteredCredential, CredentialDeletion, CredentialUpsertion } from './scram-credentials.ts'
import { snapshot } from './snapshot.ts'
import { createTopics, deleteTopics } from './topics.ts'
import type { CreatedTopic, DeletedTopic, TopicToCreate, TopicToDelete } from './topics.ts'
import { updateFeatures, type FeatureUpdate } from './update-features.ts'

export type { MetadataDelta, Subscriber } from './publisher.ts'

export type ControllerOptions = {
  readonly journal: Journal<MetadataRecord>
  readonly random: Random
  readonly log: Logger
  readonly config: BrokerConfig
  readonly clusterId: string
  /** This broker, and the epoch in which it was elected to be the controller. */
  readonly brokerId: number
  readonly epoch: number
}

type Emit = (record: MetadataRecord) => void

type Creation = { readonly validateOnly: boolean; readonly charge?: ChargePartitions }

// A log this much longer than what it amounts to is replaced by a snapshot. Small enough that reading it stays a matter of
// milliseconds, large enough that writing snapshots costs little.
const SNAPSHOT_FACTOR = 3
const SNAPSHOT_MIN_RECORDS = 20_000

export class Controller {
  readonly #options: ControllerOptions
  readonly #publisher = new Publisher()
  readonly #runtime: Runtime<MetadataState, MetadataRecord, MetadataImage>
  #reloading: Promise<void> | null = null
  // Set until the image that was rebuilt from the journal has been published.
  #isRebuilt = false
  // How much the journal holds, in records and partition changes.
  #journalSize = 0

  private constructor(options: ControllerOptions) {
    this.#options = options
    this.#runtime = new Runtime(options.journal, {
      create: (): MetadataState => {
        this.#journalSize = 0
        return { image: emptyImage, edit: { kind: 'edit' } }
      },
      replay: (state, record) => {
        this.#journalSize += sizeOf(record)
        replay(state, record)
      },
      view: seal,
      onCommitted: (records, image) => this.#publish(records, image),
      onLost: cause => options.log.error({ err: cause }, 'The metadata log failed: its state must be read again'),
    })
  }

  /** Reads the journal and takes office; resolves when that is committed. Rejects when the journal is of another cluster or cannot be read. */
  static async open(options: ControllerOptions): Promise<Controller> {
    const controller = new Controller(options)
    await controller.#load()
    return controller
  }

  /** The newest committed image. */
  get image(): MetadataImage {
    return this.#publisher.image
  }

  /** Calls `subscriber` at once with everything, then after each commit that changed something, in order. Returns how to stop. */
  subscribe(subscriber: Subscriber): () => void {
    return this.#publisher.subscribe(subscriber)
  }

  // All of these reject with StateLostError when the outcome is not known.

  createTopics(
    topics: readonly TopicToCreate[],
    options: Creation = { validateOnly: false },
  ): Promise<readonly CreatedTopic[]> {
    const { config, random } = this.#options
    return this.#write((image, emit) =>
      createTopics(
        image,
        topics,
        {
          ...options,
          random,
          defaultNumPartitions: config.numPartitions,
          defaultReplicationFactor: config.defaultReplicationFactor,
        },
        emit,
      ),
    )
  }

  deleteTopics(topics: readonly TopicToDelete[], charge?: ChargePartitions): Promise<readonly DeletedTopic[]> {
    return this.#write((image, emit) => deleteTopics(image, topics, emit, charge))
  }

  createPartitions(
    topics: readonly PartitionsToCreate[],
    options: Creation = { validateOnly: false },
  ): Promise<readonly CreatedPartitions[]> {
    const { random } = this.#options
    return this.#write((image, emit) => createPartitions(image, topics, { ...options, random }, emit))
  }

  incrementalAlterConfigs(
    resources: readonly ConfigOperations[],
    options: AlterConfigsOptions = { validateOnly: false },
  ): Promise<readonly AlteredResource[]> {
    return this.#write((image, emit) =>
      incrementalAlterConfigs(image, resources, { ...options, config: this.#options.config }, emit),
    )
  }

  alterConfigs(
    resources: readonly ConfigReplacement[],
    options: AlterConfigsOptions = { validateOnly: false },
  ): Promise<readonly AlteredResource[]> {
    return this.#write((image, emit) =>
      alterConfigs(image, resources, { ...options, config: this.#options.config }, emit),
    )
  }

  alterScramCredentials(
    deletions: readonly CredentialDeletion[],
    upsertions: readonly CredentialUpsertion[],
  ): Promise<readonly AlteredCredential[]> {
    return this.#write((image, emit) => alterScramCredentials(image, deletions, upsertions, emit))
  }

  alterClientQuotas(
    alterations: readonly QuotaAlteration[],
    options = { validateOnly: false },
  ): Promise<readonly AlteredQuota[]> {
    return this.#write((image, emit) => alterClientQuotas(image, alterations, options, emit))
  }

  electLeaders(electionType: number, partitions: readonly TopicPartitions[] | null): Promise<readonly ElectedTopic[]> {
    return this.#write((image, emit) => electLeaders(image, electionType, partitions, emit))
  }

  alterPartitionReassignments(topics: readonly TopicReassignment[]): Promise<readonly ReassignedTopic[]> {
    return this.#write((image, emit) => alterPartitionReassignments(image, topics, emit))
  }

  alterPartitions(demand: AlterPartitionDemand): Promise<AlteredPartitions> {
    return this.#write((image, emit) => alterPartitions(image, demand, emit))
  }

  updateFeatures(
    updates: readonly FeatureUpdate[],
    { validateOnly }: { validateOnly: boolean },
  ): Promise<readonly [Outcome]> {
    const options = { validateOnly, brokerId: this.#options.brokerId, supported: supportedFeatures }
    return this.#write((image, emit) => [updateFeatures(image, updates, options, emit)])
  }

  unregisterBroker(brokerId: number): Promise<readonly [Outcome]> {
    return this.#write((image, emit) => [unregisterBroker(image, brokerId, emit)])
  }

  registerBroker(registration: Registration): Promise<Registered> {
    const isRelaxed = (topic: TopicImage): boolean => {
      const { flushMessages, flushMs } = topicConfig(topic.configs, this.#options.config)
      return flushMessages > 1 && flushMs > 0
    }
    return this.#write((image, emit) => registerBroker(image, registration, isRelaxed, emit))
  }

  /** Fences a broker (it is not heard of) or lifts that. */
  setFenced(brokerId: number, brokerEpoch: number, isFenced: boolean): Promise<Outcome> {
    return this.#write((image, emit) => setFenced(image, brokerId, brokerEpoch, isFenced, emit))
  }

  /** A block of producer ids that nobody else gets: `first` up to and without `first + count`. For this broker unless said otherwise. */
  allocateProducerIds(brokerId?: number, brokerEpoch?: number): Promise<ProducerIdBlock> {
    const id = brokerId ?? this.#options.brokerId
    return this.#write((image, emit) => {
      const epoch = brokerEpoch ?? image.brokers.get(id)?.brokerEpoch ?? -1
      return allocateProducerIds(image, id, epoch, emit)
    })
  }

  async #write<T>(decide: (image: MetadataImage, emit: Emit) => T): Promise<T> {
    if (!this.#runtime.isLoaded) await this.#reload()
    const response = await this.#runtime.write((state, emit) => decide(state.image, emit))
    this.#compactIfLong()
    return response
  }

  // Requests ask for it, so a journal that stays broken costs one attempt for each request and no timer.
  async #reload(): Promise<void> {
    this.#reloading ??= this.#load().finally(() => {
      this.#reloading = null
    })
    try {
      await this.#reloading
    } catch (cause) {
      throw new StateLostError('the metadata log cannot be read', { cause })
    }
  }

  async #load(): Promise<void> {
    const { clusterId, brokerId, epoch, log } = this.#options
    const loaded = await this.#runtime.load()
    try {
      checkFits(loaded, clusterId, epoch)
    } catch (error) {
      this.#runtime.unload()
      throw error
    }
    this.#isRebuilt = true
    // Everything in the journal becomes visible together with this first record of ours (rule A13).
    await this.#runtime.write((state, emit) => {
      if (state.image.clusterId === '') createCluster(clusterId, emit)
      emit({ kind: 'controller-started', brokerId, epoch })
    })
    const { topics, partitionCount, version } = this.image
    log.info({ epoch, topics: topics.size, partitions: partitionCount, version }, 'Leading the cluster metadata')
  }

  #publish(records: readonly MetadataRecord[], image: MetadataImage): void {
    if (this.#isRebuilt) this.#publisher.publishAll(image)
    else this.#publisher.publish(records, image)
    this.#isRebuilt = false
  }

  #compactIfLong(): void {
    const { topics, partitionCount } = this.image
    const limit = Math.max(SNAPSHOT_MIN_RECORDS, SNAPSHOT_FACTOR * (topics.size + partitionCount))
    if (this.#journalSize < limit || this.#options.journal.appendSnapshot === undefined) return
    this.#journalSize = topics.size + partitionCount
    this.#runtime
      .compact(state => snapshot(state.image))
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'Cannot shorten the metadata log'))
  }
}

function createCluster(clusterId: string, emit: Emit): void {
  emit({ kind: 'cluster-created', clusterId })
  for (const { name, initialLevel } of supportedFeatures) {
    if (initialLevel > 0) emit({ kind: 'feature-level-set', name, level: initialLevel })
  }
}

function checkFits(image: MetadataImage, clusterId: string, epoch: number): void {
  if (image.clusterId !== '' && image.clusterId !== clusterId) {
    throw new Error(`the metadata log belongs to the cluster ${image.clusterId}, but this broker is of ${clusterId}`)
  }
  if (image.controllerEpoch > epoch) {
    throw new Error(
      `the metadata log was led in epoch ${image.controllerEpoch}, but the election record says ${epoch}: it is an old copy`,
    )
  }
  for (const [name, level] of image.features) {
    const feature = supportedFeatures.find(supported => supported.name === name)
    if (feature === undefined || level > feature.maxLevel || level < feature.minLevel) {
      throw new Error(
        `the cluster uses level ${level} of the feature ${name}, which this version of Flotilla does not support: ` +
          'start the version that wrote it, or a newer one',
      )
    }
  }
}

function sizeOf(record: MetadataRecord): number {
  if (record.kind === 'partitions-changed') return 1 + record.changes.length
  if (record.kind === 'topic-created') return 1 + record.partitions.length
  return 1
}
