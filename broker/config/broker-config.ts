// The configuration of one broker: the typed values that the code acts on, made from key=value texts. Pure: where the texts come
// from is sources.ts (files, environment and flags as texts) and main.ts (reading them). The catalogue of keys is broker-keys.ts.
import { readCleanerConfig, type CleanerConfig } from './cleaner-config.ts'
import { booleanOf, checkValue, listOf, numberOf } from './config-key.ts'
import { brokerConfigKey, brokerConfigs, unknownBrokerKey } from './broker-keys.ts'
import type { Listeners, Problem } from './listeners.ts'
import { readListeners } from './listeners.ts'
import type { TopicDefaults } from './topic-config.ts'
import { topicDefaults, topicDefaultTexts } from './topic-defaults.ts'

export { brokerConfigs }
export type { ListenerConfig, SecurityProtocol } from './listeners.ts'

export type BrokerConfig = TopicDefaults &
  Listeners & {
    readonly nodeId: number
    readonly rack: string | null
    readonly logDir: string

    readonly numPartitions: number
    readonly defaultReplicationFactor: number
    readonly autoCreateTopicsEnable: boolean
    readonly deleteTopicEnable: boolean

    readonly socketRequestMaxBytes: number
    readonly maxConnections: number
    readonly maxConnectionsPerIp: number
    readonly maxConnectionsPerIpOverrides: ReadonlyMap<string, number>
    /** -1 = never. */
    readonly connectionsMaxIdleMs: number
    /** Bytes of the requests of all connections that wait or run at once; Number.MAX_SAFE_INTEGER = no limit. */
    readonly queuedMaxRequestBytes: number
    /** Requests, and their bytes, of one connection that wait or run before it is no longer read. */
    readonly connectionMaxRequests: number
    readonly connectionMaxRequestBytes: number
    /** While more than this of a connection's answers is unsent, none of its requests starts. */
    readonly connectionMaxUnsentBytes: number
    /** Bytes of answers of all connections that wait to be sent. */
    readonly responseMaxBytes: number

    readonly fetchMaxBytes: number
    readonly maxIncrementalFetchSessionCacheSlots: number
    readonly maxRequestPartitionSizeLimit: number

    /** In how many windows, and how long ones, clients and changes of topics are measured against their quotas. */
    readonly quotaWindowNum: number
    readonly quotaWindowMs: number
    readonly controllerQuotaWindowNum: number
    readonly controllerQuotaWindowMs: number

    readonly logRetentionCheckIntervalMs: number
    readonly logCleaner: CleanerConfig
    readonly producerIdExpirationMs: number
    readonly producerIdExpirationCheckIntervalMs: number

    readonly groupInitialRebalanceDelayMs: number
    readonly groupMinSessionTimeoutMs: number
    readonly groupMaxSessionTimeoutMs: number
    readonly groupMaxSize: number
    readonly offsetMetadataMaxBytes: number
    readonly offsetsCommitTimeoutMs: number
    readonly offsetsRetentionMs: number
    readonly offsetsRetentionCheckIntervalMs: number
    readonly offsetsTopicNumPartitions: number
    readonly offsetsTopicReplicationFactor: number
    readonly offsetsTopicSegmentBytes: number
    readonly transactionStateLogNumPartitions: number
    readonly transactionStateLogReplicationFactor: number
    readonly transactionStateLogSegmentBytes: number
    readonly transactionStateLogMinIsr: number
    readonly transactionPartitionVerificationEnable: boolean
    readonly transactionMaxTimeoutMs: number
    readonly transactionalIdExpirationMs: number
    readonly transactionAbortIntervalMs: number
    readonly transactionForgetIntervalMs: number
    readonly addPartitionsToTxnRetryMaxMs: number
    readonly requestTimeoutMs: number

    /** '' = every interface. */
    readonly httpHost: string
    /** 0 = any free port; -1 = no HTTP server. */
    readonly httpPort: number
    /** Null = take what the data directory says, or make one. */
    readonly clusterId: string | null
    /** Bytes of the tail cache of all partitions together. */
    readonly logCacheBytes: number
    /** Batches below this many bytes are stored in RocksDB, others in segment files. */
    readonly logInlineLimitBytes: number
    /** Produce is refused while the disk has less free than this. */
    readonly diskReserveBytes: number
    /** What collects in RocksDB's memory before it goes to a table file. */
    readonly rocksdbWriteBufferBytes: number
    readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
    readonly logFormat: 'auto' | 'pretty' | 'json'

    /** Every key that the file, the environment or a flag has set, with its text; also those we do not honour. */
    readonly explicit: ReadonlyMap<string, string>
  }

export type ParseOptions = {
  /** What to advertise for a listener on every interface; clients must be able to resolve it. Default: localhost. */
  readonly hostname?: string
  /** Where a key was set ("line 3 of server.properties"): put before what is wrong with it. */
  readonly origin?: (name: string) => string | undefined
}

export type ParsedBrokerConfig = { readonly config: BrokerConfig } | { readonly errors: readonly string[] }

/** The typed configuration, or everything that is wrong with `values`: one text per problem, with its fix. */
export function parseBrokerConfig(values: ReadonlyMap<string, string>, options: ParseOptions = {}): ParsedBrokerConfig {
  const explicit = new Map([...values].map(([name, text]) => [name, text.trim()]))
  const wrong = problemsOfValues(explicit)
  if (wrong.length === 0) wrong.push(...problemsTogether(explicit))
  const listeners = readListeners(
    name => explicit.get(name) ?? defaultText(name),
    options.hostname ?? 'localhost',
    wrong,
  )
  if (wrong.length > 0) return { errors: wrong.map(problem => withOrigin(problem, options.origin)) }
  return { config: readBrokerConfig(explicit, listeners) }
}

function withOrigin({ name, text }: Problem, origin: ParseOptions['origin']): string {
  const where = origin?.(name)
  return where === undefined ? text : `${where}: ${text}`
}

function problemsOfValues(explicit: ReadonlyMap<string, string>): Problem[] {
  const wrong: Problem[] = []
  for (const [name, text] of explicit) {
    const key = brokerConfigKey(name)
    const problem = key ? checkValue(key, text) : unknownBrokerKey(name)
    if (problem) wrong.push({ name, text: problem })
  }
  return wrong
}

// What Kafka's KafkaConfig checks beyond single values, and what we cannot do yet.
function problemsTogether(explicit: ReadonlyMap<string, string>): Problem[] {
  const wrong: Problem[] = []
  const text = (name: string): string | null => explicit.get(name) ?? defaultText(name)
  const say = (name: string, problem: string): void => void wrong.push({ name, text: problem })
  const nodeId = explicit.get('node.id')
  const brokerId = explicit.get('broker.id')
  if (nodeId !== undefined && brokerId !== undefined && numberOf(nodeId) !== numberOf(brokerId))
    say('broker.id', `node.id (${nodeId}) and broker.id (${brokerId}) differ; delete broker.id, the older name`)
  if (numberOf(nodeId ?? brokerId ?? '0') < 0)
    say('broker.id', `broker.id is ${brokerId}; give this broker a number of its own, 0 or more, as node.id`)
  const directories = directoriesOf(text)
  if (directories.length !== 1 || directories[0] === '')
    say(
      explicit.has('log.dirs') ? 'log.dirs' : 'log.dir',
      `log.dirs names ${directories.length} directories; a broker has exactly one: keep one of them, and run one broker per disk`,
    )
  for (const name of ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'])
    if (explicit.has(name) && numberOf(explicit.get(name)!) === 0)
      say(name, `${name} must be unlimited (-1) or, greater than or equal to 1`)
  for (const name of ['log.roll.ms', 'log.roll.hours'])
    if (explicit.has(name) && numberOf(explicit.get(name)!) < 1) say(name, `${name} must be greater than or equal to 1`)
  const roles = listOf(text('process.roles') ?? '')
  if (roles.length > 0 && !roles.includes('broker'))
    say(
      'process.roles',
      'process.roles names no broker; every process of Flotilla is one: delete the line, or add broker',
    )
  if (numberOf(text('max.connections.per.ip')!) === 0 && !text('max.connections.per.ip.overrides'))
    say(
      'max.connections.per.ip',
      'max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.',
    )
  const overrides = 'max.connections.per.ip.overrides'
  const malformed = problemOfOverrides(text(overrides)!)
  if (malformed !== null) say(overrides, malformed)
  const clusterId = text('flotilla.cluster.id')
  if (clusterId !== null && !/^[A-Za-z0-9_-]{22}$/.test(clusterId))
    say(
      'flotilla.cluster.id',
      `flotilla.cluster.id: '${clusterId}' is no cluster id (22 characters of URL-safe base64)`,
    )
  return wrong
}

function problemOfOverrides(text: string): string | null {
  const wrong = listOf(text).find(entry => !/^.+:\d{1,9}$/.test(entry))
  return wrong === undefined ? null : `max.connections.per.ip.overrides: '${wrong}' is no address:count`
}

/** Why a value that is right in a file may not be set while the broker runs; null when it may. */
export function problemWhileRunning(name: string, text: string): string | null {
  if (name === 'max.connections.per.ip.overrides') return problemOfOverrides(text)
  const isLimit = name === 'max.connections' || name === 'max.connections.per.ip'
  // It is kept, so a restart would not help.
  if (isLimit && numberOf(text) === 0) return `${name} cannot be 0 while the broker runs: nobody could set it back.`
  return null
}

function directoriesOf(text: (name: string) => string | null): string[] {
  return listOf(text('log.dirs') ?? text('log.dir')!)
}

function readBrokerConfig(
  explicit: ReadonlyMap<string, string>,
  { listeners, advertisedListeners, interBrokerListenerName }: Listeners,
): BrokerConfig {
  const text = (name: string): string | null => explicit.get(name) ?? defaultText(name)
  const number = (name: string): number => numberOf(text(name)!)
  const flag = (name: string): boolean => booleanOf(text(name)!)
  const texts = topicDefaultTexts(text)
  return {
    topicDefaults: topicDefaults(texts),
    topicDefaultTexts: texts,
    nodeId: numberOf(explicit.get('node.id') ?? explicit.get('broker.id') ?? defaultText('node.id')!),
    rack: text('broker.rack'),
    listeners,
    advertisedListeners,
    interBrokerListenerName,
    logDir: directoriesOf(text)[0]!,
    numPartitions: number('num.partitions'),
    defaultReplicationFactor: number('default.replication.factor'),
    autoCreateTopicsEnable: flag('auto.create.topics.enable'),
    deleteTopicEnable: flag('delete.topic.enable'),
    socketRequestMaxBytes: number('socket.request.max.bytes'),
    maxConnections: number('max.connections'),
    maxConnectionsPerIp: number('max.connections.per.ip'),
    maxConnectionsPerIpOverrides: countsByAddress(text('max.connections.per.ip.overrides')!),
    connectionsMaxIdleMs: negativeMeans(number('connections.max.idle.ms'), -1),
    queuedMaxRequestBytes: negativeMeans(number('queued.max.request.bytes'), Number.MAX_SAFE_INTEGER),
    connectionMaxRequests: number('flotilla.connection.max.requests'),
    connectionMaxRequestBytes: number('flotilla.connection.max.request.bytes'),
    connectionMaxUnsentBytes: number('flotilla.connection.max.unsent.bytes'),
    responseMaxBytes: number('flotilla.response.max.bytes'),
    fetchMaxBytes: number('fetch.max.bytes'),
    maxIncrementalFetchSessionCacheSlots: number('max.incremental.fetch.session.cache.slots'),
    maxRequestPartitionSizeLimit: number('max.request.partition.size.limit'),
    quotaWindowNum: number('quota.window.num'),
    quotaWindowMs: number('quota.window.size.seconds') * 1000,
    controllerQuotaWindowNum: number('controller.quota.window.num'),
    controllerQuotaWindowMs: number('controller.quota.window.size.seconds') * 1000,
    logRetentionCheckIntervalMs: number('log.retention.check.interval.ms'),
    logCleaner: readCleanerConfig(number, flag),
    producerIdExpirationMs: number('producer.id.expiration.ms'),
    producerIdExpirationCheckIntervalMs: number('producer.id.expiration.check.interval.ms'),
    ...coordinatorValues(number, flag),
    httpHost: text('flotilla.http.host')!,
    httpPort: number('flotilla.http.port'),
    clusterId: text('flotilla.cluster.id'),
    logCacheBytes: number('flotilla.log.cache.bytes'),
    logInlineLimitBytes: number('flotilla.log.inline.limit.bytes'),
    diskReserveBytes: number('flotilla.disk.reserve.bytes'),
    rocksdbWriteBufferBytes: number('flotilla.rocksdb.write.buffer.bytes'),
    logLevel: text('flotilla.log.level') as BrokerConfig['logLevel'],
    logFormat: text('flotilla.log.format') as BrokerConfig['logFormat'],
    explicit,
  }
}

function coordinatorValues(number: (name: string) => number, flag: (name: string) => boolean) {
  return {
    groupInitialRebalanceDelayMs: number('group.initial.rebalance.delay.ms'),
    groupMinSessionTimeoutMs: number('group.min.session.timeout.ms'),
    groupMaxSessionTimeoutMs: number('group.max.session.timeout.ms'),
    groupMaxSize: number('group.max.size'),
    offsetMetadataMaxBytes: number('offset.metadata.max.bytes'),
    offsetsCommitTimeoutMs: number('offsets.commit.timeout.ms'),
    offsetsRetentionMs: number('offsets.retention.minutes') * 60_000,
    offsetsRetentionCheckIntervalMs: number('offsets.retention.check.interval.ms'),
    offsetsTopicNumPartitions: number('offsets.topic.num.partitions'),
    offsetsTopicReplicationFactor: number('offsets.topic.replication.factor'),
    offsetsTopicSegmentBytes: number('offsets.topic.segment.bytes'),
    transactionStateLogNumPartitions: number('transaction.state.log.num.partitions'),
    transactionStateLogReplicationFactor: number('transaction.state.log.replication.factor'),
    transactionStateLogSegmentBytes: number('transaction.state.log.segment.bytes'),
    transactionStateLogMinIsr: number('transaction.state.log.min.isr'),
    transactionPartitionVerificationEnable: flag('transaction.partition.verification.enable'),
    transactionMaxTimeoutMs: number('transaction.max.timeout.ms'),
    transactionalIdExpirationMs: number('transactional.id.expiration.ms'),
    transactionAbortIntervalMs: number('transaction.abort.timed.out.transaction.cleanup.interval.ms'),
    transactionForgetIntervalMs: number('transaction.remove.expired.transaction.cleanup.interval.ms'),
    addPartitionsToTxnRetryMaxMs: number('add.partitions.to.txn.retry.backoff.max.ms'),
    requestTimeoutMs: number('request.timeout.ms'),
  }
}

function negativeMeans(value: number, meaning: number): number {
  return value < 0 ? meaning : value
}

function countsByAddress(text: string): Map<string, number> {
  return new Map(
    listOf(text).map(entry => {
      const at = entry.lastIndexOf(':')
      return [entry.slice(0, at).trim(), Number(entry.slice(at + 1))]
    }),
  )
}

function defaultText(name: string): string | null {
  return brokerConfigKey(name)?.default ?? null
}

/** The text that is in force for a broker key: what was set, else its default; null when it has none. */
export function brokerValue(config: Pick<BrokerConfig, 'explicit'>, name: string): string | null {
  return config.explicit.get(name) ?? defaultText(name)
}

/**
 * The configuration with values that were set while brokers run (IncrementalAlterConfigs): those of this broker count before
 * those of all brokers, before what `config` was started with. A value that may not change that way is left out and named in
 * `refused`. `explicit` stays what the broker was started with.
 */
export function withDynamicConfig(
  config: BrokerConfig,
  ofThisBroker: ReadonlyMap<string, string>,
  ofAllBrokers: ReadonlyMap<string, string>,
): { readonly config: BrokerConfig; readonly refused: readonly string[] } {
  const dynamic = [...ofAllBrokers, ...ofThisBroker]
  const refused = dynamic.filter(([name, text]) => !isChangeable(name, text)).map(([name]) => name)
  const applied = dynamic.filter(([name]) => !refused.includes(name))
  if (applied.length === 0) return { config, refused }
  const merged = new Map([...config.explicit, ...applied])
  return { config: { ...readBrokerConfig(merged, config), explicit: config.explicit }, refused }
}

function isChangeable(name: string, text: string): boolean {
  const key = brokerConfigKey(name)
  if (key === undefined || key.isReadOnly) return false
  return checkValue(key, text) === null && problemWhileRunning(name, text) === null
}
