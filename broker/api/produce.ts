// Produce (0), v3-13. Appends record batches, one for each partition named.
// - acks=0 answers nothing and closes the connection on any error; acks=1 answers when the batch is stored under the topic's flush
//   policy, acks=all when the high watermark has passed it. Others: INVALID_REQUIRED_ACKS. Too few in sync: NOT_ENOUGH_REPLICAS before
//   the append, NOT_ENOUGH_REPLICAS_AFTER_APPEND when the time is up and it is so; a leader that stops leading: NOT_LEADER_OR_FOLLOWER.
// - Topics by name (v3-12: UNKNOWN_TOPIC_OR_PARTITION) or by id (v13: UNKNOWN_TOPIC_ID). Every partition has its own error.
// - A batch that an idempotent producer sends again is answered as a success with its first offset.
// - Errors that depend on the client's knowledge: zstd before v7 is UNSUPPORTED_COMPRESSION_TYPE; internal topics are refused to all
//   but Kafka's own admin client id; v10 and later name the right leader (KIP-951).
// - A partition named twice gets both batches, in order, and two answers; Kafka keeps the last one only and says nothing of the first.
// - Null records are INVALID_RECORD; Kafka 4.4 never answers.
// - Transactions (KIP-98, KIP-890): before the first batch of a transaction in a partition its coordinator is asked whether the partition is in
//   it; from v12 on it is added. Not added: INVALID_TXN_STATE, from v11 on TRANSACTION_ABORTABLE. An old epoch, or a fenced producer, is
//   INVALID_PRODUCER_EPOCH; an id that belongs to another producer INVALID_PRODUCER_ID_MAPPING. A coordinator that cannot be asked is
//   NOT_ENOUGH_REPLICAS, which every client retries; so is CONCURRENT_TRANSACTIONS before v12. Later batches of the producer wait for
//   the answer and keep their order. transaction.partition.verification.enable=false asks nothing before v12.
// - Transactional batches need a transactional id, or the whole request is TRANSACTIONAL_ID_AUTHORIZATION_FAILED; two producers in one
//   request are INVALID_PRODUCER_ID_MAPPING.
import { ZERO_UUID, type Uuid } from '../base/uuid.ts'
import { effectiveConfig } from '../metadata/config-entries.ts'
import { isInternalTopic, type MetadataImage, type TopicImage } from '../metadata/image.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import { Produce, type ProduceRequest } from '../protocol/messages/produce.ts'
import {
  compressionOf,
  HEADER_SIZE,
  isCompressionKnown,
  isTransactional,
  producerEpoch,
  producerId,
} from '../records/batch.ts'
import { LeaderClosedError, type AppendResult } from '../replication/append-result.ts'
import type { Leader } from '../replication/leader.ts'
import { hasEnoughReplicas } from '../replication/partition-state.ts'
import { produceOperation, type Refusal } from '../replication/transactions.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { Context } from './context.ts'
import { handler, Unsent, type Answer, type Call } from './handler.ts'
import { HeldBatches, mustWait } from './held-batches.ts'
import { LeaderHints, type LeaderHint } from './leader-hints.ts'

const ADMIN_CLIENT_ID = '__admin_client'
const FIRST_VERSION_WITH_ZSTD = 7
const FIRST_VERSION_WITH_HINTS = 10
const FIRST_VERSION_WITH_TOPIC_IDS = 13

type ProduceAnswer = Answer<typeof Produce>

/** The answer for one partition: made as a failure, completed as things go well. */
type PartitionResponse = {
  index: number
  errorCode: ErrorCode
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
  recordErrors: { batchIndex: number; batchIndexErrorMessage: string | null }[]
  errorMessage: string | null
  currentLeader: LeaderHint | undefined
  /** For the broker's own log. */
  cause: string | null
}

export const produce = handler(Produce, (request, context, call) => {
  const run = new ProduceRun(request, context, call)
  return run.start()
})

class ProduceRun {
  readonly #request: ProduceRequest
  readonly #context: Context
  readonly #call: Call
  readonly #image: MetadataImage
  readonly #pending: Promise<void>[] = []
  readonly #responses: { name: string; topicId: Uuid; partitionResponses: PartitionResponse[] }[] = []
  #hints: LeaderHints | null = null
  /** Null: nothing of the request waits for a transaction coordinator. */
  #held: HeldBatches | null = null

  constructor(request: ProduceRequest, context: Context, call: Call) {
    this.#request = request
    this.#context = context
    this.#call = call
    this.#image = context.image()
  }

  /** Stage one, for all partitions; what is left is to wait. */
  start(): ProduceAnswer | Promise<ProduceAnswer> {
    const nowMs = this.#context.clock.now()
    const refusal = refusalOfAll(this.#request)
    for (const { name, topicId, partitionData } of this.#request.topicData) {
      const topic = this.#topic(name, topicId)
      const partitionResponses: PartitionResponse[] = []
      for (const { index, records } of partitionData) {
        const response = unanswered(index)
        partitionResponses.push(response)
        if (refusal !== ErrorCode.NONE) response.errorCode = refusal
        else if (typeof topic === 'number') response.errorCode = topic
        else this.#appendTo(topic, response, records, nowMs)
      }
      if (partitionResponses.length > 0) this.#responses.push({ name, topicId, partitionResponses })
    }
    if (this.#held !== null) this.#pending.push(this.#held.run())
    if (this.#pending.length === 0) return this.#finish()
    if (this.#pending.length === 1) return this.#pending[0]!.then(() => this.#finish())
    return Promise.all(this.#pending).then(() => this.#finish())
  }

  #topic(name: string, topicId: Uuid): TopicImage | ErrorCode {
    if (this.#call.apiVersion < FIRST_VERSION_WITH_TOPIC_IDS) {
      return this.#image.topics.get(name) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    const known = topicId === ZERO_UUID ? undefined : this.#image.topicNames.get(topicId)
    if (known === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
    return this.#image.topics.get(known) ?? ErrorCode.UNKNOWN_TOPIC_ID
  }

  #appendTo(topic: TopicImage, response: PartitionResponse, records: Buffer | null, nowMs: number): void {
    if (topic.partitions[response.index] === undefined) {
      response.errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      return
    }
    if (this.#isRefused(topic, response, records)) return
    const leader = this.#context.replicas.leader(topic.topicId, response.index)
    if (typeof leader === 'number') {
      this.#fail(topic, response, leader)
      return
    }
    if (isTransactionalBatch(records!) && mustWait(leader, records!) && this.#asksCoordinator()) {
      this.#hold(topic, response, records!, leader)
      return
    }
    const stage = this.#appendBatch(topic, response, records!, leader, nowMs)
    if (stage !== null) this.#pending.push(stage)
  }

  /** Null when the partition is answered with that. */
  #appendBatch(
    topic: TopicImage,
    response: PartitionResponse,
    records: Buffer,
    leader: Leader,
    nowMs: number,
  ): Promise<void> | null {
    const appended = leader.append(records, this.#request.acks, nowMs)
    if (!hidesLogStart(appended.errorCode)) response.logStartOffset = leader.log.logStartOffset
    if (appended.errorCode !== ErrorCode.NONE) {
      refuse(response, appended)
      return null
    }
    response.errorCode = ErrorCode.NONE
    response.baseOffset = appended.baseOffset
    response.logAppendTimeMs = appended.logAppendTimeMs
    return this.#secondStage(topic, response, leader, appended)
  }

  #asksCoordinator(): boolean {
    if (produceOperation(this.#call.apiVersion) === 'add') return true
    const { config, brokerId } = this.#context
    return effectiveConfig(this.#image, brokerId, config).transactionPartitionVerificationEnable
  }

  #hold(topic: TopicImage, response: PartitionResponse, records: Buffer, leader: Leader): void {
    const { transactions, clock, replicas } = this.#context
    const operation = produceOperation(this.#call.apiVersion)
    this.#held ??= new HeldBatches(transactions, this.#request.transactionalId!, operation)
    this.#held.add({
      topic: topic.name,
      partition: response.index,
      leader,
      records,
      append: () => {
        const current = replicas.leader(topic.topicId, response.index)
        if (current === leader) return this.#appendBatch(topic, response, records, leader, clock.now())
        this.#fail(topic, response, typeof current === 'number' ? current : ErrorCode.NOT_LEADER_OR_FOLLOWER)
        return null
      },
      refuse: ({ errorCode, message }: Refusal) => {
        response.errorCode = errorCode
        response.errorMessage = message
      },
    })
  }

  /** What is wrong with a batch whoever leads its partition. */
  #isRefused(topic: TopicImage, response: PartitionResponse, records: Buffer | null): boolean {
    const { acks } = this.#request
    const { apiVersion, clientId } = this.#call
    if (acks !== 0 && acks !== 1 && acks !== -1) {
      response.errorCode = ErrorCode.INVALID_REQUIRED_ACKS
    } else if (records === null) {
      response.errorCode = ErrorCode.INVALID_RECORD
      response.errorMessage = 'The records of a partition must not be null'
    } else if (apiVersion < FIRST_VERSION_WITH_ZSTD && isZstd(records)) {
      response.errorCode = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
      response.errorMessage = `Produce requests with version ${apiVersion} may not use zstd`
    } else if (isInternalTopic(topic.name) && clientId !== ADMIN_CLIENT_ID) {
      response.errorCode = ErrorCode.INVALID_TOPIC_EXCEPTION
      response.errorMessage = `Cannot append to internal topic ${topic.name}`
    } else {
      return false
    }
    return true
  }

  #secondStage(
    topic: TopicImage,
    response: PartitionResponse,
    leader: Leader,
    appended: AppendResult,
  ): Promise<void> | null {
    const isAll = this.#request.acks === -1
    if (appended.stored === null) return isAll ? this.#awaitCommit(topic, response, leader, appended) : null
    return appended.stored.then(
      () => (isAll ? (this.#awaitCommit(topic, response, leader, appended) ?? undefined) : undefined),
      (error: unknown) => {
        response.baseOffset = response.logAppendTimeMs = -1
        response.cause = String(error)
        this.#fail(topic, response, errorCodeOf(error))
      },
    )
  }

  #awaitCommit(
    topic: TopicImage,
    response: PartitionResponse,
    leader: Leader,
    appended: AppendResult,
  ): Promise<void> | null {
    const outcome = leader.committed(appended.endOffset, this.#request.timeoutMs)
    if (outcome === ErrorCode.NONE) return null
    return Promise.resolve(outcome).then(errorCode => {
      if (errorCode === ErrorCode.NONE) return
      const isShort = errorCode === ErrorCode.REQUEST_TIMED_OUT && !hasEnoughReplicas(leader.state)
      this.#fail(topic, response, isShort ? ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND : errorCode)
    })
  }

  #fail(topic: TopicImage, response: PartitionResponse, errorCode: ErrorCode): void {
    response.errorCode = errorCode
    if (errorCode !== ErrorCode.NOT_LEADER_OR_FOLLOWER || this.#call.apiVersion < FIRST_VERSION_WITH_HINTS) return
    this.#hints ??= new LeaderHints(this.#call.connection.listenerName)
    response.currentLeader = this.#hints.add(this.#context.image(), topic.topicId, response.index)
  }

  #finish(): ProduceAnswer {
    if (this.#request.acks !== 0) {
      return { responses: this.#responses, nodeEndpoints: this.#hints === null ? undefined : this.#hints.endpoints }
    }
    const error = this.#firstError()
    if (error === null) return null
    this.#call.connection.close(`a Produce request with acks=0 failed: ${error}`)
    return new Unsent({ responses: this.#responses })
  }

  #firstError(): string | null {
    for (const { name, topicId, partitionResponses } of this.#responses) {
      for (const { index, errorCode } of partitionResponses) {
        if (errorCode !== ErrorCode.NONE) return `${errorName(errorCode)} for ${name || topicId}-${index}`
      }
    }
    return null
  }
}

function unanswered(index: number): PartitionResponse {
  return {
    index,
    errorCode: ErrorCode.UNKNOWN_SERVER_ERROR,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: [],
    errorMessage: null,
    currentLeader: undefined,
    cause: null,
  }
}

/** The refusals that Kafka answers without a log start offset. */
function hidesLogStart(errorCode: ErrorCode): boolean {
  const { MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, CORRUPT_MESSAGE } = ErrorCode
  return errorCode === MESSAGE_TOO_LARGE || errorCode === RECORD_LIST_TOO_LARGE || errorCode === CORRUPT_MESSAGE
}

function refuse(response: PartitionResponse, refused: AppendResult): void {
  response.errorCode = refused.errorCode
  response.errorMessage = refused.errorMessage
  for (const { batchIndex, message } of refused.recordErrors) {
    response.recordErrors.push({ batchIndex, batchIndexErrorMessage: message })
  }
}

/** Transactional records need a transactional id and one producer, or nothing of the request is taken. */
function refusalOfAll(request: ProduceRequest): ErrorCode {
  let first: Buffer | null = null
  for (const { partitionData } of request.topicData) {
    for (const { records } of partitionData) {
      if (records === null || !isTransactionalBatch(records)) continue
      if (request.transactionalId === null) return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
      first ??= records
      if (!isSameProducer(first, records)) return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    }
  }
  return ErrorCode.NONE
}

function isSameProducer(one: Buffer, other: Buffer): boolean {
  return producerId(one, 0) === producerId(other, 0) && producerEpoch(one, 0) === producerEpoch(other, 0)
}

function isTransactionalBatch(records: Buffer): boolean {
  return records.length >= HEADER_SIZE && isTransactional(records, 0)
}

function isZstd(records: Buffer): boolean {
  return records.length >= HEADER_SIZE && isCompressionKnown(records, 0) && compressionOf(records, 0) === 'zstd'
}

function errorCodeOf(error: unknown): ErrorCode {
  if (error instanceof StorageError) return ErrorCode.KAFKA_STORAGE_ERROR
  if (error instanceof LeaderClosedError) return error.errorCode
  throw error
}
