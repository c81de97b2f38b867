// Builds the coordinators of a broker, of groups and of transactions, and lets them follow the metadata.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { GroupCoordinator } from '../coordinator/group/group-coordinator.ts'
import { openTransactions } from '../coordinator/transaction/open.ts'
import type { Loader } from '../metadata/loader.ts'
import type { Replicas } from '../replication/replicas.ts'
import { TransactionMarkers } from '../replication/transaction-markers.ts'
import type { Context } from './context.ts'
import type { ProducerIds } from './producer-ids.ts'

export type CoordinatorParts = {
  readonly config: BrokerConfig
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Markers that end transactions go to the partitions of this broker, those of offsets by way of the groups that keep them. */
export function openCoordinators(
  parts: CoordinatorParts,
  loader: Loader,
  replicas: Replicas,
  producerIds: ProducerIds,
  onStop: (step: () => void) => void,
): Pick<Context, 'groups' | 'transactions' | 'transactionCoordinator' | 'transactionMarkers'> {
  const { clock, config } = parts
  const groups = openGroups(parts, loader, replicas, onStop)
  const transactionMarkers = new TransactionMarkers({
    clock,
    replicas,
    image: () => loader.image,
    timeoutMs: config.requestTimeoutMs,
  })
  transactionMarkers.keep('__consumer_offsets', groups)
  const { coordinator, close } = openTransactions({
    ...parts,
    loader,
    replicas,
    writer: transactionMarkers,
    nextProducerId: () => producerIds.next(),
  })
  onStop(close)
  return { groups, transactions: coordinator, transactionCoordinator: coordinator, transactionMarkers }
}

function openGroups(
  { config, clock, random, log }: CoordinatorParts,
  loader: Loader,
  replicas: Replicas,
  onStop: (step: () => Promise<void> | void) => void,
): GroupCoordinator {
  const groups = new GroupCoordinator({
    clock,
    random,
    log,
    brokerId: config.nodeId,
    config,
    leader: (topicId, partition) => replicas.leader(topicId, partition),
  })
  onStop(loader.subscribe(groups.apply))
  onStop(() => groups.close())
  return groups
}
