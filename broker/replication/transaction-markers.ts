// Writes end-transaction markers to the partitions that this broker leads: for the transaction coordinator, which asks without a socket when
// it lives here, and for WriteTxnMarkers. As Kafka's KafkaApis.handleWriteTxnMarkersRequest: a marker counts when it is replicated, and
// those of `__consumer_offsets` go through the group coordinator.
import type { Clock } from '../base/clock.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { StorageError } from '../storage/storage-error.ts'
import { LeaderClosedError } from './append-result.ts'
import type { Leader } from './leader.ts'
import type { Replicas } from './replicas.ts'
import type { EndTransaction, MarkerKeeper, MarkerWriter } from './transactions.ts'

export type TransactionMarkersOptions = {
  readonly clock: Clock
  readonly replicas: Pick<Replicas, 'leader'>
  readonly image: () => MetadataImage
  /** How long a marker may take to be replicated: request.timeout.ms. */
  readonly timeoutMs: number
}

export class TransactionMarkers implements MarkerWriter {
  readonly #options: TransactionMarkersOptions
  readonly #keepers = new Map<string, MarkerKeeper>()

  constructor(options: TransactionMarkersOptions) {
    this.#options = options
  }

  /** Markers for the partitions of `topic` go to `keeper`, who appends them. */
  keep(topic: string, keeper: MarkerKeeper): void {
    this.#keepers.set(topic, keeper)
  }

  async write(topic: string, partition: number, end: EndTransaction): Promise<ErrorCode> {
    const { clock, replicas, image, timeoutMs } = this.#options
    const known = image().topics.get(topic)
    if (known?.partitions[partition] === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    const leader = replicas.leader(known.topicId, partition)
    if (typeof leader === 'number') return leader
    const keeper = this.#keepers.get(topic)
    if (keeper !== undefined) return keptBy(keeper, partition, leader, end)
    const { errorCode, stored, endOffset } = leader.appendMarker(end, clock.now())
    return errorCode === ErrorCode.NONE ? replicated(leader, stored, endOffset, timeoutMs) : errorCode
  }
}

async function keptBy(
  keeper: MarkerKeeper,
  partition: number,
  leader: Leader,
  end: EndTransaction,
): Promise<ErrorCode> {
  const verdict = leader.log.producers.checkMarker(end)
  if (verdict.kind === 'error') return verdict.errorCode
  const { producerId, producerEpoch, coordinatorEpoch, isCommit } = end
  const result = isCommit ? 'commit' : 'abort'
  return translated(
    await keeper.completeTransaction(partition, { producerId, producerEpoch, coordinatorEpoch, result }),
  )
}

async function replicated(
  leader: Leader,
  stored: Promise<unknown> | null,
  endOffset: number,
  timeoutMs: number,
): Promise<ErrorCode> {
  try {
    await stored
  } catch (error) {
    if (error instanceof LeaderClosedError) return error.errorCode
    if (error instanceof StorageError) return ErrorCode.KAFKA_STORAGE_ERROR
    throw error
  }
  return leader.committed(endOffset, timeoutMs)
}

/** Transaction coordinators expect the errors of a log: a keeper that is not ready is one that does not lead yet. */
function translated(errorCode: ErrorCode): ErrorCode {
  switch (errorCode) {
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
    case ErrorCode.NOT_COORDINATOR:
      return ErrorCode.NOT_LEADER_OR_FOLLOWER
    default:
      return errorCode
  }
}
