// What the store keeps of one log beside its extents and segments. Written when it changes, not with every append: while a log is
// `isClean: false` the fields marked (clean) are found again from the extents.
//
//    0 version u8 (1)                | 48 active segment's size u48 (clean)
//    1 flags u8: bit 0 isClean       | 54 its endOffset u64 (clean)
//    2 logStartOffset u64            | 62 hotBytes u48 (clean)
//   10 activeBase u64                | 68 firstTimestamp int64 (clean)
//   18 syncedOffset u64              | 76 maxTimestamp int64 (clean)
//   26 endOffset u64 (clean)         | 84 maxTimestampOffset u64 (clean)
//   34 producersOffset u64           | 92 oldest staging file u48, 0: none (clean)
//   42 active segment file u48,      | 98 epochs u32, each int32 epoch, u64 start offset
//      0: none                       |    name u16 + UTF-8, cleanedOffset u64
import { assert } from '../base/assert.ts'
import type { EpochEntry } from './leader-epochs.ts'
import { StorageError } from './storage-error.ts'

export type LogState = {
  /** Everything below endOffset is on the disk and described here: nothing to check or to find out at the next start. */
  isClean: boolean
  logStartOffset: number
  /** Where the part that is not sealed begins. */
  activeBase: number
  /** Exclusive; below it everything was on the disk when this was written. */
  syncedOffset: number
  endOffset: number
  /** The offset that the stored producers stand for. */
  producersOffset: number
  /** 0: no batch of the active segment is in its own file yet. */
  activeFileId: number
  activeSizeBytes: number
  activeEndOffset: number
  hotBytes: number
  firstTimestamp: number
  maxTimestamp: number
  maxTimestampOffset: number
  oldestStagingFile: number
  /** Exclusive: up to here the log was compacted. */
  cleanedOffset: number
  epochs: readonly EpochEntry[]
  topicName: string
}

const VERSION = 1
const CLEAN_BIT = 0x01
const EPOCHS_AT = 98
const EPOCH_SIZE = 12

export function encodeLogState(state: LogState): Buffer {
  const name = Buffer.from(state.topicName)
  const value = Buffer.alloc(EPOCHS_AT + 4 + state.epochs.length * EPOCH_SIZE + 2 + name.length + 8)
  value[0] = VERSION
  value[1] = state.isClean ? CLEAN_BIT : 0
  writeU64(value, 2, state.logStartOffset)
  writeU64(value, 10, state.activeBase)
  writeU64(value, 18, state.syncedOffset)
  writeU64(value, 26, state.endOffset)
  writeU64(value, 34, state.producersOffset)
  value.writeUIntBE(state.activeFileId, 42, 6)
  value.writeUIntBE(state.activeSizeBytes, 48, 6)
  writeU64(value, 54, state.activeEndOffset)
  value.writeUIntBE(state.hotBytes, 62, 6)
  writeI64(value, 68, state.firstTimestamp)
  writeI64(value, 76, state.maxTimestamp)
  writeU64(value, 84, state.maxTimestampOffset)
  value.writeUIntBE(state.oldestStagingFile, 92, 6)
  let at = value.writeUInt32BE(state.epochs.length, EPOCHS_AT)
  for (const { epoch, startOffset } of state.epochs) {
    value.writeInt32BE(epoch, at)
    writeU64(value, at + 4, startOffset)
    at += EPOCH_SIZE
  }
  at = value.writeUInt16BE(name.length, at)
  at += name.copy(value, at)
  writeU64(value, at, state.cleanedOffset)
  assert(at + 8 === value.length, 'a log state is as long as its parts')
  return value
}

/** Throws StorageError for a version that this broker does not know. */
export function decodeLogState(value: Buffer): LogState {
  if (value[0] !== VERSION) throw new StorageError(`a log state of version ${value[0]} was written by a newer broker`)
  const epochs: EpochEntry[] = []
  let at = EPOCHS_AT + 4
  for (let left = value.readUInt32BE(EPOCHS_AT); left > 0; left--, at += EPOCH_SIZE) {
    epochs.push({ epoch: value.readInt32BE(at), startOffset: readU64(value, at + 4) })
  }
  const nameEnd = at + 2 + value.readUInt16BE(at)
  return {
    isClean: (value[1]! & CLEAN_BIT) !== 0,
    logStartOffset: readU64(value, 2),
    activeBase: readU64(value, 10),
    syncedOffset: readU64(value, 18),
    endOffset: readU64(value, 26),
    producersOffset: readU64(value, 34),
    activeFileId: value.readUIntBE(42, 6),
    activeSizeBytes: value.readUIntBE(48, 6),
    activeEndOffset: readU64(value, 54),
    hotBytes: value.readUIntBE(62, 6),
    firstTimestamp: readI64(value, 68),
    maxTimestamp: readI64(value, 76),
    maxTimestampOffset: readU64(value, 84),
    oldestStagingFile: value.readUIntBE(92, 6),
    // Before logs were compacted there was none.
    cleanedOffset: nameEnd < value.length ? readU64(value, nameEnd) : 0,
    epochs,
    topicName: value.toString('utf8', at + 2, nameEnd),
  }
}

/** The writer's progress: which group commits there were, and up to which one everything that had to be synced is. */
export type Progress = { readonly group: number; readonly syncedGroup: number }

export function encodeProgress({ group, syncedGroup }: Progress): Buffer {
  const value = Buffer.allocUnsafe(13)
  value[0] = VERSION
  value.writeUIntBE(group, 1, 6)
  value.writeUIntBE(syncedGroup, 7, 6)
  return value
}

export function decodeProgress(value: Buffer | null): Progress {
  if (value === null) return { group: 0, syncedGroup: 0 }
  if (value[0] !== VERSION) throw new StorageError(`the log was written by a newer broker (version ${value[0]})`)
  return { group: value.readUIntBE(1, 6), syncedGroup: value.readUIntBE(7, 6) }
}

/** An offset or a size, never negative. */
export function writeU64(buffer: Buffer, at: number, value: number): void {
  buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}

export function readU64(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4)
}

/** A timestamp; -1 is possible. */
export function writeI64(buffer: Buffer, at: number, value: number): void {
  buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}

export function readI64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4)
}
