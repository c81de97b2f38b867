// Builds the transaction coordinator of a broker and lets it follow the metadata.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { Loader } from '../../metadata/loader.ts'
import type { Replicas } from '../../replication/replicas.ts'
import type { MarkerWriter } from '../../replication/transactions.ts'
import { TransactionCoordinator, transactionSettings, type TransactionCoordinatorOptions } from './coordinator.ts'
import { transactionShards } from './shards.ts'

export type TransactionParts = Pick<TransactionCoordinatorOptions, 'nextProducerId'> & {
  readonly clock: Clock
  readonly log: Logger
  readonly config: BrokerConfig
  readonly loader: Loader
  /** Subscribed to the metadata already: their leaders are there when the coordinator looks for them. */
  readonly replicas: Replicas
  readonly writer: MarkerWriter
}

export type OpenTransactions = { readonly coordinator: TransactionCoordinator; close(): void }

export function openTransactions(parts: TransactionParts): OpenTransactions {
  const { clock, log, config, loader, replicas, writer, nextProducerId } = parts
  const settings = transactionSettings(config)
  const shards = transactionShards({
    clock,
    log,
    brokerId: config.nodeId,
    leader: (topicId, partition) => replicas.leader(topicId, partition),
    writer,
    exists: (topic, partition) => loader.image.topics.get(topic)?.partitions[partition] !== undefined,
    commitTimeoutMs: settings.commitTimeoutMs,
  })
  const unsubscribe = loader.subscribe(shards.apply)
  const coordinator = new TransactionCoordinator({ clock, log, settings, shards, nextProducerId })
  return {
    coordinator,
    close() {
      coordinator.close()
      unsubscribe()
      shards.close()
    },
  }
}
