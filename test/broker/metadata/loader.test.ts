import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { silentLogger } from '../../../broker/base/log.ts'
import { Loader } from '../../../broker/metadata/loader.ts'
import { MetadataLog } from '../../../broker/metadata/metadata-log.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { snapshot } from '../../../broker/metadata/snapshot.ts'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from '../../../broker/metadata/topic-names.ts'
import { manualClock } from '../../manual-clock.ts'
import { settled } from '../api/fixture.ts'
import { MemoryLog } from '../replication/memory-log.ts'
import { imageOf, plain } from './images.ts'

function follower(log = new MemoryLog(METADATA_TOPIC_ID, 0, METADATA_TOPIC)) {
  const metadataLog = new MetadataLog(manualClock(), log.asPartitionLog)
  const failures: Error[] = []
  const onFailed = (error: Error): void => void failures.push(error)
  const loader = new Loader({ log: silentLogger, metadataLog, clusterId: 'c', onFailed })
  // Stands for the leader whose batches arrive.
  const append = (...records: MetadataRecord[]): number => {
    metadataLog.lead(1)
    return metadataLog.append(records)!.endOffset
  }
  return { log, metadataLog, loader, failures, append }
}

const created = (name: string): MetadataRecord => ({
  kind: 'topic-created',
  topicId: name.padEnd(22, 'A'),
  name,
  partitions: [],
  configs: {},
})

test('an image shows what is committed, and nothing above the high watermark', async () => {
  const { metadataLog, loader, append } = follower()
  const committed = append({ kind: 'cluster-created', clusterId: 'c' }, created('a'))
  append(created('b'))
  metadataLog.commitUpTo(committed)
  await loader.applied(committed)
  deepEqual([...loader.image.topics.keys()], ['a'])
})

test('subscribers are told what changed, however the log is read', async () => {
  for (const readsAreSlow of [false, true]) {
    const { log, metadataLog, loader, append } = follower()
    log.readsAreSlow = readsAreSlow
    metadataLog.commitUpTo(append({ kind: 'cluster-created', clusterId: 'c' }))
    await loader.applied(1)
    const seen: string[] = []
    loader.subscribe(({ changedTopics }) => seen.push([...changedTopics].join()))
    const first = append(created('a'))
    const second = append(created('b'))
    metadataLog.commitUpTo(first)
    metadataLog.commitUpTo(second)
    await loader.applied(second)
    deepEqual(seen.join().split(',').filter(Boolean), ['a', 'b'].map(name => name.padEnd(22, 'A'))) // prettier-ignore
  }
})

test('what was before a committed snapshot is deleted', async () => {
  const { log, metadataLog, loader, append } = follower()
  metadataLog.commitUpTo(append({ kind: 'cluster-created', clusterId: 'c' }, created('a')))
  const before = loader.image
  const startOffset = log.endOffset
  const endOffset = append(...snapshot(before))
  equal(log.logStartOffset, 0)
  metadataLog.commitUpTo(endOffset)
  await loader.applied(endOffset)
  await settled()
  equal(log.logStartOffset, startOffset)
  deepEqual(plain(loader.image), plain(before))
  const again = follower(log.afterCrash(true))
  again.metadataLog.commitUpTo(endOffset)
  await again.loader.applied(endOffset)
  deepEqual(plain(again.loader.image), plain(before))
})

test('a broker that begins anew behind a snapshot shows everything that is different', async () => {
  const { log, metadataLog, loader, append } = follower()
  metadataLog.commitUpTo(append({ kind: 'cluster-created', clusterId: 'c' }, created('a'), created('b')))
  const deleted: string[] = []
  loader.subscribe(({ deletedTopics }) => deleted.push(...deletedTopics.keys()))
  // What it missed: b was deleted. Its log was emptied, and the leader's snapshot came.
  const image = imageOf({ kind: 'cluster-created', clusterId: 'c' }, created('a'))
  const missed = append(created('x'), created('y'))
  await log.deleteRecordsBefore(missed)
  const endOffset = append(...snapshot(image))
  metadataLog.commitUpTo(endOffset)
  await loader.applied(endOffset)
  deepEqual([...loader.image.topics.keys()], ['a'])
  deepEqual(deleted, ['b'.padEnd(22, 'A')])
})

test('a log that cannot be understood stops the broker', async () => {
  const { metadataLog, loader, failures, append } = follower()
  const endOffset = append({ kind: 'cluster-created', clusterId: 'other' })
  const applied = loader.applied(endOffset)
  metadataLog.commitUpTo(endOffset)
  await rejects(applied, /belongs to the cluster other/)
  await rejects(loader.applied(endOffset), /belongs to the cluster other/)
  equal(failures.length, 1)
  ok(!loader.image.topics.has('a'))
})
