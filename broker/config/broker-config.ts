// The configuration of one broker: the typed values that the code acts on, made from key=value texts. Pure: reading files, the
// environment and flags is sources.ts (pure parsing) and main.ts (I/O). The catalogue of keys is broker-keys/.
import type { ConfigKey } from './config-key.ts'

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

export type ListenerConfig = {
  readonly name: string
  /** '' = every interface (in `listeners`); never '' in `advertisedListeners`. */
  readonly host: string
  /** 0 = any free port (tests). */
  readonly port: number
  readonly securityProtocol: SecurityProtocol
}

export type BrokerConfig = {
  readonly nodeId: number
  readonly rack: string | null
  readonly listeners: readonly ListenerConfig[]
  /** As configured; a listener that is not named here is advertised as it is in `listeners`. */
  readonly advertisedListeners: readonly ListenerConfig[]
  readonly interBrokerListenerName: string
  readonly logDir: string

  readonly numPartitions: number
  readonly defaultReplicationFactor: number
  readonly minInsyncReplicas: number
  readonly autoCreateTopicsEnable: boolean
  readonly deleteTopicEnable: boolean

  readonly socketRequestMaxBytes: number
  /** -1 = leave it to the operating system. */
  readonly socketSendBufferBytes: number
  readonly socketReceiveBufferBytes: number
  readonly socketListenBacklogSize: number
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
  readonly maxConnectionsPerIpOverrides: ReadonlyMap<string, number>
  /** -1 = never. */
  readonly connectionsMaxIdleMs: number
  /** Requests of all connections that wait or run at once. */
  readonly queuedMaxRequests: number
  /** Bytes of those requests; -1 in Kafka's key means our own default (flotilla.memory.request.bytes). */
  readonly queuedMaxRequestBytes: number
  /** Requests of one connection that may be in flight before we stop reading from it. */
  readonly maxInFlightRequestsPerConnection: number

  readonly fetchMaxBytes: number
  readonly maxIncrementalFetchSessionCacheSlots: number
  readonly maxRequestPartitionSizeLimit: number

  readonly logRetentionCheckIntervalMs: number
  readonly producerIdExpirationMs: number
  readonly producerIdExpirationCheckIntervalMs: number

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
  /** Block cache and write buffers of RocksDB. */
  readonly rocksdbBlockCacheBytes: number
  readonly rocksdbWriteBufferBytes: number

  /** Every key that the file, the environment or a flag has set, with its text; also those we do not honour. */
  readonly explicit: ReadonlyMap<string, string>
}

/** Every server.properties key that Kafka 4.x knows, and our own (`flotilla.*`). */
export const brokerConfigs: readonly ConfigKey[] = []

/** The typed configuration, or everything that is wrong with `values` (one text per problem, each with its fix). */
export function parseBrokerConfig(
  _values: ReadonlyMap<string, string>,
): { readonly config: BrokerConfig } | { readonly errors: readonly string[] } {
  return { errors: ['parseBrokerConfig is about to exist'] }
}

/** The text that is in force for a broker key: what was set, else its default; null when it has none. */
export function brokerValue(_config: BrokerConfig, _name: string): string | null {
  return null
}
