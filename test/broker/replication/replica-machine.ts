// One broker of replication-world.ts: its process, with the real replicas, fetchers and fetch handler, and the machine with its disk.
import type { Context } from '../../../broker/api/context.ts'
import { FetchSessions } from '../../../broker/api/fetch-session.ts'
import type { Clock } from '../../../broker/base/clock.ts'
import { silentLogger } from '../../../broker/base/log.ts'
import type { ControllerChannel } from '../../../broker/client/controller-channel.ts'
import type { Peers } from '../../../broker/client/peers.ts'
import { parseBrokerConfig } from '../../../broker/config/broker-config.ts'
import { topicConfig } from '../../../broker/config/topic-config.ts'
import { mayJoin } from '../../../broker/metadata/alter-partition.ts'
import { emptyImage, type MetadataImage } from '../../../broker/metadata/image.ts'
import { Fetchers } from '../../../broker/replication/fetchers.ts'
import { IsrChanges } from '../../../broker/replication/isr-changes.ts'
import { Replicas } from '../../../broker/replication/replicas.ts'
import type { LogDirectory } from '../../../broker/storage/log-directory.ts'
import { CrashingFiles } from '../storage/crashing-files.ts'
import { CrashingStoreDisk } from '../storage/crashing-store.ts'
import { TOPIC } from '../storage/log-fixture.ts'
import { Power } from '../storage/power.ts'

const MAX_LAG_MS = 2000
const config = brokerConfig()

/** What a broker has around it. */
export type Surroundings = {
  readonly clock: Clock
  dice(): number
  peer(life: Life, leaderId: number): unknown
  channel(life: Life): ControllerChannel
}

function brokerConfig() {
  const parsed = parseBrokerConfig(new Map([['node.id', '1']]))
  if ('errors' in parsed) throw new Error(parsed.errors.join())
  return parsed.config
}

/** One process of a broker, until its power goes. */
export class Life {
  readonly clock: Clock
  readonly replicas: Replicas
  readonly fetchers: Fetchers
  readonly isrChanges: IsrChanges
  readonly context: Context
  readonly logs: LogDirectory
  image: MetadataImage = emptyImage
  brokerEpoch: number | null = null
  isDead = false

  constructor(world: Surroundings, brokerId: number, logs: LogDirectory) {
    const random = { next: () => world.dice(), bytes: (size: number) => Buffer.alloc(size, 1) }
    this.logs = logs
    this.clock = {
      now: () => world.clock.now(),
      monotonic: () => world.clock.monotonic(),
      after: (delayMs, run) => world.clock.after(delayMs, () => void (this.isDead || run())),
    }
    const { clock } = this
    const log = silentLogger
    this.replicas = new Replicas({
      clock,
      log,
      brokerId,
      logs,
      topicConfig: topic => topicConfig(topic.configs, config),
    })
    const brokerEpoch = () => this.brokerEpoch
    const limits = {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 4000,
      partitionMaxBytes: 1000,
      backoffMs: 1000,
      timeoutMs: 1000,
    }
    const peers = { to: (leaderId: number) => world.peer(this, leaderId) } as unknown as Peers
    this.fetchers = new Fetchers(peers, { clock, random, log, brokerId, brokerEpoch, limits })
    this.isrChanges = new IsrChanges({
      clock,
      random,
      log,
      channel: world.channel(this),
      brokerId,
      brokerEpoch,
      maxLagMs: MAX_LAG_MS,
      mayJoin: (id, epoch) => mayJoin(this.image, { brokerId: id, brokerEpoch: epoch }),
      leaders: () => this.replicas.leaders(),
    })
    this.replicas.replicate({ fetchers: this.fetchers, onIsrDue: this.isrChanges.consider })
    const quotas = { maxFetchBytes: () => 1e9, mayFetch: () => true }
    const fetchSessions = new FetchSessions({ clock, random, maxSessions: 100 })
    const parts = { clock, random, log, config, brokerId, replicas: this.replicas, fetchSessions, quotas }
    this.context = { ...parts, image: () => this.image } as unknown as Context
  }

  /** The newest metadata, or some that this broker has not seen yet. C1: nothing before its own registration. */
  see(image: MetadataImage, brokerId: number): void {
    if (this.brokerEpoch === null || image.version <= this.image.version) return
    const known = image.brokers.get(brokerId)?.brokerEpoch ?? -1
    if (known < this.brokerEpoch) return
    this.image = image
    const delta = {
      changedTopics: new Set([TOPIC]),
      deletedTopics: new Map(),
      changedBrokers: new Set<number>(),
      changedBrokerConfigs: new Set<string>(),
    }
    this.replicas.apply(delta, image)
  }

  die(): void {
    this.isDead = true
    this.fetchers.close()
    this.isrChanges.close()
  }
}

export class Machine {
  readonly power = new Power()
  readonly files = new CrashingFiles(this.power)
  readonly disk = new CrashingStoreDisk(this.power)
  life: Life | null = null
  /** A commit takes some milliseconds, in which the power may go; not while a broker starts, which the script waits for. */
  isSlow = false
}
