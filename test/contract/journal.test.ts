// The journals there are, through the suite in journal.ts.
import { systemClock } from '../../broker/base/clock.ts'
import { memoryJournal } from '../../broker/machine/journal.ts'
import { topicConfig } from '../../broker/config/topic-config.ts'
import { Leader } from '../../broker/replication/leader.ts'
import { replicatedJournal, type RecordCodec } from '../../broker/replication/replicated-journal.ts'
import { openMemoryStore } from '../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../broker/storage/partition-log.ts'
import { brokerConfig } from '../broker/api/fixture.ts'
import { MemoryLog } from '../broker/replication/memory-log.ts'
import { CrashingFiles } from '../broker/storage/crashing-files.ts'
import { CONFIG, openDirectory, TOPIC } from '../broker/storage/log-fixture.ts'
import { journalContract } from './journal.ts'

journalContract('the journal in memory', async () => {
  const journal = memoryJournal<string>()
  return {
    journal,
    breakNext: () => journal.failNext(new Error('the disk is gone')),
    reopen: () => memoryJournal(journal.records),
  }
})

const keyed: RecordCodec<string> = {
  encode: record => ({ key: Buffer.from('k'), value: Buffer.from(record) }),
  decode: (_key, value) => String(value),
  decodeMarker: () => null,
}

function leaderOf(log: PartitionLog): Leader {
  const state = { brokerId: 1, leaderEpoch: 1, partitionEpoch: 1, replicas: [1], isr: [1], minInsyncReplicas: 1 }
  const leader = new Leader(systemClock, '__consumer_offsets', log, state, topicConfig(new Map(), brokerConfig({})))
  log.onAdvance(() => leader.advance())
  return leader
}

journalContract('the journal over a led partition', async () => {
  const log = new MemoryLog('topic-id', 0, '__consumer_offsets')
  const leader = leaderOf(log.asPartitionLog)
  const open = () => replicatedJournal(keyed, { clock: systemClock, leader })
  return {
    journal: open(),
    breakNext: () => {
      log.refusesNext = true
    },
    reopen: open,
  }
})

journalContract('the journal over a led partition with a real log', async () => {
  const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles() })
  const leader = leaderOf(logs.create(TOPIC, 0, '__consumer_offsets', CONFIG))
  const open = () => replicatedJournal(keyed, { clock: systemClock, leader })
  return { journal: open(), breakNext: null, reopen: open }
})
