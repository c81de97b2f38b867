// What only the broker that leads the metadata log does: decides. Runs the decide functions of this folder over the image, appends what
// they emit, and answers when that is committed and every subscriber of this broker has seen it (loader.ts). Not here: the rules
// (topics.ts, configs.ts, brokers.ts), and who leads (quorum/, election/).
import { assert } from '../base/assert.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { topicConfig } from '../config/topic-config.ts'
import { Runtime, StateLostError } from '../machine/runtime.ts'
import { alterPartitions, type AlteredPartitions, type AlterPartitionDemand } from './alter-partition.ts'
import { allocateProducerIds, registerBroker, setFenced, unregisterBroker } from './brokers.ts'
import type { ProducerIdBlock, Registered, Registration } from './brokers.ts'
import { alterConfigs, incrementalAlterConfigs } from './configs.ts'
import type { AlterConfigsOptions, AlteredResource, ConfigOperations, ConfigReplacement } from './configs.ts'
import { alterClientQuotas, type AlteredQuota, type QuotaAlteration } from './client-quotas.ts'
import { electLeaders, type ElectedTopic, type TopicPartitions } from './elections.ts'
import { supportedFeatures } from './features.ts'
import type { MetadataImage, TopicImage } from './image.ts'
import type { Loader } from './loader.ts'
import type { MetadataLog } from './metadata-log.ts'
import { createPartitions } from './partitions.ts'
import type { ChargePartitions, CreatedPartitions, PartitionsToCreate } from './partitions.ts'
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

export type ControllerOptions = {
  readonly metadataLog: MetadataLog
  readonly loader: Loader
  readonly random: Random
  readonly log: Logger
  readonly config: BrokerConfig
  readonly clusterId: string
  /** This broker. */
  readonly brokerId: number
}

type Emit = (record: MetadataRecord) => void

type Creation = { readonly validateOnly: boolean; readonly charge?: ChargePartitions }

// A log this much longer than what it amounts to is replaced by a snapshot. Small enough that reading it stays a matter of
// milliseconds, large enough that writing snapshots costs little.
const SNAPSHOT_FACTOR = 3
const SNAPSHOT_MIN_RECORDS = 20_000

export class Controller {
  readonly #options: ControllerOptions
  readonly #runtime: Runtime<MetadataState, MetadataRecord, MetadataImage>
  #view: MetadataImage
  // The epoch in which this broker decides; null while another one does, or nobody.
  #epoch: number | null = null
  #reloading: Promise<void> | null = null
  // A batch was refused: nothing that builds on it may follow before the state was made anew.
  #isBroken = false
  #isCompacting = false

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#view = options.loader.image
    const append = (records: readonly MetadataRecord[]): Promise<void> => this.#append(records)
    const journal = {
      append,
      appendSnapshot: append,
      // The state begins with what the loader has applied, see `create`.
      replay: (): Promise<void> => {
        this.#isBroken = false
        return Promise.resolve()
      },
    }
    this.#runtime = new Runtime(journal, {
      create: (): MetadataState => ({ image: options.loader.image, edit: { kind: 'edit' } }),
      replay,
      view: state => (this.#view = seal(state)),
      onLost: cause => options.log.error({ err: cause }, 'What was decided is not committed: deciding starts anew'),
    })
  }

  /** The epoch in which this broker decides, or null when it does not. */
  get epoch(): number | null {
    return this.#runtime.isLoaded ? this.#epoch : null
  }

  /**
   * This broker leads the log in `epoch`. Resolves when it decides: its first record is committed then, and with it everything that
   * was in the log before (A13), so that no decision is made without what a leader before has answered (F14).
   */
  async lead(epoch: number): Promise<void> {
    this.resign()
    this.#epoch = epoch
    const { metadataLog, brokerId, log, loader } = this.#options
    const { latest } = metadataLog.log.leaderEpochs
    if (latest > epoch) {
      throw new Error(
        `the metadata log was led in epoch ${latest}, but the election record says ${epoch}: it is an old copy`,
      )
    }
    const started: MetadataRecord = { kind: 'controller-started', brokerId, epoch }
    const isEmpty = metadataLog.log.endOffset === 0
    const appended = metadataLog.append(isEmpty ? [...cluster(this.#options.clusterId), started] : [started])
    if (appended === null) throw new StateLostError('the metadata log does not take the first record of its leader')
    await appended.committed
    await this.#reload()
    const { topics, partitionCount, version } = loader.image
    log.info({ epoch, topics: topics.size, partitions: partitionCount, version }, 'Leading the cluster metadata')
  }

  /** This broker does not lead any more. Whoever waits for a decision learns that its outcome is not known. */
  resign(): void {
    this.#epoch = null
    this.#runtime.unload()
    this.#options.loader.forgetExpected()
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
    if (!this.#runtime.isLoaded) await this.#reload().catch(stateLost)
    const response = await this.#runtime.write((state, emit) => decide(state.image, emit))
    this.#compactIfLong()
    return response
  }

  // Requests ask for it, so a log that stays broken costs one attempt for each request and no timer.
  async #reload(): Promise<void> {
    this.#reloading ??= this.#load().finally(() => {
      this.#reloading = null
    })
    await this.#reloading
  }

  /** Begins to decide with everything that the log holds, committed. */
  async #load(): Promise<void> {
    const { metadataLog, loader } = this.#options
    const epoch = this.#epoch
    const { endOffset } = metadataLog.log
    if (epoch === null) throw new StateLostError('this broker is not the controller')
    await metadataLog.committed(endOffset)
    await loader.applied(endOffset)
    if (this.#epoch !== epoch) throw new StateLostError('this broker is not the controller any more')
    assert(metadataLog.log.endOffset === endOffset, 'only the controller appends to the metadata log')
    await this.#runtime.load()
  }

  async #append(records: readonly MetadataRecord[]): Promise<void> {
    const { metadataLog, loader } = this.#options
    if (this.#isBroken) throw new StateLostError('an earlier decision was not kept')
    if (records.length === 0) {
      // Nothing is answered that builds on what may still be lost.
      const { endOffset } = metadataLog.log
      await metadataLog.committed(endOffset)
      return loader.applied(endOffset)
    }
    const appended = metadataLog.append(records)
    if (appended === null) {
      this.#isBroken = true
      throw new StateLostError('the metadata log does not take records')
    }
    loader.expect({ ...appended, records, image: this.#view })
    try {
      await appended.committed
    } catch (cause) {
      this.#isBroken = true
      throw cause
    }
    await loader.applied(appended.endOffset)
  }

  #compactIfLong(): void {
    const { loader, log } = this.#options
    const { topics, partitionCount } = loader.image
    const limit = Math.max(SNAPSHOT_MIN_RECORDS, SNAPSHOT_FACTOR * (topics.size + partitionCount))
    if (this.#isCompacting || loader.logSize < limit) return
    this.#isCompacting = true
    this.#runtime
      .compact(state => snapshot(state.image))
      .catch((error: unknown) => log.error({ err: error }, 'Cannot shorten the metadata log'))
      .finally(() => {
        this.#isCompacting = false
      })
  }
}

function stateLost(cause: unknown): never {
  if (cause instanceof StateLostError) throw cause
  throw new StateLostError('the metadata log cannot be read', { cause })
}

/** What a new cluster begins with. */
function cluster(clusterId: string): MetadataRecord[] {
  const records: MetadataRecord[] = [{ kind: 'cluster-created', clusterId }]
  for (const { name, initialLevel } of supportedFeatures) {
    if (initialLevel > 0) records.push({ kind: 'feature-level-set', name, level: initialLevel })
  }
  return records
}
