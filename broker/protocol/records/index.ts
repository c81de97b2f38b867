// Every kind of record in the internal topics that this broker understands.
import type { RecordKey, RecordValue } from '../record-format.ts'
import { GroupMetadataKey, GroupMetadataValue } from './group-metadata.ts'
import { LegacyOffsetCommitKey, LegacyOffsetCommitValue, OffsetCommitKey, OffsetCommitValue } from './offset-commit.ts'
import { TransactionLogKey, TransactionLogValue } from './transaction-log.ts'

export const recordKeys: readonly RecordKey[] = [
  OffsetCommitKey,
  LegacyOffsetCommitKey,
  GroupMetadataKey,
  TransactionLogKey,
]

export const recordValues: readonly RecordValue[] = [
  OffsetCommitValue,
  LegacyOffsetCommitValue,
  GroupMetadataValue,
  TransactionLogValue,
]
