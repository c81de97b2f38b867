// What every journal must do is test/contract/journal.ts; this is what is the partition's own.
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import type { Codec } from '../../../broker/machine/journal.ts'
import { isControl, leaderEpoch, recordCount } from '../../../broker/records/batch.ts'
import { partitionJournal } from '../../../broker/replication/partition-journal.ts'
import { manualClock } from '../../manual-clock.ts'
import { MemoryLog } from './memory-log.ts'

const codec: Codec<string> = {
  encode: record => ({ key: null, value: Buffer.from(record) }),
  decode: (_key, value) => (value === null ? null : value.toString()),
}

function journalOver(log: MemoryLog, epoch = 1) {
  return partitionJournal(codec, { clock: manualClock(), log: log.asPartitionLog, leaderEpoch: () => epoch })
}

test('one append is one batch, stamped with the epoch of the moment', async () => {
  const log = new MemoryLog('metadata', 0, '__cluster_metadata')
  await journalOver(log, 4).append(['a', 'b'])
  await journalOver(log, 5).append(['c'])
  const read = await log.read(0, { maxBytes: 1e6, endOffset: 3, minOneBatch: true })
  if (typeof read === 'string') throw new Error(read)
  deepEqual(read.map(batch => [leaderEpoch(batch, 0), recordCount(batch, 0), isControl(batch, 0)]), [
    [4, 2, false],
    [5, 1, false],
  ]) // prettier-ignore
})

test('an append is committed when it is flushed, not before', async () => {
  const log = new MemoryLog('metadata', 0, '__cluster_metadata')
  const journal = journalOver(log)
  log.isHeld = true
  let isCommitted = false
  const committing = journal.append(['a']).then(() => (isCommitted = true))
  await Promise.resolve()
  equal(isCommitted, false)
  log.flushAll()
  await committing
})

test('a snapshot moves the log start, so that only it is read', async () => {
  const log = new MemoryLog('metadata', 0, '__cluster_metadata')
  const journal = journalOver(log)
  await journal.append(['a', 'b', 'c'])
  await journal.appendSnapshot(['abc'])
  deepEqual([log.logStartOffset, log.endOffset], [3, 4])
})

test('a log that cannot be read rejects the replay', async () => {
  const log = new MemoryLog('metadata', 0, '__cluster_metadata')
  const journal = journalOver(log)
  await journal.append(['a'])
  log.fail()
  await rejects(
    journal.replay(() => {}),
    /the disk has failed/,
  )
  await rejects(journal.append(['b']))
})

test('a record that the codec does not understand rejects the replay', async () => {
  const log = new MemoryLog('metadata', 0, '__cluster_metadata')
  await journalOver(log).append(['a'])
  const strict: Codec<string> = {
    ...codec,
    decode: () => {
      throw new Error('a record of a later version')
    },
  }
  const journal = partitionJournal(strict, { clock: manualClock(), log: log.asPartitionLog, leaderEpoch: () => 1 })
  await rejects(journal.replay(() => {}), /a record of a later version/) // prettier-ignore
})
