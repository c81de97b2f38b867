// What the tests of the partition log share: small limits, a directory on twins of a disk, batches.
import { equal } from 'node:assert/strict'
import type { Clock } from '../../../broker/base/clock.ts'
import { silentLogger } from '../../../broker/base/log.ts'
import type { Uuid } from '../../../broker/base/uuid.ts'
import type { LogConfig } from '../../../broker/config/topic-config.ts'
import {
  baseOffset,
  buildBatch,
  lastOffset,
  readHeader,
  sizeOf,
  type BatchInit,
} from '../../../broker/records/batch.ts'
import type { Files } from '../../../broker/storage/files.ts'
import { defaultLogLimits, LogDirectory, type LogLimits } from '../../../broker/storage/log-directory.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import type { Store } from '../../../broker/storage/store.ts'
import { manualClock } from '../../manual-clock.ts'

export const DATA = '/data'
export const TOPIC: Uuid = 'AAAAAAAAAAAAAAAAAAAAAQ'
export const OTHER_TOPIC: Uuid = 'AAAAAAAAAAAAAAAAAAAAAg'

export const CONFIG: LogConfig = {
  cleanupPolicy: new Set(['delete'] as const),
  deleteRetentionMs: 86_400_000,
  fileDeleteDelayMs: 60_000,
  flushMessages: 1,
  flushMs: -1,
  indexIntervalBytes: 4096,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  maxMessageBytes: 1024 * 1024,
  minCleanableDirtyRatio: 0.5,
  minCompactionLagMs: 0,
  retentionBytes: -1,
  retentionMs: -1,
  segmentBytes: 1024 * 1024,
  segmentJitterMs: 0,
  segmentMs: -1,
}

/** So small that a few hundred bytes reach every path. */
export const SMALL_LIMITS: LogLimits = {
  ...defaultLogLimits,
  inlineGroupBytes: 300,
  inlineLogBytes: 150,
  ownFileBytes: 1500,
  ownFileUnsyncedBytes: 1500,
  producerSnapshotBytes: 1500,
  cacheBytes: 4096,
  stagingFileBytes: 4096,
  stagingBytes: 16384,
  moveBytes: 2000,
  openFiles: 4,
  diskReserveBytes: 1000,
}

export type Opening = {
  readonly store: Store
  readonly files: Files
  readonly clock?: Clock
  readonly limits?: Partial<LogLimits>
  readonly isCleanStart?: boolean
}

export function openDirectory(opening: Opening): Promise<LogDirectory> {
  return LogDirectory.open({
    directory: { path: DATA, isCleanStart: opening.isCleanStart ?? false },
    store: opening.store,
    files: opening.files,
    clock: opening.clock ?? manualClock(),
    log: silentLogger,
    limits: { ...SMALL_LIMITS, ...opening.limits },
  })
}

/** `store`, some methods of which wait for something first. */
export function delayedStore(store: Store, wait: (method: 'get' | 'scan' | 'commit') => Promise<void>): Store {
  return {
    batch: () => store.batch(),
    get: key => wait('get').then(() => store.get(key)),
    getMany: keys => store.getMany(keys),
    scan: range => wait('scan').then(() => store.scan(range)),
    commit: (batch, options) => wait('commit').then(() => store.commit(batch, options)),
    sync: () => store.sync(),
    close: () => store.close(),
  }
}

/** A batch of one record with a value of `sizeBytes` bytes that tells batches apart. */
export function batchOf(sizeBytes: number, seed: number, init: Partial<BatchInit> = {}): Buffer {
  const value = Buffer.alloc(sizeBytes)
  for (let at = 0; at < sizeBytes; at++) value[at] = (seed * 31 + at * 7) & 0xff
  return buildBatch({ leaderEpoch: 0, records: [{ timestamp: 1000 + seed, value }], ...init })
}

/** Appends `batch` at the end of the log as a leader does. */
export function append(log: PartitionLog, batch: Buffer, leaderEpoch = 0): Promise<void> {
  batch.writeBigInt64BE(BigInt(log.endOffset), 0)
  batch.writeInt32BE(leaderEpoch, 12)
  return log.append(batch, readHeader(batch))
}

/** Every batch of the log, read in pieces of at most `maxBytes`. */
export async function readAll(log: PartitionLog, maxBytes = 1000, endOffset = Infinity): Promise<Buffer[]> {
  const found: Buffer[] = []
  for (let offset = log.logStartOffset; offset < Math.min(log.endOffset, endOffset);) {
    const result = await log.read(offset, {
      maxBytes,
      endOffset: Math.min(log.endOffset, endOffset),
      minOneBatch: true,
    })
    if (typeof result === 'string') throw new Error(`${result} at ${offset}`)
    const batches = splitBatches(result)
    if (batches.length === 0) break
    equal(lastOffset(batches[0]!, 0) >= offset, true)
    found.push(...batches)
    offset = lastOffset(batches.at(-1)!, 0) + 1
  }
  return found
}

export function splitBatches(pieces: readonly Buffer[]): Buffer[] {
  const batches: Buffer[] = []
  for (const bytes of pieces) {
    for (let at = 0; at < bytes.length; at += sizeOf(bytes, at))
      batches.push(bytes.subarray(at, at + sizeOf(bytes, at)))
  }
  return batches
}

export function offsetsOf(batches: readonly Buffer[]): number[] {
  return batches.map(batch => baseOffset(batch, 0))
}

/** Lets everything run that waits for promises only. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setImmediate(resolve))
}
