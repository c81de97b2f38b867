// The metadata of a broker that is the only one of its cluster, over a log in memory: what is flushed is committed.
import { silentLogger } from '../../../broker/base/log.ts'
import type { Random } from '../../../broker/base/random.ts'
import type { BrokerConfig } from '../../../broker/config/broker-config.ts'
import { Controller } from '../../../broker/metadata/controller.ts'
import { Loader } from '../../../broker/metadata/loader.ts'
import { MetadataLog } from '../../../broker/metadata/metadata-log.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from '../../../broker/metadata/topic-names.ts'
import { manualClock } from '../../manual-clock.ts'
import { MemoryLog } from '../replication/memory-log.ts'

export type LocalMetadata = {
  readonly log: MemoryLog
  readonly metadataLog: MetadataLog
  readonly loader: Loader
  readonly controller: Controller
  /** The committed records. */
  records(): Promise<MetadataRecord[]>
}

export type LocalMetadataOptions = {
  readonly config: BrokerConfig
  readonly random: Random
  readonly brokerId: number
  readonly clusterId: string
  readonly epoch?: number
  /** What another process has left. */
  readonly log?: MemoryLog
}

export async function openLocalMetadata(options: LocalMetadataOptions): Promise<LocalMetadata> {
  const { config, random, brokerId, clusterId, epoch = 1 } = options
  const log = options.log ?? new MemoryLog(METADATA_TOPIC_ID, 0, METADATA_TOPIC)
  const metadataLog = new MetadataLog(manualClock(), log.asPartitionLog)
  const loader = new Loader({ log: silentLogger, metadataLog, clusterId, onFailed: () => {} })
  const controller = new Controller({ metadataLog, loader, random, log: silentLogger, config, clusterId, brokerId })
  log.onAdvance(() => metadataLog.commitUpTo(log.flushedOffset))
  metadataLog.lead(epoch)
  await controller.lead(epoch)
  const records = async (): Promise<MetadataRecord[]> => {
    const found: MetadataRecord[] = []
    for (let offset = log.logStartOffset; offset < metadataLog.highWatermark;) {
      for (const batch of await metadataLog.read(offset)) {
        found.push(...batch.records)
        offset = batch.endOffset
      }
    }
    return found
  }
  return { log, metadataLog, loader, controller, records }
}
