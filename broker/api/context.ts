// What every handler may use. broker.ts builds it once; a handler takes the two or three parts it needs.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.ts'
import type { TransactionCoordinator } from '../coordinator/transaction/coordinator.ts'
import type { Controller } from '../metadata/controller.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { Loader } from '../metadata/loader.ts'
import type { Replicas } from '../replication/replicas.ts'
import type { MarkerWriter, TransactionGate } from '../replication/transactions.ts'
import type { LogDirectory } from '../storage/log-directory.ts'
import type { FetchSessions } from './fetch-session.ts'
import type { Handler } from './handler.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { Quotas } from './quotas.ts'

export type Context = {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly config: BrokerConfig
  /** This broker's `node.id`. */
  readonly brokerId: number
  readonly clusterId: string
  /** Decides while this broker leads the metadata log. */
  readonly controller: Controller
  /** What this broker has applied of the metadata log. */
  readonly loader: Loader
  /** The newest metadata this broker has applied. */
  image(): MetadataImage
  readonly replicas: Replicas
  readonly logs: LogDirectory
  readonly fetchSessions: FetchSessions
  readonly producerIds: ProducerIds
  readonly quotas: Quotas
  readonly groups: GroupCoordinator
  readonly transactions: TransactionGate
  readonly transactionMarkers: MarkerWriter
  readonly transactionCoordinator: TransactionCoordinator
  /** What this broker serves, by API key: api/index.ts. */
  readonly apis: ReadonlyMap<number, Handler>
}
