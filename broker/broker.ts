// The composition root: builds every part of a broker by hand, in order, and stops them in the opposite order. The only file
// that knows all parts. The process around it (configuration, signals, exit codes) is main.ts.
import { join } from 'node:path'
import { assert, AssertionError } from './base/assert.ts'
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/log.ts'
import type { Random } from './base/random.ts'
import { tcpTransport, type Transport } from './base/transport.ts'
import { UserError, userErrorIn } from './base/user-error.ts'
import { randomUuid } from './base/uuid.ts'
import type { Context } from './api/context.ts'
import { Dispatcher } from './api/dispatch.ts'
import { FetchSessions } from './api/fetch-session.ts'
import { apis } from './api/index.ts'
import { ProducerIds } from './api/producer-ids.ts'
import { Quotas, quotaWindows } from './api/quotas.ts'
import type { BrokerConfig, ListenerConfig } from './config/broker-config.ts'
import { topicConfig, type TopicConfig } from './config/topic-config.ts'
import { serveHttp } from './http/server.ts'
import { routes } from './http/index.ts'
import { openCoordinators } from './api/open-coordinators.ts'
import { effectiveConfig } from './metadata/config-entries.ts'
import { Controller } from './metadata/controller.ts'
import { takeOffice } from './metadata/election/candidate.ts'
import { openDurableEpoch } from './metadata/election/durable-epoch.ts'
import { birthRecord, candidateId, type Election } from './metadata/election/election.ts'
import { fileElection } from './metadata/election/file-election.ts'
import type { Listener, MetadataImage, TopicImage } from './metadata/image.ts'
import { Loader } from './metadata/loader.ts'
import { MetadataLog } from './metadata/metadata-log.ts'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from './metadata/topic-names.ts'
import { createMetrics } from './metrics.ts'
import { ErrorCode } from './protocol/errors.ts'
import { Replicas } from './replication/replicas.ts'
import type { ConnectionShared } from './server/connection.ts'
import { ConnectionRates } from './server/connection-rates.ts'
import { connectionLimits, Connections } from './server/listener.ts'
import { cannotListen, openListeners, type Doors } from './server/doors.ts'
import { MemoryBound } from './server/memory-bound.ts'
import { shareOpenFiles, type OpenFileShares } from './server/open-files.ts'
import { RequestMemory } from './server/request-memory.ts'
import { openDataDirectory, type DataDirectory } from './storage/data-directory.ts'
import { nodeFiles, type Files } from './storage/files.ts'
import type { LockFolder } from './storage/folder-lock.ts'
import { defaultLogLimits, LogDirectory, type LogLimits } from './storage/log-directory.ts'
import { rocksStores } from './storage/rocks-store.ts'
import { logFolders } from './storage/segment.ts'
import type { Stores } from './storage/store.ts'

export type BrokerParts = {
  readonly config: BrokerConfig
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** How many files this process may have open, connections included; no bound when left out. */
  readonly maxOpenFiles?: number
  // The outside, this machine's where it is left out. A simulation brings all of it.
  readonly transport?: Transport
  readonly files?: Files
  readonly stores?: Stores
  readonly lockFolder?: LockFolder
  /** Where the election record is; whoever passes it has created the record. A file in the data directory when left out. */
  readonly election?: Election
}

export type Broker = {
  /** Where the first listener listens. */
  readonly address: { readonly host: string; readonly port: number }
  /** -1 when HTTP is off. */
  readonly httpPort: number
  readonly clusterId: string
  /** Ends connections after what they have in progress, flushes, and leaves a clean directory. */
  stop(): Promise<void>
  /** Resolves when the log directory has failed: the broker then only serves reads from memory. */
  readonly failed: Promise<Error>
}

const END_CONNECTIONS_MS = 2_000
/** The metadata log is bounded by snapshots, not by retention, and flushed whatever the broker's defaults say. */
const METADATA_LOG_CONFIGS = new Map([
  ['retention.ms', '-1'],
  ['retention.bytes', '-1'],
  ['flush.messages', '1'],
])

/** Starts a broker. Rejects with a UserError where a person can help: a taken port, a foreign or locked directory, a bad record. */
export async function startBroker(parts: BrokerParts): Promise<Broker> {
  const undo: (() => Promise<void> | void)[] = []
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step()
  }
  try {
    return { ...(await build(parts, step => undo.push(step))), stop }
  } catch (error) {
    await stop().catch((cause: unknown) => parts.log.warn({ err: cause }, 'could not undo a start that failed'))
    throw error
  }
}

async function build(
  parts: BrokerParts,
  onStop: (step: () => Promise<void> | void) => void,
): Promise<Omit<Broker, 'stop'>> {
  const { config, clock, random, log } = parts
  const doors = await openListeners(parts.transport ?? tcpTransport, config.listeners, onStop)
  const { directory, logs } = await openStorage(parts, onStop)
  const { controller, loader } = await openMetadata(parts, directory, logs)
  const listeners = config.listeners.map((listener, i) => advertised(config, listener, doors.ports[i]!))
  const registered = await controller.registerBroker({
    brokerId: config.nodeId,
    incarnation: randomUuid(random),
    directoryId: directory.directoryId,
    rack: config.rack,
    listeners,
    isFenced: false,
    // Only a clean stop vouches for what relaxed topics had not flushed (rule C2).
    previousBrokerEpoch: directory.isCleanStart ? (loader.image.brokers.get(config.nodeId)?.brokerEpoch ?? -1) : -1,
  })
  assert(registered.errorCode === ErrorCode.NONE, 'the only broker of a cluster may register')
  const replicas = new Replicas({
    clock,
    log,
    brokerId: config.nodeId,
    logs,
    topicConfig: topicConfigs(config),
    exemptTopicIds: new Set([METADATA_TOPIC_ID]),
  })
  onStop(loader.subscribe(replicas.apply))
  await replicas.removeStrays()
  const image = (): MetadataImage => loader.image
  const producerIds = new ProducerIds({
    allocate: () => controller.allocateProducerIds(config.nodeId, registered.brokerEpoch),
  })
  const context: Context = {
    clock,
    random,
    log,
    config,
    brokerId: config.nodeId,
    clusterId: directory.clusterId,
    controller,
    loader,
    image,
    replicas,
    logs,
    fetchSessions: new FetchSessions({ clock, random, maxSessions: config.maxIncrementalFetchSessionCacheSlots }),
    producerIds,
    quotas: new Quotas({ clock, image, ...quotaWindows(config) }),
    ...openCoordinators(parts, loader, replicas, producerIds, onStop),
    apis,
  }
  const httpPort = await serve(parts, context, doors, onStop)
  log.info({ clusterId: directory.clusterId, nodeId: config.nodeId, listeners }, 'the broker serves')
  const { host } = config.listeners[0]!
  return {
    address: { host: host === '' ? 'localhost' : host, port: doors.ports[0]! },
    httpPort,
    clusterId: directory.clusterId,
    failed: new Promise(resolve => logs.onOffline(resolve)),
  }
}

async function openStorage(parts: BrokerParts, onStop: (step: () => Promise<void> | void) => void) {
  const { config, clock, random, log, files = nodeFiles, stores = rocksStores, lockFolder } = parts
  const directory = await openDataDirectory(config.logDir, {
    files,
    random,
    nodeId: config.nodeId,
    ...(config.clusterId === null ? {} : { clusterId: config.clusterId }),
    ...(lockFolder === undefined ? {} : { lock: lockFolder }),
  })
  // A start that gets no further than this takes nothing back of a clean stop before it.
  let isClean = directory.isCleanStart
  onStop(() => directory.close(isClean))
  await checkStore(directory, stores, files)
  const writeBufferBytes = config.rocksdbWriteBufferBytes
  const store = await stores.open(directory.storePath, { files, clock, writeBufferBytes })
  onStop(() => store.close())
  const limits: LogLimits = {
    ...defaultLogLimits,
    // Never the first to refuse: what the server has let in fits.
    queuedBytes: 2 * config.queuedMaxRequestBytes + config.socketRequestMaxBytes,
    inlineGroupBytes: config.logInlineLimitBytes,
    openFiles: openFileShares(parts).logFiles,
    cacheBytes: config.logCacheBytes,
    diskReserveBytes: config.diskReserveBytes,
    retentionCheckIntervalMs: config.logRetentionCheckIntervalMs,
    producerIdExpirationMs: config.producerIdExpirationMs,
    producerIdExpirationCheckIntervalMs: config.producerIdExpirationCheckIntervalMs,
  }
  const logs = await LogDirectory.open({ directory, store, files, clock, log, limits, cleaner: config.logCleaner })
  isClean = false
  onStop(async () => {
    await logs.close()
    isClean = !logs.isOffline
  })
  return { directory, logs }
}

/** Without its database the directory would look as if all of its files were left over from something. */
async function checkStore({ path, storePath }: DataDirectory, stores: Stores, files: Files): Promise<void> {
  if (await stores.exists(storePath, files)) return
  const { segments, staging } = logFolders(path)
  for (const folder of [segments, staging]) {
    if ((await files.stat(folder)) === null || (await files.list(folder)).length === 0) continue
    throw new UserError(
      `The data directory ${path} has records, but its database ${storePath} is gone.`,
      'Nothing was deleted. Restore the data directory as a whole from a backup, or name an empty one.',
    )
  }
}

type Metadata = { readonly controller: Controller; readonly loader: Loader }

/** This broker is the only candidate. */
async function openMetadata(parts: BrokerParts, directory: DataDirectory, logs: LogDirectory): Promise<Metadata> {
  const { config, clock, random, log, files } = parts
  const existing = logs.log(METADATA_TOPIC_ID, 0)
  const logConfig = topicConfig(METADATA_LOG_CONFIGS, config)
  const partitionLog = existing ?? logs.create(METADATA_TOPIC_ID, 0, METADATA_TOPIC, logConfig)
  partitionLog.configure(logConfig)
  partitionLog.usesReserve = true
  const hasEmptyLog = partitionLog.endOffset === 0
  const electionPath = join(directory.path, 'election')
  const durableEpoch = await openDurableEpoch(join(directory.path, 'election-epoch'), files).catch(
    cannotBeElected(electionPath),
  )
  // Born once, together with the directory: a record that is missing later has been lost, and takeOffice says so.
  const isBirth = hasEmptyLog && durableEpoch.value === 0
  const election = parts.election ?? (await openFileElection(electionPath, parts, isBirth ? directory.clusterId : null))
  const candidate = {
    id: candidateId(config.nodeId, directory.directoryId),
    incarnation: randomUuid(random),
    clusterId: directory.clusterId,
    hasEmptyLog,
  }
  const epoch = await takeOffice(election, candidate, durableEpoch, log).catch(cannotBeElected(electionPath))
  await partitionLog.flush()
  const { clusterId } = directory
  const metadataLog = new MetadataLog(clock, partitionLog)
  let hasStarted = false
  const onFailed = (error: Error): void => {
    if (!hasStarted) return
    log.error({ err: error }, 'the broker cannot follow the metadata of its cluster and stops')
    throw error
  }
  const loader = new Loader({ log, metadataLog, clusterId, onFailed })
  const controller = new Controller({ metadataLog, loader, random, log, config, clusterId, brokerId: config.nodeId })
  partitionLog.onAdvance(() => metadataLog.commitUpTo(partitionLog.flushedOffset))
  metadataLog.commitUpTo(partitionLog.flushedOffset)
  metadataLog.lead(epoch)
  await controller.lead(epoch)
  hasStarted = true
  return { controller, loader }
}

/** The record of a cluster on one machine; `bornAs` creates it. */
async function openFileElection(path: string, { clock, random }: BrokerParts, bornAs: string | null) {
  const election = fileElection(path, { clock, random })
  if (bornAs !== null) await election.create(birthRecord(bornAs))
  return election
}

function cannotBeElected(electionPath: string): (cause: unknown) => never {
  return cause => {
    if (!(cause instanceof Error) || cause instanceof AssertionError || userErrorIn(cause) !== null) throw cause
    throw new UserError(
      `This broker cannot lead the metadata of its cluster: ${cause.message}`,
      `The election record is ${electionPath}. Restore it together with the rest of the data directory.`,
      { cause },
    )
  }
}

/** Opens the doors: from here on requests are answered. Returns the HTTP port, or -1. */
async function serve(
  parts: BrokerParts,
  context: Context,
  doors: Doors,
  onStop: (step: () => Promise<void> | void) => void,
): Promise<number> {
  const { config, clock, log } = parts
  const metrics = createMetrics()
  const dispatcher = new Dispatcher(context, metrics)
  const shared: ConnectionShared = {
    clock,
    log,
    dispatch: dispatcher.dispatch.bind(dispatcher),
    limits: {
      maxFrameBytes: config.socketRequestMaxBytes,
      maxInFlight: config.connectionMaxRequests,
      maxInFlightBytes: config.connectionMaxRequestBytes,
      maxUnsentBytes: config.connectionMaxUnsentBytes,
    },
    requestBytes: new RequestMemory(config.queuedMaxRequestBytes),
    responseBytes: new MemoryBound(config.responseMaxBytes),
  }
  const shares = openFileShares(parts)
  if (shares.connections < config.maxConnections) {
    const fields = { maxOpenFiles: parts.maxOpenFiles, maxConnections: shares.connections }
    log.warn(fields, 'the system lets this process open too few files for max.connections: raise it (ulimit -n)')
  }
  const rates = new ConnectionRates(clock, context.image, quotaWindows(config).client)
  const connections = new Connections(shared, { ...connectionLimits(config, parts.maxOpenFiles), rates })
  const { logs, loader } = context
  onStop(
    loader.subscribe(({ changedBrokerConfigs }, image) => {
      if (changedBrokerConfigs.size === 0) return
      const inForce = effectiveConfig(image, config.nodeId, config)
      connections.limit(connectionLimits(inForce, parts.maxOpenFiles))
      logs.configureCleaner(inForce.logCleaner)
    }),
  )
  onStop(() => endAll(connections, clock))
  doors.open((socket, name) => connections.accept(socket, name))
  if (config.httpPort < 0) return -1
  metrics.observe({
    connectionCount: () => connections.count,
    partitionCount: () => loader.image.partitionCount,
    isLogDirectoryOffline: () => logs.isOffline,
    diskFreeBytes: () => logs.usableBytes,
    cleaner: () => logs.cleanerView(),
    requestsInFlight: () => dispatcher.inFlight(),
    requestMemoryBytes: () => shared.requestBytes.usedBytes,
    responseMemoryBytes: () => shared.responseBytes.usedBytes,
  })
  const unready = () => (logs.isOffline ? 'the log directory has failed' : null)
  const address = { host: config.httpHost, port: config.httpPort }
  const http = await serveHttp(address, routes, { metrics, unready }, shares.httpConnections).catch(
    (cause: unknown) => {
      throw cannotListen('HTTP', address.host, address.port, cause)
    },
  )
  onStop(() => http.stop())
  return http.port
}

function openFileShares({ config, maxOpenFiles = Infinity }: BrokerParts): OpenFileShares {
  return shareOpenFiles(maxOpenFiles, config.maxConnections)
}

/** Lets requests in progress end, for a moment; a consumer that waits for records does not need to be waited for. */
function endAll(connections: Connections, clock: Clock): Promise<void> {
  connections.end()
  return new Promise(resolve => {
    const deadlineMs = clock.monotonic() + END_CONNECTIONS_MS
    const look = (): void => {
      if (connections.count > 0 && clock.monotonic() < deadlineMs) return void clock.after(5, look)
      connections.destroy()
      resolve()
    }
    look()
  })
}

/** A topic's configuration: its own over what was set while brokers run over what this one was started with. */
function topicConfigs(config: BrokerConfig): (topic: TopicImage, image: MetadataImage) => TopicConfig {
  let dynamic: MetadataImage['brokerConfigs'] | null = null
  let inForce = config
  return (topic, image) => {
    if (image.brokerConfigs !== dynamic) {
      dynamic = image.brokerConfigs
      inForce = effectiveConfig(image, config.nodeId, config)
    }
    return topicConfig(topic.configs, inForce)
  }
}

function advertised(config: BrokerConfig, listener: ListenerConfig, port: number): Listener {
  const found = config.advertisedListeners.find(({ name }) => name === listener.name) ?? listener
  return {
    name: listener.name,
    host: found.host === '' ? 'localhost' : found.host,
    port: found.port === 0 ? port : found.port,
    securityProtocol: listener.securityProtocol,
  }
}
