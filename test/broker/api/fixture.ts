// A broker without sockets for tests of handlers: the real controller, replicas and sessions over partition logs in memory. A request
// goes through the codec both ways, so a field that the version cannot carry fails here too.
import type { Context } from '../../../broker/api/context.ts'
import { FetchSessions } from '../../../broker/api/fetch-session.ts'
import { Unsent, type Call, type Handler } from '../../../broker/api/handler.ts'
import { ProducerIds } from '../../../broker/api/producer-ids.ts'
import { Quotas, quotaWindows } from '../../../broker/api/quotas.ts'
import { silentLogger } from '../../../broker/base/log.ts'
import type { Uuid } from '../../../broker/base/uuid.ts'
import { openTransactions } from '../../../broker/coordinator/transaction/open.ts'
import { parseBrokerConfig, withDynamicConfig, type BrokerConfig } from '../../../broker/config/broker-config.ts'
import { topicConfig } from '../../../broker/config/topic-config.ts'
import { GroupCoordinator } from '../../../broker/coordinator/group/group-coordinator.ts'
import type { Controller } from '../../../broker/metadata/controller.ts'
import type { MetadataImage } from '../../../broker/metadata/image.ts'
import type { Loader } from '../../../broker/metadata/loader.ts'
import { decodeRequest, decodeResponse } from '../../../broker/protocol/compile.ts'
import {
  encodeRequest,
  encodeResponse,
  readRequestHeader,
  readResponseHeader,
} from '../../../broker/protocol/header.ts'
import type { Api, RequestInit, ResponseOf } from '../../../broker/protocol/schema.ts'
import { buildBatch, type BatchInit } from '../../../broker/records/batch.ts'
import type { MarkerWriter } from '../../../broker/replication/transactions.ts'
import { Replicas } from '../../../broker/replication/replicas.ts'
import { TransactionMarkers } from '../../../broker/replication/transaction-markers.ts'
import type { TransactionGate } from '../../../broker/replication/transactions.ts'
import type { LogDirectory } from '../../../broker/storage/log-directory.ts'
import { manualClock, type ManualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'
import { openLocalMetadata } from '../metadata/local-metadata.ts'
import { MemoryLogDirectory, type MemoryLog } from '../replication/memory-log.ts'

export const BROKER_ID = 1
export const LISTENER = 'PLAINTEXT'

export type TestBroker = {
  readonly context: Context
  readonly clock: ManualClock
  readonly logs: MemoryLogDirectory
  /** Where the controller writes. */
  readonly metadataLog: MemoryLog
  /** Creates a topic with one replica for each partition, on this broker unless said otherwise. */
  createTopic(name: string, options?: TopicOptions): Promise<Uuid>
  log(name: string, partition?: number): MemoryLog
  /** The decoded answer; null, whatever the type says, when none is sent. Rejects when the handler does. */
  ask<A extends Api>(
    api: A,
    handler: Handler,
    version: number,
    request: RequestInit<A>,
    options?: AskOptions,
  ): Promise<ResponseOf<A>>
}

export type TopicOptions = {
  readonly partitions?: number
  readonly configs?: Readonly<Record<string, string>>
  /** Brokers by partition, instead of `partitions`. */
  readonly assignments?: readonly (readonly number[])[]
}

export type AskOptions = {
  readonly clientId?: string | null
  readonly signal?: AbortSignal
  readonly onClose?: (reason: string) => void
  /** `User:ANONYMOUS` when left out. */
  readonly principal?: string
  /** What the connection grants for the answer. */
  readonly grant?: (wantBytes: number) => number
}

export type TestBrokerOptions = {
  readonly config?: Readonly<Record<string, string>>
  readonly maxFetchSessions?: number
  readonly maxWatchedPartitions?: number
  /** Instead of logs in memory; `logs` and `log` of the fixture are of no use then. */
  readonly logDirectory?: LogDirectory
  readonly clock?: ManualClock
  /** Instead of the coordinator of the fixture. */
  readonly transactions?: TransactionGate
  /** Instead of writing markers to the logs of the fixture. */
  readonly markerWriter?: MarkerWriter
  /** Whether transactions time out and transactional ids expire. */
  readonly sweepsTransactions?: boolean
}

export async function testBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const config = brokerConfig(options.config ?? {})
  const clock = options.clock ?? manualClock()
  const next = seededNumbers(1)
  const random = { next, bytes: (size: number) => Buffer.from(Array.from({ length: size }, () => next() * 256)) }
  const metadata = await openLocalMetadata({ random, config, clusterId: 'cluster', brokerId: BROKER_ID })
  const { controller, loader } = metadata
  for (const brokerId of [BROKER_ID, 2]) await registerBroker({ controller, loader }, brokerId)
  const logs = new MemoryLogDirectory()
  const logDirectory = options.logDirectory ?? logs.asLogDirectory
  const replicas = new Replicas({
    clock,
    log: silentLogger,
    brokerId: BROKER_ID,
    logs: logDirectory,
    topicConfig: (topic, image) =>
      topicConfig(topic.configs, withDynamicConfig(config, image.brokerConfigs.get('') ?? new Map(), new Map()).config),
    ...(options.maxWatchedPartitions === undefined ? {} : { maxWatchedPartitions: options.maxWatchedPartitions }),
  })
  loader.subscribe(replicas.apply)
  const groups = new GroupCoordinator({
    clock,
    random,
    log: silentLogger,
    brokerId: BROKER_ID,
    config,
    leader: (topicId, partition) => replicas.leader(topicId, partition),
  })
  loader.subscribe(groups.apply)
  const producerIds = new ProducerIds({ allocate: () => controller.allocateProducerIds() })
  const image = (): MetadataImage => loader.image
  const transactionMarkers = new TransactionMarkers({ clock, replicas, image, timeoutMs: 30_000 })
  transactionMarkers.keep('__consumer_offsets', groups)
  const { coordinator: transactionCoordinator } = openTransactions({
    clock,
    log: silentLogger,
    config,
    loader,
    replicas,
    writer: options.markerWriter ?? transactionMarkers,
    nextProducerId: () => producerIds.next(),
  })
  // Its timers run for ever, and most tests are about other timers.
  if (options.sweepsTransactions !== true) transactionCoordinator.close()
  const context: Context = {
    clock,
    random,
    log: silentLogger,
    config,
    brokerId: BROKER_ID,
    clusterId: 'cluster',
    controller,
    loader,
    image,
    replicas,
    logs: logDirectory,
    fetchSessions: new FetchSessions({ clock, random, maxSessions: options.maxFetchSessions ?? 100 }),
    quotas: new Quotas({ clock, image, ...quotaWindows(config) }),
    groups,
    transactions: options.transactions ?? transactionCoordinator,
    transactionCoordinator,
    transactionMarkers,
    producerIds,
    apis: new Map(),
  }
  return {
    context,
    clock,
    logs,
    metadataLog: metadata.log,
    createTopic: (name, topic) => createTopic(controller, name, topic),
    log: (name, partition = 0) => logs.log(loader.image.topics.get(name)!.topicId, partition)!,
    ask: (api, handler, version, request, asked) => ask(context, api, handler, version, request, asked),
  }
}

export function brokerConfig(values: Readonly<Record<string, string>>): BrokerConfig {
  const parsed = parseBrokerConfig(new Map(Object.entries(values)))
  if (!('config' in parsed)) throw new Error(parsed.errors.join('\n'))
  return parsed.config
}

/** Starts a broker again, as the controller sees it: what it led gets a new leader epoch, and another leader where there is one. */
export async function registerBroker(
  { controller, loader }: { readonly controller: Controller; readonly loader: Loader },
  brokerId: number,
): Promise<void> {
  const { errorCode } = await controller.registerBroker({
    brokerId,
    incarnation: `incarnation-${loader.image.version}`,
    directoryId: Buffer.alloc(16, brokerId).toString('base64url'),
    rack: null,
    listeners: [{ name: LISTENER, host: `broker-${brokerId}`, port: 9092, securityProtocol: 'PLAINTEXT' }],
    isFenced: false,
    previousBrokerEpoch: loader.image.brokers.get(brokerId)?.brokerEpoch ?? -1,
  })
  if (errorCode !== 0) throw new Error(`cannot register broker ${brokerId}: ${errorCode}`)
}

async function createTopic(controller: Controller, name: string, options: TopicOptions = {}): Promise<Uuid> {
  const assignments = options.assignments ?? Array.from({ length: options.partitions ?? 1 }, () => [BROKER_ID])
  const [created] = await controller.createTopics([
    {
      name,
      numPartitions: -1,
      replicationFactor: -1,
      assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
      configs: Object.entries(options.configs ?? {}).map(([key, value]) => ({ name: key, value })),
    },
  ])
  if (created!.errorCode !== 0) throw new Error(`cannot create topic ${name}: ${created!.errorMessage}`)
  return created!.topicId
}

async function ask<A extends Api>(
  context: Context,
  api: A,
  handler: Handler,
  version: number,
  request: RequestInit<A>,
  options: AskOptions = {},
): Promise<ResponseOf<A>> {
  const clientId = options.clientId === undefined ? 'test' : options.clientId
  const frame = Buffer.concat(encodeRequest(api, version, 7, clientId, request)).subarray(4)
  const header = readRequestHeader(frame, () => api)
  const call: Call = {
    apiKey: api.key,
    apiVersion: version,
    clientId,
    connection: {
      id: 'test',
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      listenerName: LISTENER,
      principal: options.principal ?? 'User:ANONYMOUS',
      throttle: () => {},
      close: reason => options.onClose?.(reason),
    },
    signal: options.signal ?? new AbortController().signal,
    reserveResponse: options.grant ?? (wantBytes => wantBytes),
    throttleMs: 0,
  }
  const answer = await handler.handle(decodeRequest(api, version, frame, header.bodyAt), context, call)
  if (answer === null || answer instanceof Unsent) return null as never
  const response = Buffer.concat(encodeResponse(api, version, 7, answer as never)).subarray(4)
  return decodeResponse(api, version, response, readResponseHeader(api, version, response).bodyAt)
}

/** Settles once all promises that are ready have run. */
export function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** A batch of records with a key and these values, at the fixture's time. */
export function batchOf(values: readonly string[], init: Partial<BatchInit> & { timestamp?: number } = {}): Buffer {
  const { timestamp = 1_700_000_000_000, ...rest } = init
  return buildBatch({
    ...rest,
    records: values.map(value => ({ timestamp, key: Buffer.from('k'), value: Buffer.from(value) })),
  })
}
