// What every broker does with the metadata log: follows what is committed in it, record by record, to an image, and hands every image to
// whoever acts on it. Not here: who may append (controller.ts), and what is committed (quorum/).
import type { Logger } from '../base/log.ts'
import { supportedFeatures } from './features.ts'
import { emptyImage, type MetadataImage } from './image.ts'
import type { MetadataBatch, MetadataLog } from './metadata-log.ts'
import { Publisher, type Subscriber } from './publisher.ts'
import type { MetadataRecord } from './records.ts'
import { replay, seal, type MetadataState } from './replay.ts'

export type LoaderOptions = {
  readonly log: Logger
  readonly metadataLog: MetadataLog
  readonly clusterId: string
  /** The log cannot be read, or says what this broker does not understand: it must not go on with what it knows. */
  onFailed(error: Error): void
}

/** What the controller of this broker has appended, with the image that it makes: nothing has to be decoded and replayed again. */
export type OwnBatch = MetadataBatch & { readonly image: MetadataImage }

type Waiter = { readonly offset: number; resolve(): void; reject(error: Error): void }

export class Loader {
  readonly #options: LoaderOptions
  readonly #publisher = new Publisher()
  #state: MetadataState = { image: emptyImage, edit: { kind: 'edit' } }
  #position: number
  #isRunning = false
  #failure: Error | null = null
  #own: OwnBatch[] = []
  #waiters: Waiter[] = []
  #logSize = 0
  // What was applied since the last image that was published; null: nobody knows.
  #unpublished: MetadataRecord[] | null = null

  constructor(options: LoaderOptions) {
    this.#options = options
    this.#position = options.metadataLog.log.logStartOffset
    options.metadataLog.onCommitted(() => this.#run())
  }

  /** The newest committed image. */
  get image(): MetadataImage {
    return this.#publisher.image
  }

  /** Calls `subscriber` at once with everything, then after each commit that changed something, in order. Returns how to stop. */
  subscribe(subscriber: Subscriber): () => void {
    return this.#publisher.subscribe(subscriber)
  }

  /** Exclusive: what of the log is in the image. */
  get appliedOffset(): number {
    return this.#position
  }

  /** How much the log holds, in records and partition changes. */
  get logSize(): number {
    return this.#logSize
  }

  /** Resolves when every subscriber has seen everything below `offset`. Rejects when the log cannot be followed. */
  applied(offset: number): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (this.#position >= offset) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ offset, resolve, reject }))
  }

  /** The controller has appended a batch: it is used when it is committed. */
  expect(batch: OwnBatch): void {
    this.#own.push(batch)
  }

  /** This broker does not lead any more: where its batches were, others may be. */
  forgetExpected(): void {
    this.#own = []
  }

  #run(): void {
    if (this.#isRunning || this.#failure !== null) return
    this.#isRunning = true
    void this.#follow()
  }

  // Without a wait as long as the log has its end in memory, so that subscribers have seen a commit before anybody is answered.
  async #follow(): Promise<void> {
    const { metadataLog } = this.#options
    try {
      while (this.#position < metadataLog.highWatermark) {
        while (this.#own.length > 0 && this.#own[0]!.baseOffset < this.#position) this.#own.shift()
        const own = this.#own[0]
        if (own !== undefined && own.baseOffset === this.#position && own.endOffset <= metadataLog.highWatermark) {
          this.#own.shift()
          this.#applyOwn(own)
          continue
        }
        this.#skipDeleted()
        const read = metadataLog.read(this.#position)
        for (const batch of read instanceof Promise ? await read : read) this.#apply(batch)
      }
      this.#publish()
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error('the metadata log cannot be followed', { cause: error }))
    } finally {
      this.#isRunning = false
    }
  }

  // A log that was too far behind its leader's begins anew where that one has a snapshot.
  #skipDeleted(): void {
    const { logStartOffset } = this.#options.metadataLog.log
    if (logStartOffset <= this.#position) return
    this.#position = logStartOffset
    this.#unpublished = null
  }

  #apply({ baseOffset, endOffset, records }: MetadataBatch): void {
    // A leader that was deposed may have taken a batch of its own before.
    if (baseOffset < this.#position) return
    for (const record of records) replay(this.#state, record)
    // A snapshot may say what nobody here has seen happen.
    if (isSnapshot(records)) this.#unpublished = null
    else this.#unpublished?.push(...records)
    this.#noteApplied(baseOffset, endOffset, records)
  }

  #applyOwn({ baseOffset, endOffset, records, image }: OwnBatch): void {
    this.#state = { image, edit: null }
    seal(this.#state)
    if (!isSnapshot(records)) this.#unpublished?.push(...records)
    this.#noteApplied(baseOffset, endOffset, records)
  }

  #noteApplied(baseOffset: number, endOffset: number, records: readonly MetadataRecord[]): void {
    this.#position = endOffset
    if (isSnapshot(records)) {
      this.#logSize = 0
      this.#deleteBefore(baseOffset)
    }
    for (const record of records) this.#logSize += sizeOf(record)
  }

  // A snapshot is everything: whoever has it committed needs nothing of what was before.
  #deleteBefore(offset: number): void {
    const { metadataLog, log } = this.#options
    metadataLog.log
      .deleteRecordsBefore(offset)
      .catch((error: unknown) => log.error({ err: error }, 'Cannot shorten the metadata log'))
  }

  #publish(): void {
    const image = seal(this.#state)
    checkFits(image, this.#options.clusterId)
    const records = this.#unpublished
    this.#unpublished = []
    if (records === null) this.#publisher.publishAll(image)
    else if (records.length > 0) this.#publisher.publish(records, image)
    const waiters = this.#waiters
    this.#waiters = waiters.filter(({ offset }) => offset > this.#position)
    for (const waiter of waiters) if (waiter.offset <= this.#position) waiter.resolve()
  }

  #fail(error: Error): void {
    this.#failure = error
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
    this.#options.onFailed(error)
  }
}

function isSnapshot(records: readonly MetadataRecord[]): boolean {
  return records[0]?.kind === 'snapshot-started'
}

function checkFits(image: MetadataImage, clusterId: string): void {
  if (image.clusterId !== '' && image.clusterId !== clusterId) {
    throw new Error(`the metadata log belongs to the cluster ${image.clusterId}, but this broker is of ${clusterId}`)
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
