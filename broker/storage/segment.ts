// Sealed segments and the files of a data directory. A sealed segment is one immutable file in Kafka's own format (record batches v2,
// one behind the other, in offset order) and one small store value that says so:
//
//    0 version u8 (1)   | 15 sizeBytes u48        | 37 maxTimestampOffset u64
//    1 fileId u48       | 21 endOffset u64        | 45 createdMs u48
//    7 reserved         | 29 maxTimestamp int64   |
//
// Files never get a second life: a file id is used once, and no place in a file is written twice.
import { join } from 'node:path'
import type { Uuid } from '../base/uuid.ts'
import { offsetOf } from './keys.ts'
import { readI64, readU64, writeI64, writeU64 } from './log-state.ts'
import { StorageError } from './storage-error.ts'
import type { Entry } from './store.ts'

export type Segment = {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly fileId: number
  readonly sizeBytes: number
  /** -1 when no record has a timestamp. */
  readonly maxTimestamp: number
  /** Base offset of the first batch that has it. */
  readonly maxTimestampOffset: number
  readonly createdMs: number
}

const VERSION = 1
const VALUE_SIZE = 51

export function encodeSegment(segment: Segment): Buffer {
  const value = Buffer.alloc(VALUE_SIZE)
  value[0] = VERSION
  value.writeUIntBE(segment.fileId, 1, 6)
  value.writeUIntBE(segment.sizeBytes, 15, 6)
  writeU64(value, 21, segment.endOffset)
  writeI64(value, 29, segment.maxTimestamp)
  writeU64(value, 37, segment.maxTimestampOffset)
  value.writeUIntBE(segment.createdMs, 45, 6)
  return value
}

/** Throws StorageError for a version that this broker does not know. */
export function decodeSegment({ key, value }: Entry): Segment {
  if (value[0] !== VERSION) throw new StorageError(`a segment of version ${value[0]} was written by a newer broker`)
  return {
    baseOffset: offsetOf(key),
    endOffset: readU64(value, 21),
    fileId: value.readUIntBE(1, 6),
    sizeBytes: value.readUIntBE(15, 6),
    maxTimestamp: readI64(value, 29),
    maxTimestampOffset: readU64(value, 37),
    createdMs: value.readUIntBE(45, 6),
  }
}

/** The folders below a data directory that hold file bytes. */
export type LogFolders = { readonly segments: string; readonly staging: string }

export function logFolders(dataPath: string): LogFolders {
  return { segments: join(dataPath, 'segments'), staging: join(dataPath, 'staging') }
}

// A topic id has '-' and '_' of its own; it always has 22 characters.
const SEGMENT_NAME = /^([\w-]{22})-(\d+)-(\d{20})\.(\d+)\.log$/
const STAGING_NAME = /^(\d+)\.staging$/

/** `<topic id>-<partition>-<base offset>.<file id>.log`: for people; the store knows which files count. */
export function segmentFileName(topicId: Uuid, partition: number, baseOffset: number, fileId: number): string {
  return `${topicId}-${partition}-${String(baseOffset).padStart(20, '0')}.${fileId}.log`
}

/** The path of a log's segment file, sealed or active. */
export function segmentPath(
  folder: string,
  log: { readonly topicId: Uuid; readonly partition: number },
  segment: { readonly baseOffset: number; readonly fileId: number },
): string {
  return join(folder, segmentFileName(log.topicId, log.partition, segment.baseOffset, segment.fileId))
}

export function stagingFileName(fileId: number): string {
  return `${fileId}.staging`
}

/** The file id in a name of either folder, 0 when it is not one of ours. */
export function fileIdOf(name: string): number {
  const match = SEGMENT_NAME.exec(name)?.[4] ?? STAGING_NAME.exec(name)?.[1]
  return match === undefined ? 0 : Number(match)
}

/** The segment that holds `offset`, or the first one above it; -1 when all end below it. */
export function segmentIndexAt(segments: readonly Segment[], offset: number): number {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (segments[middle]!.endOffset <= offset) low = middle + 1
    else high = middle
  }
  return low < segments.length ? low : -1
}
