// The journals there are, through the suite in journal.ts.
import { systemClock } from '../../broker/base/clock.ts'
import { memoryJournal, type Codec } from '../../broker/machine/journal.ts'
import { partitionJournal } from '../../broker/replication/partition-journal.ts'
import { openMemoryStore } from '../../broker/storage/memory-store.ts'
import { MemoryLog } from '../broker/replication/memory-log.ts'
import { CrashingFiles } from '../broker/storage/crashing-files.ts'
import { CONFIG, openDirectory, TOPIC } from '../broker/storage/log-fixture.ts'
import { journalContract } from './journal.ts'

const text: Codec<string> = {
  encode: record => ({ key: null, value: Buffer.from(record) }),
  decode: (_key, value) => String(value),
}

journalContract('the journal in memory', async () => {
  const journal = memoryJournal<string>()
  return {
    journal,
    breakNext: () => journal.failNext(new Error('the disk is gone')),
    reopen: () => memoryJournal(journal.records),
  }
})

journalContract('the journal over a partition log', async () => {
  const log = new MemoryLog('topic-id', 0, '__cluster_metadata')
  const open = () => partitionJournal(text, { clock: systemClock, log: log.asPartitionLog, leaderEpoch: () => 1 })
  return {
    journal: open(),
    breakNext: () => {
      log.refusesNext = true
    },
    reopen: open,
  }
})

journalContract('the journal over a real partition log', async () => {
  const logs = await openDirectory({ store: openMemoryStore(), files: new CrashingFiles() })
  const log = logs.create(TOPIC, 0, '__cluster_metadata', CONFIG)
  const open = () => partitionJournal(text, { clock: systemClock, log, leaderEpoch: () => 1 })
  return { journal: open(), breakNext: null, reopen: open }
})
